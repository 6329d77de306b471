# SPDX-License-Identifier: Apache-2.0
"""The ports of the audit log and the history in memory, on moto and on DynamoDB Local."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.blueprint.resources import EVENTS, SERVING_LOG
from tests.contract.conftest import Tables
from tests.support.fakes.audit import MemoryAuditLog
from waiting_room.adapters.dynamodb.audit_log import DynamoAuditLog
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.audit import AuditEntry, LoggedMove, key_at
from waiting_room.domain.events.document import StoredEvent, complete
from waiting_room.domain.events.history import MinuteTotals
from waiting_room.domain.events.registry import entry_of
from waiting_room.domain.serving_counter import move

NOW = 1_800_000_000
ALL = "audit#~"


def entry(at: float, what: str = "message") -> AuditEntry:
    return AuditEntry(at, "arn:aws:iam::1:user/ada", "person", what, {"m": "a"}, {"m": "é 票"})


def raise_counter(tables: Tables, event_id: str, times: int) -> None:
    for number in range(times):
        before = tables.log.read(event_id)
        tables.log.write(before, move(before, 2, NOW + number, "operator", "m", "person user/ada"))


def test_operations_come_back_latest_first(tables: Tables, event_id: str) -> None:
    written = [entry(NOW + number / 8) for number in range(9)]
    for one in written:
        tables.audit.append(event_id, one)
    found = tables.audit.operations(event_id, ALL, 99)
    assert [one.entry for one in found] == written[::-1]
    assert [one.key for one in found] == sorted((one.key for one in found), reverse=True)
    first = tables.audit.operations(event_id, key_at(NOW + 5 / 8), 3)
    assert [one.entry for one in first] == written[3:6][::-1]
    after = tables.audit.operations(event_id, first[-1].key, 99)
    assert [one.entry for one in after] == written[:3][::-1]
    assert tables.audit.operations(f"{event_id}-none", ALL, 9) == []


def test_changes_are_the_entries_of_the_documents(tables: Tables, event_id: str) -> None:
    before = None
    for version in range(1, 5):
        after = StoredEvent(event_id, version, complete({"title": str(version)}))
        change = entry(NOW + version, "put")
        tables.events.write(before, after, entry_of(version, after.document), change)
        before = after
    assert before
    tables.events.delete(before, entry(NOW + 5, "delete"))
    tables.audit.append(event_id, entry(NOW + 6))
    found = tables.audit.changes(event_id, ALL, 3)
    assert [(one.entry.at, one.entry.what) for one in found] == [
        (NOW + 5, "delete"), (NOW + 4, "put"), (NOW + 3, "put"),
    ]  # fmt: skip
    assert [one.entry.at for one in tables.audit.changes(event_id, found[-1].key, 9)] == [
        NOW + 2, NOW + 1,
    ]  # fmt: skip


def test_moves_of_all_generations_come_latest_first(tables: Tables, event_id: str) -> None:
    assert tables.audit.moves(event_id, 0, 0, 9) == []
    raise_counter(tables, event_id, 3)
    before = tables.log.read(event_id)
    tables.log.reset(before, before.next_generation(NOW + 10.0))
    found = tables.audit.moves(event_id, 0, 0, 9)
    assert [(one.generation, one.move.version) for one in found] == [
        (1, 3), (1, 2), (1, 1),
    ]  # fmt: skip
    raise_counter(tables, event_id, 2)
    found = tables.audit.moves(event_id, 0, 0, 9)
    numbers = [(2, 2), (2, 1), (1, 3), (1, 2), (1, 1)]
    assert [(one.generation, one.move.version) for one in found] == numbers
    latest = tables.log.read(event_id).move
    assert latest
    assert found[0] == LoggedMove(2, latest)
    assert (found[2].move.previous, found[2].move.current) == (4, 6)
    assert found[2].move.actor == "person user/ada"
    for index, (generation, version) in enumerate(numbers):
        rest = tables.audit.moves(event_id, generation, version, 2)
        assert [(one.generation, one.move.version) for one in rest] == numbers[index + 1 :][:2]
    assert len(tables.audit.moves(event_id, 0, 0, 3)) == 3


def test_a_move_that_lost_its_write_is_there_once(tables: Tables, event_id: str) -> None:
    """The row of the state's move exists already when another writer came first."""
    raise_counter(tables, event_id, 1)
    before = tables.log.read(event_id)
    raise_counter(tables, event_id, 1)
    with pytest.raises(Conflict):
        tables.log.write(before, move(before, 1, NOW, "operator", "n", "person user/eve"))
    assert [one.move.version for one in tables.audit.moves(event_id, 0, 0, 9)] == [2, 1]


def test_entries_and_moves_expire_after_90_days(tables: Tables, event_id: str) -> None:
    if isinstance(tables.audit, MemoryAuditLog):
        pytest.skip("the port in memory has no time to live")
    tables.audit.append(event_id, entry(NOW + 0.5))
    raise_counter(tables, event_id, 2)
    before = tables.log.read(event_id)
    tables.log.reset(before, before.next_generation(NOW + 1.0))
    assert isinstance(tables.audit, DynamoAuditLog)
    found = tables.audit._client.query(
        TableName=tables.audit._log, KeyConditionExpression="event_id = :event",
        ExpressionAttributeValues={":event": {"S": event_id}},
    )["Items"]  # fmt: skip
    lives = {item["entry"]["S"].partition("#")[0]: item.get(SERVING_LOG.ttl) for item in found}
    expires: dict[str, Any] = {"N": str(NOW + 90 * 86_400)}
    move_expires = {"N": str(NOW + 1 + 90 * 86_400)}  # that of the last one
    assert lives == {"audit": expires, "move": move_expires, "state": None}


def minute(number: int, **values: int) -> MinuteTotals:
    return MinuteTotals(NOW + 60 * number, 1, number, number, **values)


def test_minutes_come_back_with_the_one_before_them(tables: Tables, event_id: str) -> None:
    assert tables.history.between(event_id, NOW, NOW + 600) == []
    stored = [minute(0, wait_p50=3, wait_p95=9), *map(minute, (1, 3, 4, 5))]
    for one in stored:
        tables.history.put(event_id, one)
    everything = tables.history.between(event_id, NOW, NOW + 600)
    assert everything == stored
    assert tables.history.between(event_id, NOW + 60, NOW + 180) == stored[:3]
    assert tables.history.between(event_id, NOW + 120, NOW + 130) == [stored[1]]
    assert tables.history.between(event_id, NOW + 900, NOW + 960) == [stored[-1]]
    assert tables.history.between(event_id, 0, NOW - 1) == []


def test_a_minute_that_ran_twice_is_replaced(tables: Tables, event_id: str) -> None:
    tables.history.put(event_id, minute(1, tokens=1))
    tables.history.put(event_id, minute(1, tokens=2))
    assert tables.history.between(event_id, 0, NOW + 600) == [minute(1, tokens=2)]


def test_minutes_are_no_entries_and_expire_after_30_days(tables: Tables, event_id: str) -> None:
    tables.history.put(event_id, minute(1))
    assert not tables.events.was_used(event_id)
    assert tables.audit.changes(event_id, ALL, 9) == []
    if not isinstance(tables.audit, DynamoAuditLog):
        return
    (item,) = tables.audit._client.query(
        TableName=tables.audit._events, KeyConditionExpression="event_id = :event",
        ExpressionAttributeValues={":event": {"S": event_id}},
    )["Items"]  # fmt: skip
    assert item["item"] == {"S": f"minute#{NOW + 60:012d}"}
    assert item[EVENTS.ttl] == {"N": str(NOW + 60 + 30 * 86_400)}
