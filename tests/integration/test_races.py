# SPDX-License-Identifier: Apache-2.0
"""Many at once, on real servers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.real_stores import RealRoom
from waiting_room.adapters.redis import counters as redis_counters
from waiting_room.domain.records import Join


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What ``count`` threads answer that start together."""
    ready = threading.Barrier(count)

    def run(index: int) -> Any:
        ready.wait()
        return call(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_hundred_threads_get_one_token_that_counts_once(real: RealRoom) -> None:
    visitor = real.joins(1)
    real.room.workers.assignment.assign(real.event_id, visitor)
    real.room.control.increment(real.event_id, 1)
    rooms = [real.new_room() for _ in range(4)]
    for room in rooms:
        room.metrics.counts(real.event_id)
    tokens = at_once(
        100,
        lambda i: rooms[i % 4].tokens.issue(real.event_id, visitor[0].request_id)["access_token"],
    )
    assert len(set(tokens)) == 1
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.tokens, counts.active, counts.waiting) == (1, 1, 0)


def test_eight_workers_give_five_thousand_joins_exactly_one_to_n(real: RealRoom) -> None:
    dice = random.Random(7)
    joins = real.joins(5000)
    messages = joins + dice.sample(joins, 500)
    dice.shuffle(messages)
    batches = [messages[start : start + 100] for start in range(0, len(messages), 100)]
    todo = list(batches)
    lock = threading.Lock()
    retry: list[Join] = []

    def work(_: int) -> None:
        room = real.new_room()
        while True:
            with lock:
                if not todo:
                    return
                batch = todo.pop()
            again = room.workers.assignment.assign(real.event_id, batch).retry
            with lock:
                retry.extend(join for join in batch if join.message_id in again)

    at_once(8, work)
    assert real.room.workers.assignment.assign(real.event_id, retry).retry <= {
        join.message_id for join in retry
    }
    rows = real.positions.get_many(real.event_id, [join.request_id for join in joins])
    assert sorted(row.position for row in rows.values()) == list(range(1, 5001))
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.queue, counts.holes, counts.waiting) == (5000, 0, 5000)


def test_increments_at_once_are_all_counted(real: RealRoom) -> None:
    rooms = [real.new_room() for _ in range(6)]
    answers = at_once(6, lambda i: rooms[i].control.increment(real.event_id, i + 1))
    assert max(answers) == 21
    assert len(set(answers)) == 6
    assert real.room.metrics.counts(real.event_id).serving == 21
    moves = real.log.moves(real.log.read(real.event_id))
    assert [move.version for move in moves] == list(range(1, 7))


def test_sweeps_at_once_raise_the_counter_once(tables_url: str, valkey: Any) -> None:
    now = [1_800_000_000.0]
    real = RealRoom(
        tables_url, valkey, {"INCR_SVC_ON_QUEUE_POSITION_EXPIRY": True}, clock=lambda: now[0]
    )
    real.room.workers.setup.run()
    real.room.workers.assignment.assign(real.event_id, real.joins(300))
    real.room.control.increment(real.event_id, 100)
    for _ in range(2):
        now[0] += 91
        real.room.workers.reconciliation.run(real.event_id)
    now[0] += 901
    rooms = [real.new_room() for _ in range(4)]
    at_once(4, lambda i: rooms[i].workers.expiry_sweep.run(real.event_id))
    state = real.log.read(real.event_id)
    assert (state.expired_through, state.expired, state.serving) == (100, 100, 200)
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.serving, counts.waiting) == (200, 200)


def test_rebuilds_at_once_with_tokens_in_flight_count_each_once(
    real: RealRoom, valkey: Any
) -> None:
    joins = real.joins(60)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, 60)
    rooms = [real.new_room() for _ in range(4)]

    def visit(index: int) -> None:
        if index % 10 == 0:
            valkey.client().flushall()
        rooms[index % 4].tokens.issue(real.event_id, joins[index].request_id)

    at_once(60, visit)
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.tokens, counts.active, counts.waiting, counts.queue) == (60, 60, 0, 60)


def test_resets_at_once_with_joins_under_way_mix_no_lines(real: RealRoom) -> None:
    joins = real.joins(200)

    def act(index: int) -> None:
        room = real.new_room()
        if index < 2:
            room.control.reset(real.event_id)
        else:
            room.workers.assignment.assign(
                real.event_id, joins[(index - 2) * 50 : (index - 1) * 50]
            )

    at_once(6, act)
    state = real.log.read(real.event_id)
    rows = real.positions.get_many(real.event_id, [join.request_id for join in joins]).values()
    assert len(rows) == 200
    mine = sorted(row.position for row in rows if row.generation == state.generation)
    assert mine == list(range(1, len(mine) + 1))
    assert real.room.metrics.counts(real.event_id).queue == len(mine)


@pytest.mark.parametrize("together", [True, False])
def test_two_visitors_with_one_lease_both_get_a_position(
    tables_url: str, valkey: Any, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    """The rows decide who has a position: a lease of another visitor only delays a join."""
    monkeypatch.setattr(redis_counters, "short_id", lambda _: b"\0\0thesame")
    now = [1_800_000_000.0]
    real = RealRoom(tables_url, valkey, clock=lambda: now[0])
    real.room.workers.setup.run()
    first, second = real.joins(2)
    batches = [[first, second]] if together else [[first], [second]]
    assigned = [
        real.new_room().workers.assignment.assign(real.event_id, batch) for batch in batches
    ]
    if not together:
        assert [one.retry for one in assigned] == [frozenset(), {second.message_id}]
        now[0] += 180  # SQS delivers a message again after this time
        again = real.new_room().workers.assignment.assign(real.event_id, [second, first])
        assert (again.retry, again.assigned) == (frozenset(), 1)
    rows = real.positions.get_many(real.event_id, [first.request_id, second.request_id])
    assert [rows[join.request_id].position for join in (first, second)] == [1, 2]
    assert real.room.metrics.counts(real.event_id).holes == 0
