# SPDX-License-Identifier: Apache-2.0
"""A room that uses copies of its tables from an earlier moment, as after a restore."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.account.restore import Advanced, advance
from infrastructure.blueprint.resources import COUNTERS, TABLES
from tests.support import servers
from tests.support.in_memory_room import IN_TABLES, Clock
from tests.support.real_stores import RealRoom
from waiting_room.domain.errors import NotAssignedYet

LATER = 600.0  # s; the time after which a position without a row counts as unused, and more


@pytest.fixture
def other_valkey(tmp_path: Path) -> Iterator[servers.Valkey]:
    """The server of the restored room: the stack gives it a Redis of its own."""
    server = servers.Valkey(tmp_path)
    yield server
    server.kill()


def copied(real: RealRoom) -> dict[str, str]:
    """Copy every row into new tables; return their names by setting."""
    names = servers.create_tables(real.dynamodb, f"restored-{uuid.uuid4().hex[:8]}")
    for setting, name in real.names.items():
        for page in real.dynamodb.get_paginator("scan").paginate(TableName=name):
            for item in page["Items"]:
                real.dynamodb.put_item(TableName=names[setting], Item=item)
    return names


def by_table(names: dict[str, str]) -> dict[str, str]:
    return {one.name: names[one.setting] for one in (*TABLES, COUNTERS)}


def assigned(real: RealRoom, count: int) -> list[tuple[str, int]]:
    """Visitors who joined: their request ids and positions."""
    joins = real.joins(count)
    assert not real.room.workers.assignment.assign(real.event_id, joins).retry
    ids = [one.request_id for one in joins]
    return [(one, real.room.positions.queue_number(real.event_id, one).position) for one in ids]


@pytest.mark.parametrize("store", ["redis", "dynamodb"])
def test_a_restored_room_continues_and_assigns_no_position_again(
    store: str, tables_url: str, valkey: servers.Valkey, other_valkey: servers.Valkey
) -> None:
    in_tables = store == "dynamodb"
    options = dict(IN_TABLES) if in_tables else {}
    old = RealRoom(tables_url, None if in_tables else valkey, options)
    old.room.workers.setup.run()
    before = assigned(old, 5)
    old.room.control.increment(old.event_id, 3)
    old.room.tokens.issue(old.event_id, before[0][0])
    old.deliver(list(old.outcomes.in_range(old.event_id, 1, 1, 5)))
    counts = old.room.metrics.counts(old.event_id)

    names = copied(old)
    after = assigned(old, 4)
    old.room.control.increment(old.event_id, 6)

    clock = Clock(time.time())
    server = None if in_tables else other_valkey
    restored = RealRoom(tables_url, server, options, clock, names=names, event_id=old.event_id)
    done = advance(old.dynamodb, old.single, by_table(names), by_table(old.names))
    assert done == [Advanced(old.event_id, 5, 9)]
    assert advance(old.dynamodb, old.single, by_table(names), by_table(old.names)) == [
        Advanced(old.event_id, 9, 9)
    ], "a repeated command reserves nothing"

    restored.room.workers.setup.run()
    found = restored.room.metrics.counts(old.event_id)
    assert (found.serving, found.tokens, found.generation) == (3, counts.tokens, 1)
    lookup = restored.room.positions
    assert [lookup.queue_number(old.event_id, one).position for one, _ in before] == [1, 2, 3, 4, 5]
    for request_id, _ in after:
        with pytest.raises(NotAssignedYet):
            lookup.queue_number(old.event_id, request_id)
    assert [position for _, position in assigned(restored, 3)] == [10, 11, 12]

    for _ in range(2):  # the minute worker counts the positions between as unused
        clock.now += LATER
        restored.room.workers.reconciliation.run(old.event_id)
    counts = restored.room.metrics.counts(old.event_id)
    assert (counts.queue, counts.holes, counts.waiting) == (12, 4, 12 - 1 - 4)


def test_positions_of_a_generation_that_was_reset_later_are_not_assigned_again(
    tables_url: str,
) -> None:
    """The state row has the later generation only; the rows of the earlier one remain."""
    old = RealRoom(tables_url, None, dict(IN_TABLES))
    old.room.workers.setup.run()
    assigned(old, 2)
    names = copied(old)
    assigned(old, 3)
    old.room.control.reset(old.event_id, None)
    assigned(old, 9)
    done = advance(old.dynamodb, old.single, by_table(names), by_table(old.names))
    assert done == [Advanced(old.event_id, 2, 5)]


def test_the_tables_in_use_are_only_read(tables_url: str) -> None:
    old = RealRoom(tables_url, None, dict(IN_TABLES))
    old.room.workers.setup.run()
    assigned(old, 2)
    names = copied(old)
    empty = servers.create_tables(old.dynamodb, f"empty-{uuid.uuid4().hex[:8]}")
    assert advance(old.dynamodb, old.single, by_table(names), by_table(empty)) == [
        Advanced(old.event_id, 2, 2)
    ]
    for name in empty.values():
        assert not old.dynamodb.scan(TableName=name)["Items"]
