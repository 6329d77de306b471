# SPDX-License-Identifier: Apache-2.0
"""The templates as CloudFormation takes them: valid, small, the same each time, for any name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cfnlint import api
from cfnlint.config import ManualArgs

from tests.support.templates.synthesized import LONGEST, Assembly, Reviewed, Synthesized

MOST_BYTES, MOST_RESOURCES = 1_000_000, 500  # CloudFormation's limits
# CDK writes dependencies that a reference implies already; they do no harm.
IGNORED = ["W3005"]


def lint(stack: Synthesized) -> list[str]:
    found = api.lint(
        json.dumps(stack.template),
        config=ManualArgs(ignore_checks=IGNORED, regions=["eu-central-1"]),
    )
    return [f"{one.rule.id} {one.message} at {'/'.join(map(str, one.path))}" for one in found]


def test_cfn_lint_finds_nothing(eventful: Assembly) -> None:
    assert not [one for stack in eventful.stacks.values() for one in lint(stack)]


def test_cfn_lint_finds_nothing_in_a_cheap_room_in_another_vpc_with_a_long_name() -> None:
    context = {
        "Stacks": "core",
        "StackName": LONGEST,
        "Profile": "cheap",
        "VpcId": "vpc-0123456789abcdef0",
        "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        "SnapStart": "true",
        "AlarmEmail": "operators@shop.example",
        "RetainData": "true",
        "DeletionProtection": "true",
        "WarmWriteUnits": "50000",
        "CreateApiLogRole": "false",
    }
    core = Assembly(context).stacks["Core"]
    assert lint(core) == []
    assert not core.of_type("AWS::EC2::VPC")
    assert core.of_type("AWS::Lambda::Alias")
    assert core.only("AWS::ElastiCache::ReplicationGroup")["NumCacheClusters"] == 1


def test_templates_are_well_below_the_limits(eventful: Assembly) -> None:
    for name, stack in eventful.stacks.items():
        assert len(json.dumps(stack.template, indent=1)) < MOST_BYTES, name
        assert len(stack.resources) < MOST_RESOURCES, name


def test_the_same_parameters_give_the_same_templates(
    assembly: Assembly, reviewed: Reviewed
) -> None:
    assert {name: stack.template for name, stack in assembly.stacks.items()} == reviewed.templates


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a template with its path."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from texts(part, f"{path}/{name}")
    elif isinstance(value, list):
        for part in value:
            yield from texts(part, path)
    elif isinstance(value, str):
        yield path, value


def test_no_partition_and_no_region_is_written_into_a_template(
    eventful: Assembly,
) -> None:
    own = re.compile(r"arn:aws:|[a-z0-9-]+\.amazonaws\.com/|\b(eu|us|ap)-[a-z]+-[0-9]\b")
    allowed = ("/Dashboard", "/DashboardBody", "/AcmCertificateArn")  # CloudFront is in us-east-1
    for stack in eventful.stacks.values():
        for path, text in texts(stack.template):
            assert not own.search(text) or any(one in path for one in allowed), (path, text)


def test_no_resource_has_a_name_that_cloudformation_could_give_it(
    second_room: Assembly,
) -> None:
    """What CloudFormation names itself, it keeps within the limit of each kind."""
    given = {
        "QueueName", "TableName", "FunctionName", "RoleName", "PolicyName", "GroupName",
        "ReplicationGroupId", "LogGroupName", "TopicName", "AlarmName", "DashboardName",
        "UserName", "ManagedPolicyName", "SecretName", "BucketName", "CacheSubnetGroupName",
    }  # fmt: skip
    # the name of an inline policy is its own within a role, that of a group within a user pool
    inside = ("AWS::IAM::Policy", "AWS::SQS::QueuePolicy", "AWS::Cognito::UserPoolGroup")
    for stack in second_room.stacks.values():
        for name, made in stack.resources.items():
            if made["Type"] in inside:
                continue
            written = {
                key
                for key, value in made.get("Properties", {}).items()
                if key in given and isinstance(value, str)
            }
            assert not written, name
