# SPDX-License-Identifier: Apache-2.0
"""The state row has at most 1 kB, whatever it contains: each write costs one unit."""

from __future__ import annotations

import math
import uuid
from dataclasses import fields, replace
from typing import Any

from tests.support import servers
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.dynamodb.straight_through import DynamoStraightThrough
from waiting_room.domain.actors import LONGEST_SHORT, Actor, ActorKind
from waiting_room.domain.limits import MAX_MESSAGE, MAX_UNUSED_POSITIONS
from waiting_room.domain.ports.serving_log import SLOTS, Attempt
from waiting_room.domain.records import EventState, ServingMove
from waiting_room.domain.reset import MAX_GENERATION
from waiting_room.use_cases.position_assignment import attempt_token

LARGEST = MAX_GENERATION - 1  # no number of the room has more digits
REASON = "r" * 16  # longer than each reason in the code
WRITE_UNIT = 1024  # bytes


def size(item: dict[str, dict[str, Any]]) -> int:
    """Bytes of an item as DynamoDB counts them: names, texts in UTF-8, digits in pairs."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    assert kind == "N", "the row has texts and numbers only"
    digits = content.replace(".", "").strip("-0")
    return math.ceil(len(digits) / 2) + 1 + content.startswith("-")


def write_largest_row(client: Any, table: str, event_id: str) -> dict[str, Any]:
    """Write every attribute of a state row with its largest value; return the row."""
    log = DynamoServingLog(client, client, table)
    actor = Actor(max(ActorKind, key=len), "w" * 2 * LONGEST_SHORT)
    numbers = {field.name: LARGEST for field in fields(EventState) if field.type == "int"}
    move = ServingMove(LARGEST, LARGEST, LARGEST, LARGEST, REASON, actor.mark(), actor.short)
    numbers["version"] = LARGEST - 1
    largest = EventState(event_id, **numbers, reset_at=1_234_567_890.123456)  # type: ignore[arg-type]
    log.reset(log.read(event_id), replace(largest, queue=0))
    known = log.read(event_id)
    for slot in range(SLOTS):
        count = LARGEST if slot == 0 else 0
        log.reserve(event_id, count, known, Attempt(slot, attempt_token()))
    log.write(largest, replace(largest, version=LARGEST, move=move))
    straight = DynamoStraightThrough(client, client, table)
    straight.set_line(event_id, LARGEST, 9_999_999_999, 10)
    straight.shut(event_id, 9_999_999_999_999_999)
    log.set_message(event_id, LARGEST, "\U0001f39f" * MAX_MESSAGE, 1.0)
    log.add_unused_positions(event_id, LARGEST, range(LARGEST - MAX_UNUSED_POSITIONS, LARGEST))
    key = {"event_id": {"S": event_id}, "entry": {"S": "state"}}
    row: dict[str, Any] = client.get_item(TableName=table, Key=key)["Item"]
    return row


def test_the_largest_state_row_has_at_most_1_kb(moto_url: str) -> None:
    client = servers.aws_client("dynamodb", moto_url)
    table = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")["SERVING_LOG_TABLE"]
    row = write_largest_row(client, table, "E" * 64)
    assert row["queue"] == {"N": str(LARGEST)}
    assert row["move"]["S"].endswith("w")
    assert (len(row["line"]["N"]), len(row["shut"]["N"])) == (10, 16)
    assert {f"end_{slot}" for slot in range(SLOTS)} <= set(row)
    assert size(row) <= WRITE_UNIT, f"{size(row)} bytes"


def test_a_write_of_the_largest_state_row_costs_one_unit(dynamodb_local_url: str) -> None:
    client = servers.aws_client("dynamodb", dynamodb_local_url)
    table = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")["SERVING_LOG_TABLE"]
    row = write_largest_row(client, table, "E" * 64)
    put = client.put_item(TableName=table, Item=row, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["CapacityUnits"] == 1
    row["padding"] = {"S": "x" * (WRITE_UNIT - size(row))}
    put = client.put_item(TableName=table, Item=row, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["CapacityUnits"] == 2, "the size is that of DynamoDB"
