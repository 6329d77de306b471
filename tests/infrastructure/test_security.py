# SPDX-License-Identifier: Apache-2.0
"""What the stacks may do and what a reviewer of cdk-nag's findings said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infrastructure.scan_suppressions import CDK_NAG, CFN_LINT, CHECKOV
from tests.support.templates.synthesized import (
    JOIN_QUEUE,
    Assembly,
    Reviewed,
    Synthesized,
    statements_text,
)

SNAPSHOT = Path(__file__).with_name("permissions.txt")


def test_every_finding_of_cdk_nag_was_reviewed(reviewed: Reviewed) -> None:
    assert reviewed.findings
    assert not [
        one for one in reviewed.findings if not any(known.covers(*one) for known in CDK_NAG)
    ]


def test_every_review_is_still_of_something_found(reviewed: Reviewed) -> None:
    assert not [
        known for known in CDK_NAG if not any(known.covers(*one) for one in reviewed.findings)
    ]


def test_every_suppression_has_a_reason() -> None:
    for known in (*CDK_NAG, *CHECKOV, *CFN_LINT):
        assert len(known.reason.split()) >= 6, known
        assert known.reason.endswith("."), known


def test_each_function_may_do_what_the_snapshot_says(eventful: Assembly) -> None:
    """``python -m tests.support.templates.synthesized`` writes it again; read the difference."""
    assert statements_text(eventful.stacks) == SNAPSHOT.read_text(encoding="utf-8"), (
        "Run `python -m tests.support.templates.synthesized`, which writes"
        " tests/infrastructure/permissions.txt, and read the difference"
    )


def statements(stack: Synthesized) -> Iterator[tuple[str, Any]]:
    """Every statement of a role or group, with the resource that it stands in."""
    for name, made in stack.resources.items():
        if not made["Type"].startswith("AWS::IAM::"):
            continue
        properties = made.get("Properties", {})
        documents = [properties.get("PolicyDocument", {})]
        documents += [one["PolicyDocument"] for one in properties.get("Policies", [])]
        for document in documents:
            for one in document.get("Statement", []):
                yield name, one


def actions(statement: Any) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def test_no_function_has_a_wildcard_action(eventful: Assembly) -> None:
    for stack in eventful.stacks.values():
        for name, statement in statements(stack):
            if statement["Effect"] == "Allow" and "CustomCDKBucketDeployment" not in name:
                assert not [one for one in actions(statement) if "*" in one], name


def test_nobody_makes_or_deletes_a_table(eventful: Assembly) -> None:
    for stack in eventful.stacks.values():
        text = json.dumps(stack.template)
        assert "dynamodb:CreateTable" not in text
        assert "dynamodb:DeleteTable" not in text


def test_a_data_statement_names_its_resource(eventful: Assembly) -> None:
    for stack in eventful.stacks.values():
        for name, statement in statements(stack):
            data = [
                one
                for one in actions(statement)
                if one.split(":")[0] in ("dynamodb", "secretsmanager", "sqs", "events", "sns")
                and one != "dynamodb:ListStreams"
            ]
            assert not data or statement["Resource"] != "*", name


def test_the_public_functions_cannot_write_the_serving_log_the_events_or_the_keys(
    eventful: Assembly,
) -> None:
    core = eventful.stacks["Core"]
    for name, statement in statements(core):
        if not name.startswith("PublicFunctions"):
            continue
        text = json.dumps(statement["Resource"])
        writes = {
            "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
            "dynamodb:PartiQLInsert",
        }  # fmt: skip
        kept = "TablesServingLog" in text or "TablesEvents" in text
        assert not kept or not writes & set(actions(statement)), name
        changes = {"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"}
        assert not changes & set(actions(statement)), name


def test_only_functions_that_read_the_counters_are_inside_the_vpc(core: Synthesized) -> None:
    for name, function in core.of_type("AWS::Lambda::Function").items():
        told = function.get("Environment", {}).get("Variables", {})
        assert ("VpcConfig" in function) == ("REDIS_HOST" in told), name


def test_nobody_but_the_api_and_the_redrive_may_write_joins(
    core: Synthesized,
) -> None:
    (queue,) = (name for name in core.of_type("AWS::SQS::Queue") if re.fullmatch(JOIN_QUEUE, name))
    denied = [
        one
        for policy in core.of_type("AWS::SQS::QueuePolicy").values()
        for one in policy["PolicyDocument"]["Statement"]
        if one["Effect"] == "Deny" and one["Action"] == "sqs:SendMessage"
    ]
    (statement,) = denied
    assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert statement["Principal"] == {"AWS": "*"}
    allowed = statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    roles = {one["Fn::GetAtt"][0][:13] for one in allowed if "Fn::GetAtt" in one}
    (of_the_gate,) = [one for one in allowed if "Fn::GetAtt" not in one]
    assert ":role/WaitingRoom-gate-join-" in "".join(map(str, of_the_gate["Fn::Join"][1]))
    assert roles == {"JoinQueueApiR", "JoinQueueRedr", "WorkersFuncti"}
    senders = {
        name
        for name, one in statements(core)
        if "sqs:SendMessage" in one["Action"] and queue in str(one["Resource"])
    }
    of_workers = {name[:30] for name in senders if name.startswith("Workers")}
    assert of_workers == {"WorkersFunctionsSendOutboxRole"}
    assert {name[:13] for name in senders} == roles


def test_the_worker_believes_the_redrive_role_of_its_stack(core: Synthesized) -> None:
    (role,) = (
        name for name in core.of_type("AWS::IAM::Role") if name.startswith("JoinQueueRedriveRole")
    )
    told = {
        name
        for name, one in core.of_type("AWS::Lambda::Function").items()
        if one.get("Environment", {}).get("Variables", {}).get("REDRIVE_ROLE_ID")
        == {"Fn::GetAtt": [role, "RoleId"]}
    }
    assert [name[:30] for name in told] == ["WorkersFunctionsAssignPosition"]
    taken = [str(one) for _, one in statements(core) if one["Action"] == "sts:AssumeRole"]
    assert any(role in one and "AssumeRole" in one for one in taken)
    moves = [one for _, one in statements(core) if "MoveTask" in str(one["Action"])]
    assert not moves, "SQS's own redrive gives a join another id"
