# SPDX-License-Identifier: Apache-2.0
"""The profile serverless: the stacks without Redis, its network and its secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infrastructure.blueprint.resources import COUNT_OUTCOMES
from tests.infrastructure.test_frozen_ids import identifiers
from tests.infrastructure.test_templates import lint
from tests.support.templates.synthesized import (
    Assembly,
    Synthesized,
    different_roles,
    statements_text,
)
from waiting_room.domain.room_settings import CountersStore
from waiting_room.runtime.settings.room import read_room_settings

SNAPSHOT = Path(__file__).with_name("permissions_serverless.txt")
OUTBOX_ALARMS = {"OutboxLag", "SendOutboxErrors"}  # of the VPC (decision 0152)
OUTBOX_IDENTIFIERS = {
    "AWS::Logs::LogGroup WorkersFunctionsSendOutboxLogs",
    "AWS::DynamoDB::Table TablesOutbox",
}
REDIS_ALARMS = {"RedisCpu", "RedisMemory", "RedisEvictions", "RedisNoData"}
# What a change of the profile removes: nothing with data that the tables do not have.
REDIS_IDENTIFIERS = {
    "AWS::ElastiCache::ReplicationGroup CountersGroup",
    "AWS::SecretsManager::Secret CountersPassword",
    "AWS::Logs::LogGroup NetworkRefusedLogs",
}
COUNTER_IDENTIFIERS = {
    "Core AWS::DynamoDB::Table TablesCountersF3818E58",
    "Core AWS::Logs::LogGroup WorkersFunctionsCountOutcomesLogsD07BD427",
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


def test_the_same_functions_use_the_counters_in_dynamodb_and_one_counts(
    serverless: Assembly, eventful: Assembly
) -> None:
    redis = environments(eventful.stacks["Core"])
    dynamodb = environments(serverless.stacks["Core"])
    using = {name: one for name, one in dynamodb.items() if "COUNTERS_STORE" in one}
    assert {name[:-8] for name in using} == {
        *(name[:-8] for name, one in redis.items() if "REDIS_HOST" in one),
        "WorkersFunctionsCountOutcomesFunction",
    }
    (table,) = serverless.stacks["Core"].of_type("AWS::DynamoDB::Table").keys() - (
        eventful.stacks["Core"].of_type("AWS::DynamoDB::Table").keys()
    )
    for name, one in using.items():
        assert (one["COUNTERS_STORE"], one["COUNTERS_TABLE"]) == ("dynamodb", {"Ref": table}), name
        plain = {key: value if isinstance(value, str) else table for key, value in one.items()}
        settings = read_room_settings(plain)
        assert settings.counters_store is CountersStore.DYNAMODB
    assert not [
        one for one in dynamodb.values() if "COUNTERS_TABLE" in one and one not in using.values()
    ]


def test_outcomes_are_counted_from_the_stream_until_they_are_counted(
    serverless: Assembly,
) -> None:
    core = serverless.stacks["Core"]
    (mapping,) = (
        one
        for name, one in core.of_type("AWS::Lambda::EventSourceMapping").items()
        if "CountOutcomes" in name
    )
    (stream,) = (name for name in core.of_type("AWS::DynamoDB::Table") if "TablesTokens" in name)
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [stream, "StreamArn"]}
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (
        COUNT_OUTCOMES.batch_size, COUNT_OUTCOMES.batch_window,
    )  # fmt: skip
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    for limit in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "DestinationConfig"):
        assert limit not in mapping, "a batch that is given up is never counted"


def test_alarms_and_dashboard_have_no_row_of_redis(eventful: Assembly) -> None:
    made = Assembly({
        "Stacks": "core", "Profile": "serverless", "Alarms": "full", "Dashboard": "true",
    })  # fmt: skip
    with_redis, without = (one.stacks["Core"] for one in (eventful, made))
    assert alarms(with_redis) - alarms(without) == REDIS_ALARMS | OUTBOX_ALARMS | {"WafBlocks"}
    assert alarms(without) - alarms(with_redis) == {"CounterLag", "CounterThrottles"}
    boards = [one.only("AWS::CloudWatch::Dashboard") for one in (with_redis, without)]
    widgets = [json.dumps(one["DashboardBody"]).count('\\"type\\":\\"') for one in boards]
    assert widgets[0] - widgets[1] == 1


def test_a_change_of_the_profile_keeps_every_stateful_resource_but_redis(
    serverless: Assembly, eventful: Assembly
) -> None:
    redis, dynamodb = set(identifiers(eventful)), set(identifiers(serverless))
    gone = {
        line.removeprefix("Core ")[:-8]
        for line in redis - dynamodb
        if "Dashboard" not in line  # an option, off in this profile
    }
    assert gone == REDIS_IDENTIFIERS | OUTBOX_IDENTIFIERS
    assert dynamodb - redis == COUNTER_IDENTIFIERS


def test_cfn_lint_finds_nothing_in_core(serverless: Assembly) -> None:
    assert lint(serverless.stacks["Core"]) == []


def test_each_function_may_do_what_the_snapshot_says(
    serverless: Assembly, eventful: Assembly
) -> None:
    """The snapshot has the roles that differ from those of the profile standard."""
    standard = statements_text(eventful.stacks)
    found = different_roles(statements_text(serverless.stacks), standard)
    assert found == SNAPSHOT.read_text(encoding="utf-8"), (
        "Run `python -m tests.support.templates.synthesized`, which writes"
        " tests/infrastructure/permissions_serverless.txt, and read the difference"
    )
