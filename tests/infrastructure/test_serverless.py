# SPDX-License-Identifier: Apache-2.0
"""The profile serverless: the stacks without Redis, its network and its secret."""

from __future__ import annotations

import json
from typing import Any

from tests.infrastructure.test_frozen_ids import identifiers
from tests.infrastructure.test_templates import lint
from tests.support.templates.synthesized import Assembly, Synthesized

REDIS_ALARMS = {"RedisCpu", "RedisMemory", "RedisEvictions", "RedisNoData"}
# What a change of the profile removes: nothing with data that the tables do not have.
REDIS_IDENTIFIERS = {
    "AWS::ElastiCache::ReplicationGroup CountersGroup",
    "AWS::SecretsManager::Secret CountersPassword",
    "AWS::Logs::LogGroup NetworkRefusedLogs",
}


def environments(stack: Synthesized) -> dict[str, dict[str, Any]]:
    """The environment variables of each function."""
    return {
        name: one.get("Environment", {}).get("Variables", {})
        for name, one in stack.of_type("AWS::Lambda::Function").items()
    }


def alarms(stack: Synthesized) -> set[str]:
    """The names of the alarms, without the construct's path and CDK's hash."""
    return {
        name.removeprefix("OperationsAlarms")[:-8]
        for name in stack.of_type("AWS::CloudWatch::Alarm")
    }


def test_no_stack_has_redis_a_network_or_a_function_in_a_vpc(serverless: Assembly) -> None:
    for name, stack in serverless.stacks.items():
        text = json.dumps(stack.template).lower()
        assert [
            word for word in ("redis", "valkey", "elasticache", "vpcconfig") if word in text
        ] == ([]), name
        assert not [one for one in stack.resources.values() if "::EC2::" in one["Type"]], name
        assert "ec2:createnetworkinterface" not in text, name


def test_the_same_functions_use_the_counters_in_dynamodb(
    serverless: Assembly, eventful: Assembly
) -> None:
    redis = environments(eventful.stacks["Core"])
    dynamodb = environments(serverless.stacks["Core"])
    assert {name for name, one in dynamodb.items() if "COUNTERS_STORE" in one} == {
        name for name, one in redis.items() if "REDIS_HOST" in one
    }
    assert {one.get("COUNTERS_STORE") for one in dynamodb.values()} == {None, "dynamodb"}


def test_alarms_and_dashboard_have_no_row_of_redis(
    serverless: Assembly, eventful: Assembly
) -> None:
    with_redis, without = (alarms(one.stacks["Core"]) for one in (eventful, serverless))
    assert with_redis - without == REDIS_ALARMS
    boards = [
        one.stacks["Core"].only("AWS::CloudWatch::Dashboard") for one in (eventful, serverless)
    ]
    widgets = [json.dumps(one["DashboardBody"]).count('\\"type\\":\\"') for one in boards]
    assert widgets[0] - widgets[1] == 1


def test_a_change_of_the_profile_keeps_every_stateful_resource_but_redis(
    serverless: Assembly, eventful: Assembly
) -> None:
    redis, dynamodb = set(identifiers(eventful)), set(identifiers(serverless))
    gone = {line.removeprefix("Core ")[:-8] for line in redis - dynamodb}
    assert gone == REDIS_IDENTIFIERS
    assert dynamodb <= redis


def test_cfn_lint_finds_nothing_in_core(serverless: Assembly) -> None:
    assert lint(serverless.stacks["Core"]) == []
