# SPDX-License-Identifier: Apache-2.0
"""Restored tables: their parameter, what the command enables, and which positions it reserves."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from deployment.account import restore
from deployment.account.context import ARGUMENTS
from deployment.account.table_names import TablesMissing, names_in_use
from infrastructure.blueprint.resources import COUNTERS, TABLES
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.restored import RestoredConfig, RestoredTable, digest
from tests.support import servers
from tests.tools.test_warm_command import EVERY_TABLE

LABEL = "2026-11-30T10:00:00.000"
ALL = f"QueuePositions=a-q,Tokens=a-t@{LABEL},ServingLog=a-s,Events=a-e@{LABEL}"
AT = datetime(2026, 11, 30, 10, 0, 0, tzinfo=UTC)


def tables(value: str, *, serverless: bool = False) -> dict[str, RestoredTable]:
    return RestoredConfig.from_context({"RestoredTables": value}).of(serverless=serverless)


def test_by_default_a_room_uses_the_tables_of_its_stack() -> None:
    assert RestoredConfig.from_context({}).of(serverless=True) == {}
    assert digest({}) == ""


def test_the_parameter_names_each_table_and_its_stream() -> None:
    found = tables(ALL)
    assert list(found) == [one.name for one in TABLES]
    assert found["Tokens"] == RestoredTable(name="a-t", stream=LABEL)
    assert found["ServingLog"] == RestoredTable(name="a-s")
    assert tables(f"{ALL},Counters=a-c", serverless=True)["Counters"].name == "a-c"


def test_other_tables_have_another_digest_and_other_streams_have_not() -> None:
    one = digest(tables(ALL))
    assert one.isalnum()
    assert digest(tables(ALL.replace("a-s", "b-s"))) != one
    assert digest(tables(ALL.replace("10:00", "11:00"))) == one


@pytest.mark.parametrize(
    ("value", "serverless", "sentence"),
    [
        (ALL.replace(",ServingLog=a-s", ""), False, "must name ServingLog too"),
        (ALL, True, "must name Counters too"),
        (f"{ALL},Counters=a-c", False, "must not name Counters: the tables of this profile are"),
        (f"{ALL},Codes=a-c", False, "must not name Codes: the tables are QueuePositions, Tokens"),
        (ALL.replace(f"a-t@{LABEL}", "a-t"), False, "must give the label of the stream of Tokens"),
        (ALL.replace("a-s", f"a-s@{LABEL}"), False, "must not give a stream of ServingLog"),
        (f"{ALL},Events=b-e@{LABEL}", False, "must name Events only once"),
        (ALL.replace("a-s", "a-q"), False, "must not give the name a-q to two tables"),
        ("prefix-", False, "must be Table=name or Table=name@label-of-its-stream"),
        (ALL.replace(LABEL, "today"), False, "must be Table=name or Table=name@label"),
    ],
)
def test_a_parameter_that_cannot_work_is_rejected_by_the_name_of_the_table(
    value: str, serverless: bool, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=f"The parameter RestoredTables {sentence}"):
        tables(value, serverless=serverless)


def test_the_tables_in_use_are_the_restored_ones_or_those_of_the_stack() -> None:
    assert names_in_use(EVERY_TABLE, "Room", TABLES, {})["Events"] == "Room-Events"
    assert names_in_use(EVERY_TABLE, "Room", TABLES, tables(ALL))["Events"] == "a-e"
    with pytest.raises(TablesMissing, match="The stack Room does not have the tables"):
        names_in_use(EVERY_TABLE, "Room", (*TABLES, COUNTERS), {})


def test_restored_tables_get_what_the_room_needs(moto_url: str) -> None:
    """The emulator copies rows, keys and indexes of a table, and ignores the time."""
    client = servers.aws_client("dynamodb", moto_url)
    stack = f"r{uuid.uuid4().hex[:8]}"
    used = {one.name: f"{stack}-{one.name}" for one in TABLES}
    for one in TABLES:
        servers.create_table(client, one, used[one.name])
    names = restore.restore(client, used, stack, AT)
    assert names["Tokens"] == f"{stack}-Tokens-20261130100000"
    assert restore.restore(client, used, stack, AT) == names, "a repeated command continues"
    labels = restore.prepare(client, TABLES, names, protected=True)
    assert restore.prepare(client, TABLES, names, protected=True) == labels
    value = restore.parameter(TABLES, names, labels)
    assert {part: one.name for part, one in tables(value).items()} == names
    for one in TABLES:
        name = names[one.name]
        found = client.describe_table(TableName=name)["Table"]
        assert found["DeletionProtectionEnabled"]
        assert found.get("StreamSpecification") == (restore.STREAM if one.stream else None)
        assert found.get("LatestStreamLabel") == labels.get(one.name)
        ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
        backups = client.describe_continuous_backups(TableName=name)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    swapped = {**names, "Tokens": names["Events"]}
    with pytest.raises(restore.RestoreError, match="does not have the keys of Tokens"):
        restore.prepare(client, TABLES, swapped, protected=False)


def test_a_table_that_is_being_created_is_waited_for() -> None:
    class Creating:
        """A table that is active at the third look."""

        looks = 0

        def describe_table(self, TableName: str) -> dict[str, Any]:
            self.looks += 1
            status = "ACTIVE" if self.looks == 3 else "CREATING"
            return {"Table": {"TableName": TableName, "TableStatus": status}}

    pauses: list[float] = []
    found = restore._active(Creating(), "a", pauses.append)
    assert found["TableStatus"] == "ACTIVE"
    assert pauses == [restore.PAUSE] * 2


@pytest.mark.parametrize(
    ("arguments", "context", "line"),
    [
        (["--at", "now"], "", "--at must be a time such as 2026-01-31T12:00:00, not now."),
        (["--tables", "Tokens=a"], "", "--tables must name QueuePositions, Tokens, ServingLog"),
        (["--at", "now"], "-c RestoredTables=Tokens=abc", "The parameter RestoredTables must name"),
    ],
)
def test_a_command_that_cannot_work_ends_with_one_line(
    arguments: list[str],
    context: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv(ARGUMENTS, context)
    monkeypatch.setattr(restore, "names_in_use", lambda *_: {})
    assert restore.main(arguments) == 2
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"The tables cannot be restored: {line}")
