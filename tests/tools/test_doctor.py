# SPDX-License-Identifier: Apache-2.0
"""Checks of the account: each finding, its level, what to do, and nothing but read calls."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from deployment.account.context import ARGUMENTS
from deployment.capacity import quotas as capacity_quotas
from deployment.capacity.plan import Plan
from deployment.doctor.__main__ import AwsAccount, main
from deployment.doctor.checks import CHECKS
from deployment.doctor.needs import Needs
from deployment.doctor.results import IAM_ACTIONS, Level
from infrastructure.parameters.core import CoreConfig
from tests.support.servers import moto_server
from tests.tools import canned_account as canned
from tests.tools.canned_account import CannedAccount, failure

ROLE = "arn:aws:iam::123456789012:role/ApiLogs"
VPC = "-c VpcId=vpc-01234567 -c SubnetIds=subnet-01234567,subnet-01234568"
EXISTS = {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}


@pytest.fixture(autouse=True)
def default_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ARGUMENTS, "")


def check(
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any] | None = None,
    *options: str,
    account: Any = None,
) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Return the exit status, and the results by the name of the check."""
    code = main(["--json", "--visitors", "1000", *options], account or CannedAccount(changes))
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(capsys.readouterr().out)["results"]:
        found.setdefault(one["check"], []).append(one)
    return code, found


def test_an_account_that_is_ready_has_nothing_to_fix(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = check(capsys)
    levels = {name: {one["level"] for one in results} for name, results in found.items()}
    assert code == 0
    assert levels.pop("ElastiCache role") == {Level.WARNING}
    assert set().union(*levels.values()) == {Level.OK}
    assert found["Zones"][0]["sentence"] == (
        "The deployment can use the zones eu-central-1a (euc1-az2), eu-central-1b (euc1-az3)."
    )


# context, changed responses, check, sentence, action
MUST_FIX: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "",
        {"GetAccountSettings": canned.concurrency(10)},
        "Lambda concurrency",
        "The account has 10, and the parameter AccountConcurrency is 1000.",
        "Deploy with AccountConcurrency=10, or first: Request Service Quotas lambda L-B99A9384",
    ),
    (
        "-c WorkerReservedConcurrency=200",
        {"GetAccountSettings": canned.concurrency(1_000, 250)},
        "Lambda concurrency",
        "The parameters reserve 200 of the 250 concurrent executions that other functions leave; "
        "Lambda requires that 100 stay unreserved.",
        "Lower WorkerReservedConcurrency or OperatorsReservedConcurrency",
    ),
    (
        "-c CreateApiLogRole=false",
        {},
        "API Gateway log role",
        "The account has no CloudWatch role for API Gateway",
        "Deploy with CreateApiLogRole=true.",
    ),
    (
        "",
        {"DescribeStacks": {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}},
        "Stack",
        "The first deployment of the stack WaitingRoom failed, and it cannot be updated.",
        "aws cloudformation delete-stack --stack-name WaitingRoom",
    ),
    (
        "-c StackName=Sale",
        {"DescribeStacks": {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_FAILED"}]}},
        "Stack",
        "The rollback of an update of the stack Sale failed.",
        "aws cloudformation continue-update-rollback --stack-name Sale",
    ),
    (
        "-c StackName=Sale",
        {"DescribeStacks": {"Stacks": [{"StackStatus": "ROLLBACK_FAILED"}]}},
        "Stack",
        "The first deployment of the stack Sale failed, and not all of its resources were deleted.",
        "aws cloudformation delete-stack --stack-name Sale",
    ),
    (
        "-c StackName=Sale",
        {"DescribeStacks": {"Stacks": [{"StackStatus": "DELETE_FAILED"}]}},
        "Stack",
        "The removal of the stack Sale failed.",
        "aws cloudformation delete-stack --stack-name Sale",
    ),
    (
        "-c StackName=Sale",
        {"DescribeStacks": {"Stacks": [{"StackStatus": "UPDATE_FAILED"}]}},
        "Stack",
        "An update of the stack Sale failed, and it was not rolled back.",
        "aws cloudformation rollback-stack --stack-name Sale",
    ),
    (
        "-c StackName=Sale",
        {"DescribeStacks": {"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]}},
        "Stack",
        "The stack Sale has the status UPDATE_IN_PROGRESS, in which it cannot be updated.",
        "Wait for the end of the operation.",
    ),
    (
        "",
        {"GetParameter": failure("GetParameter", "ParameterNotFound")},
        "CDK",
        "CDK is not bootstrapped in this account and region.",
        "make bootstrap",
    ),
    (
        "",
        {"GetParameter": {"Parameter": {"Value": "5"}}},
        "CDK",
        "CDK's bootstrap stack has version 5; CDK needs 6.",
        "make bootstrap",
    ),
    (
        "",
        {"ListCachePolicies": [canned.policies(10, "next"), canned.policies(6)]},
        "CloudFront cache policies",
        "The account has 16 cache policies and the deployment adds 5; the quota is 20.",
        "Request Service Quotas cloudfront L-2: 21, in the region us-east-1.",
    ),
    (
        "",
        {"ListDistributions": canned.distributions(198)},
        "CloudFront distributions",
        "The account has 198 distributions and the deployment adds 3; the quota is 200.",
        "Request Service Quotas cloudfront L-1: 201",
    ),
    (
        "",
        {"DescribeVpcEndpointServices": canned.endpoints(without="eu-central-1b")},
        "Zones",
        "The zone eu-central-1b (euc1-az3) lacks: the endpoint com.amazonaws.eu-central-1."
        "secretsmanager.",
        "Deploy with AvailabilityZones=eu-central-1a,eu-central-1c.",
    ),
    (
        "",
        {
            "DescribeAvailabilityZones": {
                "AvailabilityZones": [
                    {"ZoneName": "eu-central-1a", "ZoneId": "use1-az3"},
                    {"ZoneName": "eu-central-1b", "ZoneId": "use1-az1"},
                ]
            }
        },
        "Zones",
        "The zone eu-central-1a (use1-az3) lacks: Lambda.",
        "Use another region, or a VPC of your own (VpcId and SubnetIds).",
    ),
    (
        "-c AvailabilityZones=eu-central-1a,eu-central-1f",
        {},
        "Zones",
        "The account has no available zone eu-central-1f.",
        "It has eu-central-1a, eu-central-1b, eu-central-1c.",
    ),
    (
        VPC,
        {
            "DescribeAvailabilityZones": {
                "AvailabilityZones": [{"ZoneName": "eu-central-1a", "ZoneId": "use1-az3"}]
            }
        },
        "Zones",
        "The zone eu-central-1a (use1-az3) lacks: Lambda.",
        "Name subnets in other zones in SubnetIds.",
    ),
    (
        "",
        {"DescribeVpcs": {"Vpcs": [{}] * 5}},
        "VPC",
        "The account has 5 VPCs in this region; the quota is 5.",
        "Request Service Quotas vpc L-3: 6, or deploy into a VPC of yours",
    ),
    (
        "",
        {"DescribeCacheClusters": {"CacheClusters": [{}] * 299}},
        "ElastiCache nodes",
        "The account has 299 nodes and the deployment adds 2; the quota is 300.",
        "Request Service Quotas elasticache L-4: 301.",
    ),
    (
        canned.RESTORED,
        {"DescribeTable": failure("DescribeTable", "ResourceNotFoundException")},
        "Restored tables",
        "There is no table old-QueuePositions, which RestoredTables names for QueuePositions.",
        "Correct the name",
    ),
    (
        canned.RESTORED,
        {"DescribeTable": partial(canned.restored_table, TableStatus="CREATING")},
        "Restored tables",
        "The table old-QueuePositions has the status CREATING.",
        "Wait until it is ACTIVE.",
    ),
    (
        canned.RESTORED,
        {"DescribeTable": partial(canned.restored_table, KeySchema=[])},
        "Restored tables",
        "The table old-QueuePositions does not have the keys or the index of QueuePositions.",
        "restore it with its indexes",
    ),
    (
        canned.RESTORED,
        {"DescribeTable": partial(canned.restored_table, GlobalSecondaryIndexes=[])},
        "Restored tables",
        "The table old-Tokens does not have the keys or the index of Tokens.",
        "restore it with its indexes",
    ),
    (
        canned.RESTORED,
        {"DescribeTable": partial(canned.restored_table, StreamSpecification={})},
        "Restored tables",
        "The stream of old-Tokens is not enabled with new images, or has another label.",
        "make restore TABLES=",
    ),
    (
        canned.RESTORED,
        {"DescribeTable": partial(canned.restored_table, LatestStreamLabel="2026")},
        "Restored tables",
        "The stream of old-Events is not enabled with new images, or has another label.",
        "make restore TABLES=",
    ),
]
GATE = "-c Stacks=core,gate"
WARNINGS: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        GATE,
        {
            "ListFunctions": [
                {"FunctionList": {"MaxItems": 90, "Quantity": 90, "NextMarker": "next"}},
                {"FunctionList": {"MaxItems": 90, "Quantity": 6}},
            ]
        },
        "CloudFront functions",
        "The account has 96 functions and the deployment adds up to 5; the default quota is 100.",
        "request more in the AWS Support Center",
    ),
    (
        GATE,
        {"ListKeyValueStores": {"KeyValueStoreList": {"MaxItems": 100, "Quantity": 50}}},
        "CloudFront key-value stores",
        "The account has 50 key-value stores and the deployment adds up to 1",
        "request more in the AWS Support Center",
    ),
    (
        GATE,
        {
            "ListVpcOrigins": {
                "VpcOriginList": {"MaxItems": 100, "Quantity": 25, "IsTruncated": False}
            }
        },
        "CloudFront VPC origins",
        "The account has 25 VPC origins and the deployment adds up to 1",
        "request more in the AWS Support Center",
    ),
    (
        "",
        {"ListDistributions": canned.distributions(0)},
        "CloudFront account",
        "AWS may require that a new account is verified, and no read call shows this.",
        'with "Your account must be verified before you can add new CloudFront resources"',
    ),
    (
        "",
        {"GetAccount": {"throttleSettings": {"rateLimit": 2_500.0, "burstLimit": 1_250}}},
        "API Gateway throttle",
        "The account has 2,500 requests/s and a burst of 1,250, less than AccountApiRate=10000",
        "Deploy with AccountApiRate=2500 and AccountApiBurst=1250",
    ),
    (
        "",
        {
            "GetAccount": {
                "throttleSettings": {"rateLimit": 10_000.0, "burstLimit": 5_000},
                "cloudwatchRoleArn": ROLE,
            }
        },
        "API Gateway log role",
        f"The account has the role {ROLE}; the deployment would replace it.",
        "Deploy with CreateApiLogRole=false",
    ),
    (
        "",
        {"DescribeReservedCacheNodesOfferings": {"ReservedCacheNodesOfferings": []}},
        "ElastiCache node type",
        "AWS lists no offering of cache.t4g.small in this region",
        "another RedisNodeType",
    ),
    (
        canned.RESTORED,
        {
            "DescribeTimeToLive": {
                "TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED", "AttributeName": ""}
            }
        },
        "Restored tables",
        "TTL of the table old-QueuePositions is not enabled on the attribute ttl: old rows are "
        "not deleted, and AWS charges for them.",
        "make restore TABLES=",
    ),
    (
        canned.RESTORED,
        {"DescribeContinuousBackups": canned.recovery("DISABLED")},
        "Restored tables",
        "The table old-QueuePositions has no point-in-time recovery.",
        "make restore TABLES=",
    ),
]


@pytest.mark.parametrize(
    ("level", "context", "changes", "name", "sentence", "action"),
    [
        *((Level.MUST_FIX, *one) for one in MUST_FIX),
        *((Level.WARNING, *one) for one in WARNINGS),
    ],
)
def test_a_problem_has_its_level_and_what_to_do(
    level: Level,
    context: str,
    changes: dict[str, Any],
    name: str,
    sentence: str,
    action: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(ARGUMENTS, context)
    code, found = check(capsys, changes)
    matching = [one for one in found[name] if one["level"] == level]
    (result,) = [one for one in matching if sentence in one["sentence"]]
    assert code == (1 if level is Level.MUST_FIX else 0)
    assert name == "Restored tables" or matching == [result]
    assert action in result["action"]


def test_restored_tables_that_are_ready_have_nothing_to_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, canned.RESTORED)
    code, found = check(capsys)
    assert code == 0
    (result,) = found["Restored tables"]
    assert result["level"] == Level.OK


def test_an_event_beyond_the_account_is_a_list_of_what_to_raise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needs = Needs.of(Plan(1_000_000), capacity_quotas.load()[2])
    context = "-c AccountConcurrency=500 -c AssignConcurrency=50"
    monkeypatch.setenv(ARGUMENTS, context)
    code, found = check(
        capsys, {"GetAccountSettings": canned.concurrency(500)}, "--visitors", "1000000"
    )
    assert code == 0, "an account below the needs of an event can be deployed to"
    actions = {
        name: one["action"]
        for name, results in found.items()
        for one in results
        if one["level"] == Level.WARNING
    }
    assert f"(Concurrent executions): {needs.concurrency:,}" in actions["Lambda concurrency"]
    assert f"AccountConcurrency={needs.concurrency}" in actions["Lambda concurrency"]
    workers = f"Deploy with AssignConcurrency={needs.join_workers}."
    assert actions["Join workers"].startswith(workers)
    assert f"ApiRate={needs.api_rate}" in actions["API Gateway throttle"]
    assert "L-8A5B8E43 (Throttle rate)" in actions["API Gateway throttle"]
    assert f"make warm WRITES={needs.table_writes}" in actions["DynamoDB writes"]


@pytest.mark.parametrize(
    ("context", "advised"),
    [
        ("-c AssignConcurrency=2", 11),  # ten calls of the join worker by each poller
        ("-c AssignConcurrency=2 -c AccountConcurrency=100", 10),
        ("-c AssignConcurrency=2 -c AccountConcurrency=10", None),
    ],
)
def test_the_pollers_that_are_advised_are_accepted_as_a_parameter(
    context: str,
    advised: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(ARGUMENTS, context)
    _, found = check(capsys, {}, "--visitors", "1000000")
    (result,) = found["Join workers"]
    given = re.search(r"JoinPollers=(\d+)", result["action"])
    assert (int(given[1]) if given else None) == advised
    if given:
        values = {"AccountConcurrency": context.partition("AccountConcurrency=")[2] or "1000"}
        CoreConfig.from_context({**values, "JoinPollers": given[1]})


def test_a_room_without_a_vpc_needs_no_zones_and_no_cache(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, "-c Profile=serverless")
    account = CannedAccount()
    code, found = check(capsys, account=account)
    assert code == 0
    assert not {"Zones", "VPC", "ElastiCache node type", "ElastiCache role"} & set(found)
    assert not {"DescribeAvailabilityZones", "DescribeVpcs", "GetRole"} & set(account.calls)


def test_a_deployed_stack_needs_no_room_for_what_it_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, "-c WorkerReservedConcurrency=200")
    full = {
        "DescribeStacks": EXISTS,
        "DescribeVpcs": {"Vpcs": [{}] * 5},
        "ListCachePolicies": canned.policies(20),
        "ListDistributions": canned.distributions(200),
        "DescribeCacheClusters": {"CacheClusters": [{}] * 300},
        "GetAccountSettings": canned.concurrency(1_000, 100),
    }
    code, found = check(capsys, full)
    assert code == 0
    assert "VPC" not in found


@pytest.mark.parametrize("operation", sorted(set(IAM_ACTIONS) - {"GetCallerIdentity"}))
def test_a_missing_permission_is_a_check_not_made_with_the_name_of_the_action(
    operation: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if operation == "DescribeSubnets":
        monkeypatch.setenv(ARGUMENTS, VPC)
    elif operation in ("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"):
        monkeypatch.setenv(ARGUMENTS, canned.RESTORED)
    elif operation in ("ListKeyValueStores", "ListVpcOrigins"):
        monkeypatch.setenv(ARGUMENTS, GATE)
    code, found = check(capsys, {operation: failure(operation, "AccessDeniedException")})
    missing = [
        one for results in found.values() for one in results if one["level"] == Level.NOT_CHECKED
    ]
    assert code == 0
    assert {one["sentence"] for one in missing} == {
        f"This needs the IAM action {IAM_ACTIONS[operation]}, which the credentials do not have."
    }
    assert {one["check"] for one in missing} == {
        one.name for one in CHECKS if operation in one.calls
    }


def test_a_service_that_does_not_respond_is_a_check_not_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    down = EndpointConnectionError(endpoint_url="https://lambda.example")
    code, found = check(capsys, {"GetAccountSettings": down})
    (result,) = found["Lambda concurrency"]
    assert code == 0
    assert result["level"] == Level.NOT_CHECKED
    assert "AWS did not respond" in result["sentence"]


@pytest.mark.parametrize("context", ["", VPC, canned.RESTORED, GATE])
def test_each_check_calls_the_operations_of_its_row_and_only_reads(
    context: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ARGUMENTS, context)
    account = CannedAccount()
    check(capsys, account=account)
    declared = {call for one in CHECKS for call in one.calls}
    assert set(account.calls) <= declared | {"GetCallerIdentity"}
    assert declared | {"GetCallerIdentity"} == set(IAM_ACTIONS)
    assert all(call.startswith(("Get", "List", "Describe")) for call in IAM_ACTIONS)


def test_before_a_deployment_only_what_must_be_fixed_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--before-deployment"], CannedAccount()) == 0
    assert capsys.readouterr() == ("", "")
    small = CannedAccount({"GetAccountSettings": canned.concurrency(10)})
    assert main(["--before-deployment"], small) == 1
    printed = capsys.readouterr()
    levels = [line.split("  ")[0] for line in printed.out.splitlines()]
    assert levels.count("must fix") == 1
    assert "warning" not in levels
    assert "Nothing was deployed. SKIP_DOCTOR=1" in printed.err


def test_the_report_begins_with_what_must_be_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--visitors", "1000"], CannedAccount({"DescribeVpcs": {"Vpcs": [{}] * 5}}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Account 123456789012, region eu-central-1, stack WaitingRoom"
    assert lines[1].startswith("1,000 visitors: ")
    assert lines[2].startswith("must fix     VPC: The account has 5 VPCs")
    assert lines[-1].startswith("1 must fix, 1 warning, ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("-c ValidityPeriod=0", "The parameter ValidityPeriod must be between 1 and 86400"),
        ("-c Stacks=none", "The parameter Stacks"),
        ("-c EventId", "-c needs NAME=VALUE"),
        ("-c EventID2=Sale", "There is no parameter EventID2. Did you mean EventI"),
        ("-c profile=cheap", "There is no parameter profile. Did you mean Profile?"),
    ],
)
def test_a_parameter_that_cannot_work_ends_the_checks_before_the_first_call(
    arguments: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(ARGUMENTS, arguments)
    account = CannedAccount()
    assert main([], account) == 2
    assert account.calls == []
    assert capsys.readouterr().err.startswith(line)


def test_no_visitors_are_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--visitors", "0"], CannedAccount()) == 2
    assert "visitors" in capsys.readouterr().err


def test_credentials_that_aws_rejects_end_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    rejected = failure("GetCallerIdentity", "ExpiredToken", "The token has expired")
    assert main([], CannedAccount({"GetCallerIdentity": rejected})) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The credentials of AWS cannot be used: ")
    assert "The token has expired" in line


def test_a_region_that_is_not_set_ends_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], CannedAccount(region="")) == 2
    assert capsys.readouterr().err == "The AWS region is not set: set AWS_REGION.\n"


def test_the_checks_run_against_an_emulator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the emulator does not have is not checked; what it has is checked by real calls."""
    with moto_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        code, found = check(capsys, account=AwsAccount())
    assert code == 1, "CDK is not bootstrapped there"
    assert found["CDK"][0]["level"] == Level.MUST_FIX
    assert found["Stack"][0]["sentence"] == "The stack WaitingRoom does not exist yet."
    assert "DynamoDB writes" in found
