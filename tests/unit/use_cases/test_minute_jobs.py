# SPDX-License-Identifier: Apache-2.0
"""Reconciliation and expiry by the minute worker: clocks and missing counters."""

from __future__ import annotations

from tests.support.in_memory_room import EVENT, InMemoryRoom


def test_the_minute_worker_believes_no_clock_that_runs_ahead_of_the_schedule(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.visitors(10)
    in_memory_room.serve(10)
    start = in_memory_room.clock.now
    state = in_memory_room.log.read(EVENT)
    in_memory_room.log.reserve(EVENT, 5, state)  # a worker is at it
    in_memory_room.room.workers.reconciliation.run(EVENT, start)
    in_memory_room.clock.now += 20_000
    for _ in range(3):
        in_memory_room.room.workers.reconciliation.run(EVENT, start + 60)
        in_memory_room.room.workers.expiry_sweep.run(EVENT, start + 60)
    assert in_memory_room.log.read(EVENT).holes == 0
    assert in_memory_room.log.read(EVENT).expired_through == 0
    for minutes in (2, 4):
        in_memory_room.room.workers.reconciliation.run(EVENT, start + 60 * minutes)
    in_memory_room.room.workers.expiry_sweep.run(EVENT, start + 902)
    assert in_memory_room.log.read(EVENT).holes == 5
    assert in_memory_room.log.read(EVENT).expired_through == 10


def test_a_minute_worker_whose_clock_was_behind_closes_nothing_early(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.visitors(2)
    start = in_memory_room.clock.now
    in_memory_room.log.reserve(EVENT, 5, in_memory_room.log.read(EVENT))
    in_memory_room.clock.now -= 300
    in_memory_room.room.workers.reconciliation.run(EVENT, start)
    in_memory_room.clock.now += 310
    in_memory_room.room.workers.reconciliation.run(EVENT, start + 10)
    assert in_memory_room.log.read(EVENT).holes == 0


def test_counters_that_do_not_answer_do_not_keep_the_minute_worker_from_expiring(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.visitors(5)
    in_memory_room.serve(5)
    in_memory_room.minute(91)
    in_memory_room.minute(91)
    for _ in range(20):
        in_memory_room.counters.fail("*", "before")
    in_memory_room.minute(901)
    assert in_memory_room.log.read(EVENT).expired_through == 5


def unused_positions(in_memory_room: InMemoryRoom) -> tuple[int, ...]:
    return in_memory_room.log.read_with_details(EVENT)[1].unused_positions


def test_only_so_many_unused_positions_are_recorded_and_each_is_counted_once(
    in_memory_room: InMemoryRoom,
) -> None:
    for _ in range(3):
        in_memory_room.positions.store.insert = lambda rows: dict.fromkeys(
            row.request_id for row in rows
        )
        joins = [
            in_memory_room.join(in_memory_room.clock.now + index / 1e4) for index in range(900)
        ]
        assert len(in_memory_room.room.workers.assignment.assign(EVENT, joins).retry) == 900
    assert 1000 <= len(unused_positions(in_memory_room)) < 2000
    for _ in range(2):
        in_memory_room.minute(91)
    assert in_memory_room.log.read(EVENT).holes == 2700
    assert unused_positions(in_memory_room), "removed by the next run"
    in_memory_room.minute()
    assert (unused_positions(in_memory_room), in_memory_room.waiting()) == ((), 0)
