# SPDX-License-Identifier: Apache-2.0
"""Requests counted at the clients: what each operation may cost (issue of the one-machine room)."""

from __future__ import annotations

import math
import time
from collections import Counter

import pytest

from tests.support.real_stores import RealRoom, kept_registry
from waiting_room.adapters.dynamodb.events import DynamoEvents
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.events.audit import AuditEntry
from waiting_room.domain.events.document import StoredEvent
from waiting_room.domain.events.registry import entry_of
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.visitor_lookup import VisitorQuery

ACTOR = Actor(ActorKind.PERSON, "arn:aws:sts::123456789012:assumed-role/operators/ada")


@pytest.mark.parametrize("size", [1, 25, 26, 200])
def test_a_batch_of_joins_costs_two_round_trips_and_one_request_for_25(
    real: RealRoom, size: int
) -> None:
    real.room.workers.assignment.assign(real.event_id, real.joins(1))
    cost = real.counted(
        lambda: real.room.workers.assignment.assign(real.event_id, real.joins(size))
    )
    assert cost["redis"] <= 2
    assert cost["dynamodb"] <= math.ceil(size / 25) + 1
    assert cost["BatchExecuteStatement"] == math.ceil(size / 25)


def test_a_position_costs_one_read_and_no_round_trip(real: RealRoom) -> None:
    joins = real.joins(2)
    real.room.workers.assignment.assign(real.event_id, joins)
    for expected in ("BatchGetItem", "GetItem"):
        cost = real.counted(
            lambda: real.room.positions.queue_number(real.event_id, joins[0].request_id)
        )
        assert dict(cost) == {"dynamodb": 1, expected: 1}


def test_the_figures_cost_one_round_trip(real: RealRoom) -> None:
    metrics = real.room.metrics
    for ask in (
        metrics.counts,
        metrics.status_page,
        metrics.panel,
        metrics.serving_number,
        metrics.waiting_number,
    ):
        assert dict(real.counted(lambda ask=ask: ask(real.event_id))) == {"redis": 1}


def test_the_status_of_a_hundred_events_costs_a_hundred_round_trips_and_one_read(
    real: RealRoom,
) -> None:
    store = DynamoEvents(real.dynamodb, real.names["EVENTS_TABLE"])
    ids = [f"sale-{index}" for index in range(100)]
    for event_id in ids:
        created = StoredEvent(event_id, 1, defaults())
        audit = AuditEntry(1.0, "tests", "person", "create")
        store.write(None, created, entry_of(1, created.document), audit)

    def poll() -> None:
        for event_id in ids:
            assert real.room.metrics.status_page(event_id)["phase"] == "open"

    poll()  # creates the counters of each event
    assert dict(real.counted(poll)) == {"redis": 100}
    room, single = real.new_room(), [real.new_room() for _ in range(10)]
    with kept_registry():
        real.requests.clear()
        for event_id in ids:
            room.metrics.status_page(event_id)
        assert dict(real.requests) == {"redis": 100, "dynamodb": 1, "GetItem": 1}
        real.requests.clear()
        for one in single:
            one.metrics.status_page(real.event_id)
    assert dict(real.requests) == {"redis": 10, "dynamodb": 10, "GetItem": 10}


def test_a_first_token_and_the_same_again(real: RealRoom) -> None:
    joins = real.joins(1)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, 1)
    assert real.events.calls == ["publish"]  # a move tells the bus, once

    def call() -> object:
        return real.room.tokens.issue(real.event_id, joins[0].request_id)

    real.keys.calls.clear()
    real.events.calls.clear()
    first = real.counted(call)
    assert dict(first) == {"redis": 2, "dynamodb": 2, "GetItem": 1, "PutItem": 1}
    again = real.counted(call)
    assert dict(again) == {"redis": 1, "dynamodb": 2, "GetItem": 2}
    assert real.events.calls == []


def test_a_look_up_costs_one_round_trip_and_two_reads_whatever_it_is_by(real: RealRoom) -> None:
    joins = real.joins(2)
    real.room.workers.assignment.assign(real.event_id, joins)
    for sought, first in (
        (VisitorQuery(joins[0].request_id), "GetItem"),
        (VisitorQuery(number=2), "Query"),
    ):
        cost = real.counted(
            lambda sought=sought: real.room.sessions.request_status(real.event_id, sought)
        )
        assert cost == Counter(["redis", "dynamodb", "dynamodb", first, "GetItem"])


def test_an_idle_minute_costs_next_to_nothing(real: RealRoom) -> None:
    def minute() -> None:
        real.room.workers.reconciliation.run(real.event_id)
        real.room.workers.expiry_sweep.run(real.event_id)

    minute()
    idle = {"redis": 2, "dynamodb": 2, "GetItem": 1, "Query": 1}
    assert dict(real.counted(minute)) == idle
    assert dict(real.counted(lambda: real.room.workers.minute_jobs.run(real.event_id))) == idle
    assert real.room.metrics.panel(real.event_id)["stale"] == []


def test_a_message_costs_one_round_trip_one_query_two_writes_and_one_read(real: RealRoom) -> None:
    cost = real.counted(lambda: real.room.control.set_message(real.event_id, "hello"))
    requests = {"Query": 1, "UpdateItem": 2, "GetItem": 1}  # the second update: the audit entry
    assert dict(cost) == {"redis": 1, "dynamodb": 4, **requests}
    assert real.room.metrics.counts(real.event_id).message == "hello"


def test_a_reset_of_many_rows_is_three_writes(real: RealRoom) -> None:
    """The announcement, the next line and the audit entry; with a move before it, its row too."""
    rows = 100_000
    real.log.reserve(real.event_id, rows, real.log.read(real.event_id))
    real.room.workers.reconciliation.run(real.event_id)  # the counters know of them
    started = time.perf_counter()
    cost = real.counted(lambda: real.room.control.reset(real.event_id))
    assert time.perf_counter() - started < 2
    writes = {"UpdateItem": 2, "PutItem": 1}
    assert dict(cost) == {"redis": 2, "dynamodb": 4, "GetItem": 1, **writes}
    assert real.room.metrics.counts(real.event_id).queue == 0


def test_a_move_back_is_announced_and_made(real: RealRoom) -> None:
    real.room.control.increment(real.event_id, 5)
    back = real.counted(lambda: real.room.control.increment(real.event_id, -2))
    assert dict(back) == {"redis": 2, "dynamodb": 2, "UpdateItem": 2}


def test_a_move_costs_one_write_and_a_block_of_moves_one_more(real: RealRoom) -> None:
    """A function reads the state once; its later moves begin with what it wrote."""

    def move(call_id: str = "") -> object:
        return real.room.control.increment(real.event_id, 1, actor=ACTOR, call_id=call_id)

    assert dict(real.counted(move)) == {"redis": 1, "dynamodb": 2, "GetItem": 1, "UpdateItem": 1}
    for call_id in ("", "a", "b"):
        cost = real.counted(lambda call_id=call_id: move(call_id))
        assert dict(cost) == {"redis": 1, "dynamodb": 1, "UpdateItem": 1}
    many = real.counted(lambda: [move(f"call-{index}") for index in range(36)])
    blocks = many.pop("PutItem")
    assert 1 <= blocks <= 4
    assert dict(many) == {"redis": 36, "dynamodb": 36 + blocks, "UpdateItem": 36}
    assert real.room.control.increment(real.event_id, 1, actor=ACTOR, call_id="b") == 40
    assert real.room.metrics.counts(real.event_id).serving == 40


def test_a_move_after_that_of_another_function_reads_the_state_again(real: RealRoom) -> None:
    other = real.new_room()
    real.room.control.increment(real.event_id, 5)
    other.control.increment(real.event_id, 5)
    cost = real.counted(lambda: real.room.control.increment(real.event_id, 5))
    assert dict(cost) == {"redis": 1, "dynamodb": 4, "GetItem": 2, "UpdateItem": 2}
    assert real.room.metrics.counts(real.event_id).serving == 15


def test_the_audit_log_costs_one_read_of_each_of_its_parts(real: RealRoom) -> None:
    real.room.workers.setup.run()
    for _ in range(150):
        real.room.control.increment(real.event_id, 1)
    records = real.records()
    page, mark = records.audit(real.event_id)
    assert (len(page), mark is None) == (100, False)
    first = real.counted(lambda: records.audit(real.event_id))
    assert dict(first) == {"dynamodb": 5, "GetItem": 2, "Query": 3}
    second = real.counted(lambda: records.audit(real.event_id, mark))
    assert dict(second) == {"dynamodb": 5, "GetItem": 2, "Query": 3}


def test_a_minute_of_the_history_is_one_write_and_a_day_two_reads(real: RealRoom) -> None:
    real.room.workers.setup.run()
    counts = real.room.metrics.counts(real.event_id)
    idle = real.counted(lambda: real.room.workers.history.record(real.event_id, counts))
    assert dict(idle) == {"dynamodb": 1, "PutItem": 1}
    joins = real.joins(100)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, 90)
    counts = real.room.metrics.counts(real.event_id)
    busy = real.counted(lambda: real.room.workers.history.record(real.event_id, counts))
    assert dict(busy) == {"dynamodb": 21, "Query": 20, "PutItem": 1}
    records = real.records()
    day = real.counted(lambda: records.history(real.event_id, None, None, None))
    assert dict(day) == {"dynamodb": 3, "GetItem": 1, "Query": 2}
