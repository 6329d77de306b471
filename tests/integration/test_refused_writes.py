# SPDX-License-Identifier: Apache-2.0
"""A counter server that answers what it holds and takes nothing: it lacks its replicas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import servers
from tests.support.in_memory_room import outcome_of
from tests.support.real_stores import RealRoom
from waiting_room.use_cases.room import Room


@pytest.fixture
def lone_valkey(tmp_path: Path) -> Iterator[servers.Valkey]:
    """A server of this test alone, without a replica."""
    server = servers.Valkey(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def lone(tables_url: str, lone_valkey: servers.Valkey) -> RealRoom:
    """A room on it, whose line has moved by two of three."""
    made = RealRoom(tables_url, lone_valkey)
    made.room.workers.setup.run()
    made.room.workers.assignment.assign(made.event_id, made.joins(3))
    made.room.control.increment(made.event_id, 2)
    return made


@contextmanager
def refused(real: RealRoom) -> Iterator[None]:
    """The server wants a replica that it does not have: reads work, writes are refused."""
    client = real.valkey.client()
    client.config_set("min-replicas-to-write", 1)
    try:
        yield
    finally:
        client.config_set("min-replicas-to-write", 0)


def refused_after(real: RealRoom, call: Any) -> str:
    """What ``call`` comes to when the server refuses writes from the table's own write on."""
    room, write, reset = real.new_room(), real.log.write, real.log.reset
    client = real.valkey.client()

    def then_refuse(made: Any, decides: Any) -> Any:
        def run(before: Any, after: Any) -> Any:
            state = made(before, after)
            if decides(before, after):
                client.config_set("min-replicas-to-write", 1)
            return state

        return run

    real.log.write = then_refuse(  # type: ignore[method-assign]
        write, lambda before, after: after.version > before.version
    )
    real.log.reset = then_refuse(reset, lambda before, after: True)  # type: ignore[method-assign]
    return outcome_of(lambda: call(room))


def token(real: RealRoom, request_id: str) -> str:
    return outcome_of(lambda: real.new_room().tokens.issue(real.event_id, request_id))


def joined(real: RealRoom) -> str:
    """The request id of a visitor who joins now."""
    join = real.joins(1)[0]
    assert not real.room.workers.assignment.assign(real.event_id, [join]).retry
    return join.request_id


def test_a_server_that_refuses_writes_still_reads(lone: RealRoom) -> None:
    with refused(lone):
        assert lone.room.metrics.counts(lone.event_id).serving == 2
        assert outcome_of(lambda: lone.counters().counts(lone.event_id, 0)) == "ok"
        telling = outcome_of(lambda: lone.counters().count_token(lone.event_id, 1, 1, 9))
        assert telling == "Unavailable"


def test_no_token_of_a_new_line_by_the_old_lines_counter(lone: RealRoom) -> None:
    """The line is reset, the counters cannot be told, somebody joins and asks for a token."""

    def call(room: Room) -> None:
        room.control.reset(lone.event_id)

    assert refused_after(lone, call) == "Unavailable"
    assert lone.log.read(lone.event_id).generation == 2
    visitor = joined(lone)
    assert lone.room.positions.queue_number(lone.event_id, visitor).position == 1
    assert token(lone, visitor) == "Unavailable"
    assert outcome_of(lambda: lone.new_room().metrics.counts(lone.event_id)) == "Unavailable"
    lone.valkey.client().config_set("min-replicas-to-write", 0)
    assert token(lone, visitor) == "NotServedYet"


def test_no_token_of_a_line_that_was_reset(lone: RealRoom) -> None:
    visitor = joined(lone)
    lone.room.control.increment(lone.event_id, 2)

    def call(room: Room) -> None:
        room.control.reset(lone.event_id)

    assert refused_after(lone, call) == "Unavailable"
    assert token(lone, visitor) in ("Unavailable", "RoomWasReset")
    lone.valkey.client().config_set("min-replicas-to-write", 0)
    assert token(lone, visitor) == "RoomWasReset"


def test_a_reset_that_cannot_be_told_is_not_made(lone: RealRoom) -> None:
    with refused(lone):
        visitor = joined(lone)
        told = outcome_of(lambda: lone.room.control.reset(lone.event_id))
        assert told == "Unavailable"
        assert lone.log.read(lone.event_id).generation == 1
        assert token(lone, visitor) == "NotServedYet"
    assert lone.room.control.reset(lone.event_id) == 2


def test_no_token_above_a_counter_that_was_moved_back(lone: RealRoom) -> None:
    visitor = joined(lone)
    lone.room.control.increment(lone.event_id, 2)

    def call(room: Room) -> None:
        room.control.increment(lone.event_id, -1)

    assert refused_after(lone, call) == "ok"
    assert lone.log.read(lone.event_id).serving == 3
    assert token(lone, visitor) == "Unavailable"
    lone.valkey.client().config_set("min-replicas-to-write", 0)
    assert token(lone, visitor) == "NotServedYet"


def test_joins_places_and_turns_go_on_while_writes_are_refused(lone: RealRoom) -> None:
    with refused(lone):
        visitor = joined(lone)
        assert lone.room.positions.queue_number(lone.event_id, visitor).position == 4
        assert token(lone, visitor) == "NotServedYet"
        first = lone.positions.in_range(lone.event_id, 1, 1, 1)
        assert [token(lone, row.request_id) for row in first] == ["ok"]
    assert lone.room.metrics.counts(lone.event_id).queue == 3
    lone.room.workers.reconciliation.run(lone.event_id)
    assert lone.room.metrics.counts(lone.event_id).queue == 4
