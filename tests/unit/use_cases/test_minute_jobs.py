# SPDX-License-Identifier: Apache-2.0
"""Reconciliation and expiry by the minute worker: clocks and missing counters."""

from __future__ import annotations

from tests.support.in_memory_room import EVENT, InMemoryRoom


def test_the_minute_worker_believes_no_clock_that_runs_ahead_of_the_schedule(
    world: InMemoryRoom,
) -> None:
    world.visitors(10)
    world.serve(10)
    start = world.clock.now
    state = world.log.read(EVENT)
    world.log.reserve(EVENT, 5, state)  # a worker is at it
    world.room.workers.reconciliation.run(EVENT, start)
    world.clock.now += 20_000
    for _ in range(3):
        world.room.workers.reconciliation.run(EVENT, start + 60)
        world.room.workers.expiry_sweep.run(EVENT, start + 60)
    assert world.log.read(EVENT).holes == 0
    assert world.log.read(EVENT).expired_through == 0
    for minutes in (2, 4):
        world.room.workers.reconciliation.run(EVENT, start + 60 * minutes)
    world.room.workers.expiry_sweep.run(EVENT, start + 902)
    assert world.log.read(EVENT).holes == 5
    assert world.log.read(EVENT).expired_through == 10


def test_a_minute_worker_whose_clock_was_behind_closes_nothing_early(world: InMemoryRoom) -> None:
    world.visitors(2)
    start = world.clock.now
    world.log.reserve(EVENT, 5, world.log.read(EVENT))
    world.clock.now -= 300
    world.room.workers.reconciliation.run(EVENT, start)
    world.clock.now += 310
    world.room.workers.reconciliation.run(EVENT, start + 10)
    assert world.log.read(EVENT).holes == 0


def test_counters_that_do_not_answer_do_not_keep_the_minute_worker_from_expiring(
    world: InMemoryRoom,
) -> None:
    world.visitors(5)
    world.serve(5)
    world.minute(91)
    world.minute(91)
    for _ in range(20):
        world.counters.fail("*", "before")
    world.minute(901)
    assert world.log.read(EVENT).expired_through == 5


def test_the_state_remembers_only_so_many_holes(world: InMemoryRoom) -> None:
    for _ in range(3):
        world.positions.store.insert = lambda rows: dict.fromkeys(row.request_id for row in rows)
        joins = [world.join(world.clock.now + index / 1e4) for index in range(900)]
        assert len(world.room.workers.assignment.assign(EVENT, joins).retry) == 900
    state = world.log.read(EVENT)
    assert 1000 <= len(state.known_holes) < 2000
    for _ in range(2):
        world.minute(91)
    assert world.log.read(EVENT).holes == 2700
    assert world.waiting() == 0
