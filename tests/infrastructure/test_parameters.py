# SPDX-License-Identifier: Apache-2.0
"""Parameters: the contract's names and defaults, and a clear sentence for each mistake."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.blueprint.resources import JOINS
from infrastructure.parameters.core import REDIS_ONLY, CoreConfig
from infrastructure.parameters.optional_stacks import PARAMETERS
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
            {"WorkerReservedConcurrency": "50", "AssignConcurrency": "100"},
            r"AssignConcurrency \(100\) must not be above WorkerReservedConcurrency",
        ),
        (
            {"WorkerReservedConcurrency": "1"},
            r"AssignConcurrency \(2\) must not be above WorkerReservedConcurrency",
        ),
        ({"AssignConcurrency": "1"}, "AssignConcurrency must be 0 or at least 2"),
        (
            {"AssignConcurrency": "11", "AccountConcurrency": "10"},
            r"AssignConcurrency \(11\) must not be above AccountConcurrency \(10\)",
        ),
        (
            {"WorkerReservedConcurrency": "2", "AccountConcurrency": "10"},
            r"reserve 2 of AccountConcurrency \(10\); Lambda requires that 100 stay unreserved",
        ),
        ({"OperatorsReservedConcurrency": "50"}, r"reserve \d+ of AccountConcurrency \(1000\)"),
        ({"JoinPollers": "1"}, "JoinPollers must be 0 or at least 2"),
        ({"MaxJoinPollers": "5"}, "The parameter MaxJoinPollers needs JoinPollers"),
        (
            {"JoinPollers": "5", "MaxJoinPollers": "4"},
            "MaxJoinPollers must not be below JoinPollers",
        ),
        (
            {"JoinPollers": "5", "AssignConcurrency": "50"},
            "The parameters JoinPollers and AssignConcurrency exclude each other",
        ),
        (
            {"JoinPollers": "2", "AccountConcurrency": "10"},
            r"up to 20 times at once, more than the parameter AccountConcurrency \(10\)",
        ),
        (
            {"JoinPollers": "5", "MaxJoinPollers": "20", "WorkerReservedConcurrency": "199"},
            r"up to 200 times at once, more than the parameter WorkerReservedConcurrency \(199\)",
        ),
        ({"AccountConcurrency": "9"}, "AccountConcurrency must be between 10 and 1000000"),
        ({"AvailabilityZones": "a"}, "The parameter AvailabilityZones must be names of zones"),
        ({"AvailabilityZones": "eu-central-1a"}, "AvailabilityZones must name two zones"),
        (
            {"AvailabilityZones": "eu-central-1a,eu-central-1a"},
            "AvailabilityZones must name two zones",
        ),
        (
            {
                "AvailabilityZones": "eu-central-1a,eu-central-1b",
                "VpcId": "vpc-01234567",
                "SubnetIds": "subnet-01234567,subnet-01234568",
            },
            "The parameters AvailabilityZones and VpcId exclude each other",
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
        ("AvailabilityZones", "eu-central-1a,eu-central-1b"),
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


@given(account=st.integers(10, 20_000), assign=st.integers(0, 1_000), worker=st.integers(0, 20_000))
def test_an_accepted_concurrency_is_one_that_lambda_accepts_and_does_not_throttle(
    account: int, assign: int, worker: int
) -> None:
    try:
        config = CoreConfig(
            account_concurrency=account,
            assign_concurrency=assign,
            worker_reserved_concurrency=worker,
        )
    except ParameterError:
        assert assign or worker, "the defaults suit every account"
        return
    assert 2 <= config.join_workers <= min(1_000, account)
    assert config.join_workers == assign or config.join_workers <= max(2, account // 5)
    assert not worker or config.join_workers <= worker <= account - 100


@pytest.mark.parametrize(("account", "workers"), [(10, 2), (50, 10), (500, 100), (1_000, 100)])
def test_join_workers_get_a_fifth_of_the_account(account: int, workers: int) -> None:
    assert CoreConfig(account_concurrency=account).join_workers == workers


def test_throttling_moves_a_join_to_the_dead_letter_queue_after_a_day_and_before_its_end() -> None:
    """A throttled batch is received once in each visibility timeout."""
    assert 86_400 <= JOINS.max_receive_count * JOINS.visibility_timeout < JOINS.retention
    assert JOINS.max_receive_count <= 1_000, "the limit of SQS"


def test_a_misspelt_parameter_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ParameterError, match=r"no parameter EventID\. Did you mean EventId\?"):
        reject_unknown({"EventID": "x", "@aws-cdk/core:flag": True, "plainCode": 1}, CoreConfig)


@pytest.mark.parametrize("given", ["eventId", "eventid", "EVENTID"])
def test_a_parameter_in_other_letters_is_refused(given: str) -> None:
    with pytest.raises(ParameterError, match=rf"no parameter {given}\. Did you mean EventId\?"):
        reject_unknown({given: "x"}, CoreConfig, *PARAMETERS)


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
