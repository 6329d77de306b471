# SPDX-License-Identifier: Apache-2.0
"""A room whose counters are in the tables: what it costs, and many callers at once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.integration.test_races import at_once
from tests.support.in_memory_room import IN_TABLES
from tests.support.real_stores import RealRoom
from waiting_room.domain.errors import RoomWasReset
from waiting_room.domain.records import SessionStatus


@pytest.fixture
def real(tables_url: str) -> RealRoom:
    """A room without Redis."""
    made = RealRoom(tables_url, None, dict(IN_TABLES))
    made.room.workers.setup.run()
    return made


def served(real: RealRoom, count: int) -> list[str]:
    """Visitors who are served; their request ids."""
    joins = real.joins(count)
    assert not real.room.workers.assignment.assign(real.event_id, joins).retry
    real.room.control.increment(real.event_id, count)
    return [join.request_id for join in joins]


def stream(real: RealRoom, first: int, last: int) -> list[Any]:
    """The rows that the stream of the tokens table delivers."""
    return list(real.outcomes.in_range(real.event_id, 1, first, last))


def test_no_operation_costs_more_than_these_requests(real: RealRoom) -> None:
    ids = served(real, 3)
    room, event_id = real.room, real.event_id
    room.tokens.issue(event_id, ids[0])
    joins = real.joins(25)

    def cost(call: Any) -> dict[str, int]:
        return dict(real.counted(call))

    assert cost(lambda: room.workers.assignment.assign(event_id, joins)) == {
        "dynamodb": 3, "BatchGetItem": 1, "UpdateItem": 1, "BatchExecuteStatement": 1,
    }  # fmt: skip
    assert cost(lambda: room.metrics.serving_number(event_id)) == {"dynamodb": 1, "GetItem": 1}
    assert cost(lambda: room.metrics.waiting_number(event_id)) == {
        "dynamodb": 2, "Query": 1, "BatchGetItem": 1,
    }  # fmt: skip
    assert cost(lambda: room.metrics.counts(event_id)) == {
        "dynamodb": 3, "Query": 2, "BatchGetItem": 1,
    }  # fmt: skip
    # the position, the state, the outcome, and the state once more because of a reset meanwhile
    token = cost(lambda: room.tokens.issue(event_id, ids[1]))
    assert token == {"dynamodb": 4, "GetItem": 3, "PutItem": 1}
    again = cost(lambda: room.tokens.issue(event_id, ids[1]))
    assert again == token
    rows = stream(real, 1, 3)
    assert cost(lambda: room.counters.count_delivered(rows)) == {
        "dynamodb": 3, "GetItem": 1, "BatchGetItem": 1, "TransactWriteItems": 1,
    }  # fmt: skip
    assert cost(lambda: room.counters.count_delivered(rows)) == {
        "dynamodb": 2, "GetItem": 1, "BatchGetItem": 1,
    }, "a repeated batch writes nothing"  # fmt: skip


def test_a_hundred_threads_get_one_token_that_counts_once(real: RealRoom) -> None:
    ids = served(real, 1)
    rooms = [real.new_room() for _ in range(4)]
    tokens = at_once(
        100, lambda i: rooms[i % 4].tokens.issue(real.event_id, ids[0])["access_token"]
    )
    assert len(set(tokens)) == 1
    rows = stream(real, 1, 1)
    at_once(4, lambda i: rooms[i].counters.count_delivered(rows))
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.tokens, counts.active, counts.waiting) == (1, 1, 0)


def test_workers_with_the_same_joins_give_each_one_position(tables_url: str) -> None:
    """Without leases, joins that two workers have at the same time leave positions unused.

    Of two workers that list the first ones at once, one leaves its own to the reconciliation.
    """
    now = [1_800_000_000.0]
    real = RealRoom(tables_url, None, dict(IN_TABLES), clock=lambda: now[0])
    real.room.workers.setup.run()
    joins = real.joins(600)
    dice = random.Random(7)
    # at most 600 positions stay unused, fewer than the table lists
    batches = [dice.sample(joins, 150) for _ in range(4)] + [joins[:300], joins[300:]]
    rooms = [real.new_room() for _ in batches]
    results = at_once(
        len(batches),
        lambda i: rooms[i].workers.assignment.assign(real.event_id, batches[i]),
    )
    assert not any(result.retry for result in results)
    rows = real.positions.get_many(real.event_id, [join.request_id for join in joins])
    positions = [row.position for row in rows.values()]
    for _ in range(3):
        now[0] += 91
        real.room.workers.reconciliation.run(real.event_id)
    counts = real.room.metrics.counts(real.event_id)
    assert len(set(positions)) == len(joins)
    assert counts.queue - counts.holes == len(joins) == counts.waiting
    assert max(positions) <= counts.queue


def test_readers_of_the_stream_at_once_count_tokens_and_sessions_exactly(real: RealRoom) -> None:
    ids = served(real, 120)
    for index, request_id in enumerate(ids):
        real.room.tokens.issue(real.event_id, request_id)
        if index == 60:
            early = stream(real, 1, 120)
    for request_id in ids[::3]:
        real.room.sessions.end(real.event_id, request_id, 1)
    batches = [early, stream(real, 1, 70), stream(real, 50, 120), stream(real, 1, 120)]
    rooms = [real.new_room() for _ in batches]
    at_once(4, lambda i: rooms[i].counters.count_delivered(batches[i][::-1]))
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.tokens, counts.completed, counts.active) == (120, 40, 80)
    assert counts.waiting == 0


def test_no_token_and_no_count_of_a_generation_that_was_reset(real: RealRoom) -> None:
    ids = served(real, 3)
    room, other = real.room, real.new_room()
    room.tokens.issue(real.event_id, ids[0])
    rows = stream(real, 1, 1)
    other.control.reset(real.event_id)
    with pytest.raises(RoomWasReset):
        room.tokens.issue(real.event_id, ids[1])
    with pytest.raises(RoomWasReset):
        room.sessions.end(real.event_id, ids[0], 1)
    room.counters.count_delivered(rows)
    counts = room.metrics.counts(real.event_id)
    assert (counts.generation, counts.tokens, counts.queue) == (2, 0, 0)
    row = real.outcomes.get(real.event_id, 1, 1)
    assert row
    assert row.status is SessionStatus.OPEN


def test_a_token_issued_while_a_reset_came_between_is_refused(real: RealRoom) -> None:
    """The state is read before the outcome is written, and once more after it."""
    ids = served(real, 1)
    other, put = real.new_room(), real.outcomes.put_if_absent
    room = real.new_room()

    def put_late(outcome: Any) -> Any:
        other.control.reset(real.event_id)
        return put(outcome)

    real.outcomes.put_if_absent = put_late  # type: ignore[method-assign]
    with pytest.raises(RoomWasReset):
        room.tokens.issue(real.event_id, ids[0])


def test_the_upkeep_of_a_minute_changes_no_count(real: RealRoom) -> None:
    ids = served(real, 4)
    for request_id in ids:
        real.room.tokens.issue(real.event_id, request_id)
    real.room.counters.count_delivered(stream(real, 1, 4))
    before = real.room.metrics.counts(real.event_id)
    state = real.log.read(real.event_id)
    for hours in (0, 2):
        later = int(real.clock()) + 3_600 * hours
        real.room.counters.keep_up(state, later, reconciled_at=later, swept_at=later)
        counts = real.room.metrics.counts(real.event_id)
        assert (counts.tokens, counts.active) == (before.tokens, 4)
        assert (counts.reconciled_at, counts.swept_at) == (later, later)
    assert real.counters().counts(real.event_id, int(real.clock()) + 3_601).active == 0
