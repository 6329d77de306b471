# SPDX-License-Identifier: Apache-2.0
"""Logical ids and names that a deployed stack keeps its data and its addresses under."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.templates.synthesized import EVERYTHING, Assembly

FROZEN = Path(__file__).with_name("frozen_ids.txt")
STATEFUL = {
    "AWS::ApiGateway::RestApi",  # its id is in the invoke URL and in the issuer of tokens
    "AWS::CloudFront::KeyValueStore",  # without its content the gate is closed
    "AWS::CloudFront::Distribution",  # its domain name is what visitors open
    "AWS::Cognito::UserPool",  # the accounts of operators
    "AWS::DynamoDB::Table",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Events::EventBus",
    "AWS::IAM::Group",  # people are members of it
    "AWS::IAM::ManagedPolicy",  # people attach it
    "AWS::Logs::LogGroup",  # retained with RetainData
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",  # others subscribe and publish to it
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
# Types of which the room has none yet: the first one is stateful too.
STATEFUL |= {
    "AWS::DynamoDB::GlobalTable",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::KMS::Key",
}
# The one role through which API Gateway logs, retained for the other APIs of the account.
OF_THE_ACCOUNT = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}
EXPLANATION = """
Identifiers that a deployed stack depends on differ from tests/infrastructure/frozen_ids.txt.
A changed logical id or physical name replaces the resource at the next deployment. Its data is
lost (tables, queues, secrets, logs) or its address changes (APIs, distributions, topics, outputs).
A move of a construct, a new construct id and a new stack name change logical ids.
Undo the change. If it is a deliberate decision, or the resource is new, edit frozen_ids.txt and
follow docs/decisions/0114-freeze-persisted-names.md.
"""


def identifiers(assembly: Assembly) -> Iterator[str]:
    """Lines of ``<stack> <type> <logical id> [<physical name>]`` and of ``<stack> Output <name>``.

    Resources that an output names count too: others have copied their ids. Outputs that CDK makes
    for other stacks are left out: their names follow the logical ids.
    """
    for stack_id, stack in assembly.stacks.items():
        yield f"{stack_id} Stack {stack.name}"
        outputs = {
            name: value
            for name, value in stack.template.get("Outputs", {}).items()
            if not name.startswith("ExportsOutput")
        }
        named = set(re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', json.dumps(outputs)))
        for logical_id, made in stack.resources.items():
            if made["Type"] in STATEFUL or logical_id in named:
                names = [
                    value
                    for key, value in sorted(made.get("Properties", {}).items())
                    if key.endswith("Name") and isinstance(value, str)
                ]
                yield " ".join([stack_id, made["Type"], logical_id, *names])
        for output in outputs:
            yield f"{stack_id} Output {output}"


def test_stateful_resources_keep_their_logical_ids_and_names(assembly: Assembly) -> None:
    found, frozen = set(identifiers(assembly)), set(FROZEN.read_text("utf-8").splitlines())
    gone = "\n".join(f"  frozen, not found: {line}" for line in sorted(frozen - found))
    new = "\n".join(f"  found, not frozen: {line}" for line in sorted(found - frozen))
    if found != frozen:
        pytest.fail(f"{EXPLANATION}{gone}\n{new}", pytrace=False)


def test_events_do_not_change_the_identifiers_of_stateful_resources(
    assembly: Assembly, eventful: Assembly
) -> None:
    assert set(identifiers(eventful)) == set(identifiers(assembly))


def test_every_type_that_outlives_its_stack_is_stateful() -> None:
    kept = Assembly({**EVERYTHING, "RetainData": True})
    retained = {
        made["Type"]
        for stack in kept.stacks.values()
        for made in stack.resources.values()
        if made.get("DeletionPolicy") == "Retain"
    }
    assert retained - OF_THE_ACCOUNT <= STATEFUL, EXPLANATION
    assert "AWS::DynamoDB::Table" in retained
