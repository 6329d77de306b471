# SPDX-License-Identifier: Apache-2.0
"""Restore the tables of a room to a second: ``python -m deployment.account.restore --at TIME``.

Point-in-time recovery creates new tables. They have no stream, no time to live and no recovery of
their own: this command enables what the room needs, and prints the parameter RestoredTables. With
``--tables`` it prepares tables that AWS Backup restored. It changes no table that the room uses.

Positions that were assigned after the restored second must not be assigned again. The command reads
the last position of each event in the tables that the room uses now, and reserves the positions up
to it in the restored tables. They stay unused.

A repeated command continues. Parameters are in cdk.json and, for CDK, in the environment variable
DEPLOYMENT_ARGS, which ``make`` sets to CDK_ARGS.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployment.account.context import ARGUMENTS, read_context
from deployment.account.table_names import TablesMissing, names_in_use
from infrastructure.blueprint.resources import EVENTS, POSITIONS, SERVING_LOG, Table
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.restored import RestoredConfig, tables_of
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.adapters.dynamodb.items import SHARDS, number
from waiting_room.adapters.dynamodb.serving_log import STATE, DynamoServingLog
from waiting_room.adapters.operator_access import new_session
from waiting_room.domain.errors import Unavailable

PAUSE = 10  # s between two reads of a table that is being created
MOST_NAME = 255  # characters of a table's name
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
Names = Mapping[str, str]  # names of tables by the names of the room's tables


class RestoreError(Exception):
    """The tables cannot be restored; the message states the reason."""


@dataclass(frozen=True)
class Advanced:
    """The last position of an event in the restored tables, and the one after the change."""

    event_id: str
    before: int
    after: int


def restore(client: Any, used: Names, stack: str, at: datetime) -> dict[str, str]:
    """Begin to restore each table to a time; return the names of the new tables.

    A table that exists already is not restored again. Raises errors of botocore.
    """
    suffix = f"-{at:%Y%m%d%H%M%S}"
    names = {}
    for part, source in used.items():
        room = f"{stack}-{part}"[: MOST_NAME - len(suffix)]
        names[part] = f"{room}{suffix}"
        try:
            client.restore_table_to_point_in_time(
                SourceTableName=source, TargetTableName=names[part], RestoreDateTime=at
            )
        except client.exceptions.TableAlreadyExistsException:
            continue
    return names


def prepare(
    client: Any,
    tables: Sequence[Table],
    names: Names,
    protected: bool,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Enable stream, time to live and recovery of restored tables; return labels of streams.

    Waits for tables that are being created. ``protected`` rejects their deletion. Raises
    RestoreError for a table with other keys.
    """
    labels = {}
    for table in tables:
        name = names[table.name]
        found = _active(client, name, pause)
        if found["KeySchema"] != key_schema(table):
            raise RestoreError(f"{name} does not have the keys of {table.name}.")
        change: dict[str, Any] = {}
        if protected and not found.get("DeletionProtectionEnabled"):
            change["DeletionProtectionEnabled"] = True
        if table.stream and not found.get("StreamSpecification", {}).get("StreamEnabled"):
            change["StreamSpecification"] = STREAM
        if change:
            client.update_table(TableName=name, **change)
            found = _active(client, name, pause)
        _enable_ttl(client, table, name)
        client.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        if table.stream:
            labels[table.name] = found["LatestStreamLabel"]
    return labels


def key_schema(table: Table) -> list[dict[str, str]]:
    """Return the keys of a table as DynamoDB describes them."""
    keys = [{"AttributeName": table.partition_key[0], "KeyType": "HASH"}]
    if table.sort_key:
        keys.append({"AttributeName": table.sort_key[0], "KeyType": "RANGE"})
    return keys


def advance(client: Any, single: Any, restored: Names, used: Names) -> list[Advanced]:
    """Reserve the positions that were assigned after the restored second; announce the gates.

    ``single`` is a client without retries. Only positions of the generation that is current in the
    restored tables count. Raises Unavailable.
    """
    log = DynamoServingLog(client, single, restored[SERVING_LOG.name])
    events = DynamoEvents(client, restored[EVENTS.name])
    done = []
    for event_id in sorted(events.registry(consistent=True)):
        state = log.read(event_id)
        known = [
            _last_row(client, names[POSITIONS.name], event_id, state.generation)
            for names in (restored, used)
        ]
        before = _state(client, used[SERVING_LOG.name], event_id)
        if number(before, "generation") == state.generation:
            known.append(number(before, "queue"))
        last = max(state.queue, *known)
        if last > state.queue:
            log.reserve(event_id, last - state.queue, state)
        done.append(Advanced(event_id, state.queue, last))
    events.announce_gates()  # the store of the gate is written after the deployment
    return done


def _state(client: Any, table: str, event_id: str) -> dict[str, Any]:
    """Return the state row of an event; empty if there is none, which is not changed."""
    key = {"event_id": {"S": event_id}, "entry": {"S": STATE}}
    found: dict[str, Any] = client.get_item(TableName=table, Key=key, ConsistentRead=True)
    return dict(found.get("Item", {}))


def _last_row(client: Any, table: str, event_id: str, generation: int) -> int:
    """Return the highest position with a row; 0 without rows."""
    assert POSITIONS.index
    highest = 0
    for shard in range(SHARDS):
        rows = client.query(
            TableName=table,
            IndexName=POSITIONS.index.name,
            KeyConditionExpression="#shard = :shard",
            ExpressionAttributeNames={"#shard": POSITIONS.index.partition_key},
            ExpressionAttributeValues={":shard": {"S": f"{event_id}#{generation}#{shard}"}},
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        highest = max([highest, *(number(row, POSITIONS.index.sort_key) for row in rows)])
    return highest


def _active(client: Any, name: str, pause: Callable[[float], None]) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        if found["TableStatus"] == "ACTIVE":
            return found
        pause(PAUSE)


def _enable_ttl(client: Any, table: Table, name: str) -> None:
    status = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if status["TimeToLiveStatus"] in ("DISABLED", "DISABLING"):
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl},
        )


def parameter(tables: Sequence[Table], names: Names, labels: Names) -> str:
    """Return the value of the parameter RestoredTables."""
    return ",".join(
        f"{one.name}={names[one.name]}" + (f"@{labels[one.name]}" if one.stream else "")
        for one in tables
    )


def main(given: Sequence[str]) -> int:
    """Restore, prepare, print the parameter; return 2 if that is not possible."""
    parser = argparse.ArgumentParser(prog="restore", description="Restore the tables of a room.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--at", help="time in UTC, such as 2026-01-31T12:00:00")
    what.add_argument(
        "--tables", help="restored tables, such as QueuePositions=a,Tokens=b,ServingLog=c,Events=d"
    )
    asked = parser.parse_args(given)
    try:
        context = read_context(os.environ.get(ARGUMENTS, ""))
        config = CoreConfig.from_context(context.values)
        tables = tables_of(serverless=config.serverless)
        session = new_session(context.profile or None)
        client = session.create_client("dynamodb")
        used = names_in_use(
            session.create_client("cloudformation"),
            config.stack_name,
            tables,
            RestoredConfig.from_context(context.values).of(serverless=config.serverless),
        )
        names = (
            restore(client, used, config.stack_name, _time(asked.at))
            if asked.at
            else _given(asked.tables, tables)
        )
        labels = prepare(client, tables, names, config.deletion_protection)
        single = session.create_client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
        lines = list(_lines(advance(client, single, names, used)))
    except (
        ParameterError,
        RestoreError,
        TablesMissing,
        Unavailable,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"The tables cannot be restored: {error}", file=sys.stderr)
        return 2
    print("\n".join([*lines, f"RestoredTables={parameter(tables, names, labels)}"]))
    return 0


def _lines(advanced: Sequence[Advanced]) -> Iterator[str]:
    for one in advanced:
        unused = one.after - one.before
        yield (
            f"{one.event_id}: the last position is {one.before}"
            + (f"; {unused} later ones stay unused" if unused else "")
        )


def _time(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise RestoreError(
            f"--at must be a time such as 2026-01-31T12:00:00, not {value}."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _given(value: str, tables: Sequence[Table]) -> dict[str, str]:
    parts = [one.partition("=") for one in value.split(",")]
    names = {part: name.partition("@")[0] for part, _, name in parts}
    if sorted(names) != sorted(one.name for one in tables):
        wanted = ", ".join(one.name for one in tables)
        raise RestoreError(f"--tables must name {wanted}, each as Table=name.")
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
