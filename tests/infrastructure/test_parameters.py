# SPDX-License-Identifier: Apache-2.0
"""Parameters: the contract's names and defaults, and a clear sentence for each mistake."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.parameters.core import REDIS_ONLY, CoreConfig
from infrastructure.parameters.parameter import ParameterError, reject_unknown
from waiting_room.domain.room_settings import FirstAdmission
from waiting_room.runtime.settings.room import read_room_settings

CONTRACT = {
    "ValidityPeriod": 3600,
    "EnableEventsGeneration": False,
    "RedisPort": 1785,
    "QueuePositionExpiryPeriod": 900,
    "EnableQueuePositionExpiry": True,
    "IncrSvcOnQueuePositionExpiry": False,
}


def test_the_contracts_parameters_have_the_contracts_defaults() -> None:
    known = {parameter.name: part.default for part, parameter in CoreConfig.known()}
    assert {name: known[name] for name in CONTRACT} == CONTRACT
    assert known["EventId"] == "Sample"


def test_values_are_read_as_the_command_line_gives_them() -> None:
    config = CoreConfig.from_context(
        {"EventId": "Sale-1.b", "RedisPort": "6379", "EnableEventsGeneration": "true"}
    )
    assert (config.event_id, config.redis_port, config.enable_events_generation) == (
        "Sale-1.b",
        6379,
        True,
    )


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"EventId": "a b"}, "The parameter EventId must be 1 to 64 letters"),
        ({"ValidityPeriod": "0"}, "The parameter ValidityPeriod must be between 1 and 86400"),
        ({"ValidityPeriod": "soon"}, "The parameter ValidityPeriod must be a whole number"),
        ({"EnableQueuePositionExpiry": "yes"}, "EnableQueuePositionExpiry must be true or false"),
        ({"RedisEngine": "memcached"}, "The parameter RedisEngine must be one of valkey, redis"),
        ({"RedisNodeType": "r6g"}, "The parameter RedisNodeType must be an ElastiCache node type"),
        ({"KeyRotationDays": "366"}, "The parameter KeyRotationDays must be between 0 and 365"),
        ({"LogRetentionDays": "8"}, "The parameter LogRetentionDays must be one of 1, 3,"),
        ({"VpcId": "vpc-01234567"}, "VpcId and SubnetIds belong together"),
        (
            {"VpcId": "vpc-01234567", "SubnetIds": "subnet-01234567"},
            "The parameter SubnetIds must name subnets in two zones",
        ),
        ({"SubnetIds": "a,b"}, "The parameter SubnetIds must be subnet ids"),
        ({"StackName": "1st"}, "The parameter StackName must be 1 to 128 letters"),
        ({"AdmissionStrategy": "fast"}, "AdmissionStrategy must be one of manual, rate, active"),
        ({"MinPerMinute": "601"}, "MinPerMinute must not be above TargetPerMinute"),
        ({"AlarmEmail": "me"}, "The parameter AlarmEmail must be an e-mail address"),
        (
            {"ChallengeOnJoin": "true"},
            "The parameter ChallengeOnJoin must be false: a join would need an AWS WAF token,",
        ),
        (
            {"WorkerReservedConcurrency": "50"},
            "The parameter AssignConcurrency must not be above WorkerReservedConcurrency",
        ),
        (
            {"JoinRateLimitPerIp": "10000"},
            "The parameter RequestRateLimitPerIp must not be below JoinRateLimitPerIp",
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_its_name(
    context: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        CoreConfig.from_context(context)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("RedisEngine", "redis"),
        ("RedisNodeType", "cache.r6g.large"),
        ("SnapshotDays", "3"),
        ("VpcId", "vpc-01234567"),
        ("SubnetIds", "subnet-01234567,subnet-89abcdef"),
    ],
)
def test_a_parameter_of_redis_or_its_network_is_refused_without_redis(
    parameter: str, value: str
) -> None:
    assert parameter in REDIS_ONLY
    sentence = f"The parameter {parameter} has no effect with Profile=serverless"
    with pytest.raises(ParameterError, match=sentence):
        CoreConfig.from_context({"Profile": "serverless", parameter: value})


def test_without_redis_defaults_are_accepted_and_the_port_is_ignored() -> None:
    fields = {parameter.name: field for field, parameter in CoreConfig.known()}
    given = {name: fields[name].default for name in REDIS_ONLY}
    config = CoreConfig.from_context({"Profile": "serverless", "RedisPort": "6379", **given})
    assert config.cache_node_size is None


def test_a_misspelt_parameter_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ParameterError, match=r"no parameter EventID\. Did you mean EventId\?"):
        reject_unknown({"EventID": "x", "@aws-cdk/core:flag": True, "plainCode": 1}, CoreConfig)


def test_the_functions_read_back_what_was_configured() -> None:
    config = CoreConfig.from_context(
        {
            "EventId": "Sale",
            "ValidityPeriod": 60,
            "QueuePositionExpiryPeriod": 61,
            "EnableQueuePositionExpiry": "false",
            "IncrSvcOnQueuePositionExpiry": "true",
            "EnableEventsGeneration": "true",
            "RequireClientSecret": "true",
        }
    )
    event = read_room_settings(config.settings).event("Sale")
    assert (event.validity_period, event.position_expiry_period) == (60, 61)
    assert (event.position_expiry_enabled, event.increment_on_expiry) == (False, True)
    assert (event.minute_metrics, event.client_secret_required) == (True, True)


@pytest.mark.parametrize(
    ("context", "others", "sentence"),
    [
        ({"ApiRate": "10000"}, 1, r"ApiRate \(10000\), PrivateApiRate .* AccountApiRate \(10000\)"),
        ({"PrivateApiBurst": "2000"}, 1, r"PrivateApiBurst \(2000\) .* AccountApiBurst \(5000\)"),
        ({"OtherApiRate": "2000"}, 3, r"3 times OtherApiRate \(2000\)"),
        ({"AccountApiRate": "1000"}, 0, r"must not be above AccountApiRate \(1000\)"),
    ],
)
def test_the_apis_fit_into_the_accounts_quota_together(
    context: dict[str, Any], others: int, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        CoreConfig.from_context(context).check_api_quota(others)


def test_by_default_every_stack_fits_into_the_quota_of_a_new_account() -> None:
    CoreConfig.from_context({}).check_api_quota(3)


def test_a_raised_quota_lets_more_through() -> None:
    raised = {"ApiRate": "20000", "AccountApiRate": "25000"}
    CoreConfig.from_context(raised).check_api_quota(3)


def test_the_set_up_reads_the_first_admission_of_the_event() -> None:
    values = {
        "AdmissionStrategy": "both", "TargetActive": "71", "TargetPerMinute": "72",
        "MinPerMinute": "3", "NoShowAfter": "60", "AdmissionAlarmName": "slow",
    }  # fmt: skip
    config = CoreConfig.from_context(values)
    env = {"EVENT_ID": "Sample", **config.settings, **config.first_admission}
    admission = read_room_settings(env).events[0].admission
    assert admission == FirstAdmission("both", 71, 72, 3, 60, "slow")
    defaults = CoreConfig.from_context({})
    env = {"EVENT_ID": "Sample", **defaults.settings, **defaults.first_admission}
    assert read_room_settings(env).events[0].admission == FirstAdmission()
