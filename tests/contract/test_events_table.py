# SPDX-License-Identifier: Apache-2.0
"""The EventDocuments port in memory, on moto and on DynamoDB Local."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from infrastructure.blueprint.resources import EVENTS
from tests.contract.conftest import Tables
from tests.support.fakes.events import MemoryEvents
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.audit import AuditEntry
from waiting_room.domain.events.document import StoredEvent, complete
from waiting_room.domain.events.registry import entry_of

NOW = 1_800_000_000


def stored(event_id: str, version: int = 1, **members: Any) -> StoredEvent:
    return StoredEvent(event_id, version, complete(members))


def audit(what: str = "create") -> AuditEntry:
    return AuditEntry(NOW + 0.5, "arn:aws:iam::1:user/ada", "person", what, {}, {"title": "é"})


def write(tables: Tables, before: StoredEvent | None, after: StoredEvent) -> None:
    tables.events.write(before, after, entry_of(after.version, after.document), audit())


def test_an_event_comes_back_as_it_was_written(tables: Tables, event_id: str) -> None:
    event = stored(event_id, title="Naïve 票", schedule={"opens_at": NOW})
    assert tables.events.read(event_id) is None
    assert event_id not in tables.events.registry(consistent=True)
    assert not tables.events.was_used(event_id)
    write(tables, None, event)
    assert tables.events.read(event_id) == event
    assert tables.events.registry(consistent=True)[event_id] == entry_of(1, event.document)
    assert tables.events.was_used(event_id)
    assert tables.events.read_many(["none", event_id]) == [event]
    assert tables.events.read_many([]) == []


def test_only_the_current_version_is_replaced(tables: Tables, event_id: str) -> None:
    one, two = stored(event_id), stored(event_id, 2, title="Two")
    write(tables, None, one)
    with pytest.raises(Conflict):
        write(tables, None, one)
    with pytest.raises(Conflict):
        write(tables, two, stored(event_id, 3))
    write(tables, one, two)
    with pytest.raises(Conflict):
        write(tables, one, two)
    assert tables.events.read(event_id) == two
    assert tables.events.registry(consistent=True)[event_id].version == 2


def test_a_deleted_event_leaves_its_audit_log(tables: Tables, event_id: str) -> None:
    one = stored(event_id)
    write(tables, None, one)
    with pytest.raises(Conflict):
        tables.events.delete(stored(event_id, 2), audit("delete"))
    tables.events.delete(one, audit("delete"))
    assert tables.events.read(event_id) is None
    assert event_id not in tables.events.registry(consistent=True)
    assert tables.events.was_used(event_id)
    with pytest.raises(Conflict):
        tables.events.delete(one, audit("delete"))


def test_only_one_change_of_rules_was_checked_with_a_version(tables: Tables, event_id: str) -> None:
    """Two events that were each checked without the other cannot both be written."""
    gates, other = tables.events.gates(), f"{event_id}-2"
    one, two = (stored(name, protect=[{"path": "/a"}]) for name in (event_id, other))
    tables.events.write(None, one, entry_of(1, one.document), audit(), gates)
    assert tables.events.gates() == gates + 1
    assert tables.events.registry(consistent=True)[event_id].gated
    with pytest.raises(Conflict):
        tables.events.write(None, two, entry_of(1, two.document), audit(), gates)
    assert tables.events.read(other) is None
    assert other not in tables.events.registry(consistent=True)
    assert not tables.events.was_used(other)
    write(tables, one, stored(event_id, 2, title="without a change of rules"))
    assert tables.events.gates() == gates + 1
    tables.events.write(None, two, entry_of(1, two.document), audit(), gates + 1)
    assert tables.events.gates() == gates + 2
    tables.events.announce_gates()
    assert tables.events.gates() == gates + 3


def test_audit_entries_expire_and_documents_do_not(tables: Tables, event_id: str) -> None:
    if isinstance(tables.events, MemoryEvents):
        pytest.skip("the port in memory has no time to live")
    write(tables, None, stored(event_id))
    assert isinstance(tables.events, DynamoEvents)
    client, table = tables.events._client, tables.events._table
    asked = {":event": {"S": event_id}}
    found = client.query(
        TableName=table, KeyConditionExpression="event_id = :event",
        ExpressionAttributeValues=asked,
    )["Items"]  # fmt: skip
    expire = {item["item"]["S"].partition("#")[0]: item.get(EVENTS.ttl) for item in found}
    assert expire == {"document": None, "audit": {"N": str(NOW + 90 * 86_400)}}


def test_concurrent_changes_of_one_version_write_one(tables: Tables, event_id: str) -> None:
    one = stored(event_id)
    write(tables, None, one)
    done: list[str] = []

    def change(title: str) -> None:
        try:
            write(tables, one, stored(event_id, 2, title=title))
            done.append(title)
        except Conflict:
            pass

    threads = [threading.Thread(target=change, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = tables.events.read(event_id)
    assert found
    assert (found.version, [found.document["title"]]) == (2, done)


def test_events_written_concurrently_are_all_in_the_registry(tables: Tables, event_id: str) -> None:
    ids = [f"{event_id}.{number}" for number in range(12)]

    def create(one: str) -> None:
        for _ in range(50):
            try:
                return write(tables, None, stored(one))
            except Conflict:
                if tables.events.read(one):
                    return None
        raise AssertionError(one)

    threads = [threading.Thread(target=create, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ids) <= set(tables.events.registry(consistent=True))
