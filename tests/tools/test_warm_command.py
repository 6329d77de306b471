# SPDX-License-Identifier: Apache-2.0
"""Pre-warming of tables: requests only higher values, and never a lower one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from deployment.account import warm
from deployment.account.context import ARGUMENTS, read_context
from infrastructure.parameters.parameter import ParameterError
from tests.support.servers import aws_client, moto_server

UNITS = st.integers(min_value=1, max_value=50_000)
INDEX = "ByPosition"


def client(service: str) -> Any:
    session: Any = Session()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return session.create_client(service, region_name="eu-central-1", **keys)


def units(reads: int, writes: int) -> dict[str, int]:
    return {"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes}


class Table:
    """A DynamoDB table that rejects a lower value, as DynamoDB does."""

    def __init__(self, table: tuple[int, int], index: tuple[int, int]) -> None:
        self.table, self.index, self.requests = units(*table), units(*index), 0

    def describe_table(self, TableName: str) -> dict[str, Any]:
        index = {"IndexName": INDEX, "WarmThroughput": dict(self.index)}
        return {
            "Table": {
                "TableName": TableName,
                "WarmThroughput": dict(self.table),
                "GlobalSecondaryIndexes": [index],
            }
        }

    def update_table(
        self,
        TableName: str,
        WarmThroughput: dict[str, int] | None = None,
        GlobalSecondaryIndexUpdates: list[dict[str, Any]] | None = None,
    ) -> None:
        assert WarmThroughput or GlobalSecondaryIndexUpdates
        self.requests += 1
        if WarmThroughput:
            self.table = self._higher(self.table, WarmThroughput)
        for one in GlobalSecondaryIndexUpdates or ():
            assert one["Update"]["IndexName"] == INDEX
            self.index = self._higher(self.index, one["Update"]["WarmThroughput"])

    @staticmethod
    def _higher(before: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
        assert all(wanted[name] >= before[name] for name in before), "decreasing is not supported"
        assert wanted != before, "DynamoDB would reject a request without a change"
        return wanted


class Resources:
    """CloudFormation's list of the tables of a stack."""

    def __init__(self, *tables: str) -> None:
        self._tables = tables

    def get_paginator(self, name: str) -> Resources:
        assert name == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:
        return [
            {
                "StackResourceSummaries": [
                    {
                        "ResourceType": "AWS::DynamoDB::Table",
                        "LogicalResourceId": f"Tables{name}1A2B3C4D",
                        "PhysicalResourceId": f"{StackName}-{name}",
                    }
                ]
            }
            for name in self._tables
        ]


EVERY_TABLE = Resources("Tokens", "Events", "QueuePositions", "ServingLog")


@given(table=st.tuples(UNITS, UNITS), index=st.tuples(UNITS, UNITS), writes=UNITS)
def test_values_rise_to_the_request_and_never_fall(
    table: tuple[int, int], index: tuple[int, int], writes: int
) -> None:
    room = Table(table, index)
    one, _ = warm.warm(EVERY_TABLE, room, "Room", writes)
    assert room.table == units(table[0], max(table[1], writes))
    assert room.index == units(index[0], max(index[1], writes))
    assert one.before == min(table[1], index[1])
    assert one.changed == (room.requests > 0)
    again = warm.warm(EVERY_TABLE, room, "Room", writes)
    assert not any(one.changed for one in again), "a second run requests nothing"


def test_only_tables_with_a_row_per_join_are_warmed() -> None:
    assert warm.tables_of(EVERY_TABLE, "Room") == ["Room-QueuePositions", "Room-Tokens"]
    with pytest.raises(warm.WarmError, match="The stack Room does not have the tables"):
        warm.tables_of(Resources("QueuePositions"), "Room")


def test_the_request_is_the_one_of_dynamodb() -> None:
    """botocore checks names and types of the request."""
    dynamodb = client("dynamodb")
    described = {
        "TableName": "Positions",
        "GlobalSecondaryIndexes": [{"IndexName": INDEX, "WarmThroughput": units(12_000, 4_000)}],
    }
    with Stubber(dynamodb) as stub:
        stub.add_response("describe_table", {"Table": described}, {"TableName": "Positions"})
        change = {"Update": {"IndexName": INDEX, "WarmThroughput": units(12_000, 20_000)}}
        stub.add_response(
            "update_table",
            {"TableDescription": described},
            {
                "TableName": "Positions",
                "WarmThroughput": units(12_000, 20_000),
                "GlobalSecondaryIndexUpdates": [change],
            },
        )
        assert warm._raise(dynamodb, "Positions", 20_000) == warm.Warmed("Positions", 4_000, 20_000)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("given_arguments", ["", "-c WarmWriteUnits=0", "-c WarmWriteUnits=4000"])
def test_a_deployment_without_warm_writes_makes_no_request(
    given_arguments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ARGUMENTS, given_arguments)
    monkeypatch.setattr(warm, "new_session", None)
    assert warm.main([]) == 0


@pytest.mark.parametrize("writes", ["4000", "-1", "1000001"])
def test_writes_outside_the_limits_are_rejected(
    writes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        warm.main(["--writes", writes])
    assert "--writes must be above 4000" in capsys.readouterr().err


def test_a_stack_that_does_not_exist_ends_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with moto_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            ARGUMENTS: "-c StackName=Missing -c WarmWriteUnits=20000",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        topic = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
        aws_client("cloudformation", url).create_stack(StackName="Other", TemplateBody=topic)
        assert warm.main([]) == 2
        assert warm.main(["--stack", "Other"]) == 2
    missing, other = capsys.readouterr().err.splitlines()
    assert missing.startswith("The tables cannot be pre-warmed: ")
    assert "Missing" in missing
    assert other.endswith("The stack Other does not have the tables: name the core stack.")


@pytest.mark.parametrize(
    "arguments",
    [
        '-c A=1 -c \'B={"name": "x y"}\' --profile sale',
        '--context A=1 --profile=sale --context \'B={"name": "x y"}\' --require-approval never',
        '-cA=1 --context=\'B={"name": "x y"}\' --all --profile sale',
    ],
)
def test_the_context_is_read_as_cdk_reads_it(arguments: str, tmp_path: Path) -> None:
    file = tmp_path / "cdk.json"
    file.write_text('{"context": {"A": "0", "C": "kept"}}')
    found = read_context(arguments, file)
    assert found.values == {"A": "1", "B": '{"name": "x y"}', "C": "kept"}
    assert found.profile == "sale"


def test_a_pair_without_a_value_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text("{}")
    with pytest.raises(ParameterError, match="-c needs NAME=VALUE, not 'EventId'"):
        read_context("-c EventId", tmp_path / "cdk.json")
