# SPDX-License-Identifier: Apache-2.0
"""The customer-managed key: what it encrypts, who may use it, and its price."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deployment.account.remains import REMAINING, retained_types
from deployment.capacity.topology import of_template
from infrastructure.blueprint.key_policy import READ, WRITE, actions_by_service, service_statements
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.parameter import ParameterError
from tests.docs.markdown import section
from tests.support.templates.synthesized import Assembly, Synthesized

PAGE = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"
ARN = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001"
# Where each type names its key. A replication group would be replaced by another key.
ENCRYPTED = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
}
SERVICE_OF = {
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::SQS::Queue": "sqs",
    "AWS::SecretsManager::Secret": "secretsmanager",
}


def is_key(value: Any, key: str) -> bool:
    """Return whether a value refers to the key of the core stack, from any stack."""
    return f'"{key}"' in json.dumps(value) or f"GetAtt{key}Arn" in json.dumps(value)


@pytest.fixture(scope="module")
def key(second_room: Assembly) -> str:
    """The logical id of the one key of a room."""
    ((name, _),) = second_room.stacks["Core"].of_type("AWS::KMS::Key").items()
    for stack in ("Authorizer", "Sample", "OpenId", "Inlet", "Gate"):
        assert not second_room.stacks[stack].of_type("AWS::KMS::Key")
    return name


def test_the_key_is_retained_and_in_the_list_of_what_remains(second_room: Assembly) -> None:
    found = set().union(
        *(retained_types({"Resources": one.resources}) for one in second_room.stacks.values())
    )
    assert "AWS::KMS::Key" in found
    assert found <= {kind for one in REMAINING for kind in one.types}


def test_each_table_secret_queue_topic_and_log_group_has_the_key(
    second_room: Assembly, key: str
) -> None:
    seen = set()
    for stack in second_room.stacks.values():
        for logical, made in stack.resources.items():
            if made["Type"] in ENCRYPTED:
                value = made["Properties"]
                for step in ENCRYPTED[made["Type"]]:
                    value = value.get(step, {})
                assert is_key(value, key), f"{stack.name[-20:]} {logical}"
                seen.add(made["Type"])
    assert seen == set(ENCRYPTED)


def test_each_bucket_has_the_key_and_calls_it_once_for_many_files(
    second_room: Assembly, key: str
) -> None:
    buckets = [
        made for stack in second_room.stacks.values()
        for made in stack.of_type("AWS::S3::Bucket").values()
    ]  # fmt: skip
    assert len(buckets) == 4
    for made in buckets:
        (rule,) = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True
        assert is_key(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"], key)


def test_the_key_rotates_and_outlives_its_stack(second_room: Assembly, key: str) -> None:
    made = second_room.stacks["Core"].resources[key]
    assert made["Properties"]["EnableKeyRotation"] is True
    assert made["DeletionPolicy"] == made["UpdateReplacePolicy"] == "Retain"


def test_the_policy_of_the_key_has_the_services_that_need_it(
    second_room: Assembly, key: str
) -> None:
    policy = second_room.stacks["Core"].resources[key]["Properties"]["KeyPolicy"]
    named = {one["Sid"]: one for one in policy["Statement"] if "Sid" in one}
    assert set(named) == {"Logs", "Alarms", "Notices", "Pages"}
    assert named["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert named["Notices"]["Principal"] == {"Service": "sns.amazonaws.com"}
    assert named["Pages"]["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert "logs." in json.dumps(named["Logs"]["Principal"])
    for one in named.values():  # no other account can use the key through a service
        assert "AWS::AccountId" in json.dumps(one["Condition"])
    assert any(
        one["Action"] == "kms:*" and "root" in json.dumps(one["Principal"])
        for one in policy["Statement"]
    ), "the account itself administers the key, and IAM policies of its roles count"


def statements(stack: Synthesized, role: str) -> list[Any]:
    return list(stack.statements_of(role))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def encrypted_calls(stack: Synthesized, role: str) -> set[str]:
    """The calls of a role to data that the key encrypts."""
    return {
        action
        for one in statements(stack, role)
        if one["Effect"] == "Allow"
        for action in as_list(one["Action"])
        if action.split(":")[0] in SERVICE_OF.values()
    }


def test_each_role_that_reads_or_writes_encrypted_data_may_use_the_key_for_it(
    second_room: Assembly, key: str
) -> None:
    """And no other role may; not even these beside the services of their data."""
    checked = 0
    for name, stack in second_room.stacks.items():
        for role in stack.of_type("AWS::IAM::Role"):
            needed = actions_by_service(encrypted_calls(stack, role))
            granted: dict[str, set[str]] = {}
            for one in statements(stack, role):
                actions = [each for each in as_list(one["Action"]) if each.startswith("kms:")]
                if not actions:
                    continue
                assert is_key(one["Resource"], key), (name, role)
                via = one.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
                service = json.dumps(via).strip('{["').partition("\\")[0] if via else "*"
                found = re.search(r"(dynamodb|secretsmanager|sqs)\.", json.dumps(via))
                service = found[1] if found else "*"
                granted.setdefault(service, set()).update(actions)
            if "CustomCDKBucketDeployment" in role:  # CDK grants the key of the bucket
                assert granted
                continue
            for service, actions in needed.items():
                covered = granted.get(service, set()) | granted.get("*", set())
                least = set(actions) - {"kms:DescribeKey"}  # no service needs it for data
                assert least <= covered or set(READ) <= covered, (name, role, service)
                if actions == WRITE:
                    assert "kms:GenerateDataKey*" in covered, (name, role, service)
                checked += 1
            assert set(granted) - {"*"} <= set(needed), (name, role)
            if "*" in granted:  # CDK's own: event sources and dead-letter queues
                assert needed, (name, role)
    assert checked > 50


def test_without_the_parameter_there_is_no_key_and_no_permission(assembly: Assembly) -> None:
    for stack in assembly.stacks.values():
        assert "kms:" not in json.dumps(stack.template)
        assert not stack.of_type("AWS::KMS::Key")


def test_the_key_is_in_the_price_of_an_idle_month(
    assembly: Assembly, second_room: Assembly
) -> None:
    with_key, without = second_room.stacks["Core"], assembly.stacks["Core"]
    assert of_template("", with_key.template).keys == of_template("", without.template).keys + 1


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ([], {}),
        (["dynamodb:GetItem", "dynamodb:Query"], {"dynamodb": READ}),
        (["dynamodb:GetItem", "dynamodb:UpdateItem"], {"dynamodb": WRITE}),
        (["dynamodb:PartiQLInsert", "dynamodb:GetItem"], {"dynamodb": WRITE}),
        (["secretsmanager:GetSecretValue"], {"secretsmanager": READ}),
        (["secretsmanager:PutSecretValue"], {"secretsmanager": WRITE}),
        (["sqs:SendMessage"], {"sqs": WRITE}),
        (["sqs:ReceiveMessage", "sqs:DeleteMessage"], {"sqs": READ}),
        (["events:PutEvents", "cloudfront-keyvaluestore:UpdateKeys"], {}),
    ],
)
def test_a_role_gets_the_calls_of_the_key_that_its_own_calls_need(
    calls: list[str], wanted: dict[str, tuple[str, ...]]
) -> None:
    assert actions_by_service(calls) == wanted


def test_the_page_has_the_statements_for_a_key_of_your_own() -> None:
    page = PAGE.read_text(encoding="utf-8")
    block = section(page, "Key policy").split("```json\n")[1].partition("```")[0]
    wanted = service_statements(
        partition="aws", region="eu-central-1", account="123456789012", suffix="amazonaws.com"
    )
    assert json.loads(block) == wanted


def test_a_key_of_your_own_is_used_in_each_stack_and_none_is_created() -> None:
    made = Assembly({
        "Stacks": "authorizer,sample", "CustomerManagedKey": ARN,
        "APIGatewayRegion": "eu-central-1",
        "PublicAPIEndpoint": "https://d1.cloudfront.net",
        "PrivateAPIEndpoint": "https://a1.execute-api.eu-central-1.amazonaws.com/api",
        "IssuerURI": "https://a2.execute-api.eu-central-1.amazonaws.com/api",
    })  # fmt: skip
    for stack in made.stacks.values():
        assert not stack.of_type("AWS::KMS::Key")
        for group in stack.of_type("AWS::Logs::LogGroup").values():
            assert group["KmsKeyId"] == ARN


@pytest.mark.parametrize("value", ["yes", "alias/x", ARN.replace(":key/", ":alias/")])
def test_a_value_that_is_no_key_is_rejected(value: str) -> None:
    with pytest.raises(ParameterError, match="CustomerManagedKey must be true, false, or the ARN"):
        AccountConfig.from_context({"CustomerManagedKey": value})


def test_a_deployment_without_core_needs_the_arn() -> None:
    config = AccountConfig.from_context({"CustomerManagedKey": "true"})
    config.check_key(with_core=True)
    with pytest.raises(ParameterError, match="CustomerManagedKey must be an ARN in a deployment"):
        config.check_key(with_core=False)
