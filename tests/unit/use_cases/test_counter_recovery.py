# SPDX-License-Identifier: Apache-2.0
"""Bringing the counters back: whole, from a checkpoint, by one caller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of
from waiting_room.domain import counter_snapshot
from waiting_room.domain.ports.counters import RebuildLease
from waiting_room.domain.records import Counts
from waiting_room.use_cases import counter_recovery


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    """A room of which rebuilds read twenty rows, and the minute worker compares ten at once."""
    monkeypatch.setattr(counter_snapshot, "READ_AT_ONCE", 20)
    monkeypatch.setattr(counter_recovery, "VERIFY_STEP", 10)
    return InMemoryRoom()


def lively(world: InMemoryRoom) -> list[str]:
    """Sixty visitors with tokens, and a checkpoint of them."""
    visitors = world.visitors(60)
    world.serve(60)
    for visitor in visitors[10:]:
        world.token(visitor)
    world.room.workers.reconciliation.run(EVENT)
    assert world.log.checkpoint(EVENT, 1)
    return visitors


def not_audited(counts: Counts) -> Counts:
    """The figures as a rebuild knows them: not when they were last compared with the tables."""
    return replace(counts, reconciled_at=0)


def test_a_rebuild_reads_the_checkpoint_and_the_rows_near_the_front(world: InMemoryRoom) -> None:
    visitors = lively(world)
    more = world.visitors(4)
    world.serve(4)
    for visitor in more:
        world.token(visitor)
    world.room.sessions.end(EVENT, visitors[58], 1)
    before = world.room.metrics.counts(EVENT)
    ranges = []
    read = world.outcomes.store.tokens

    def tokens(event_id, generation, first, last):  # type: ignore[no-untyped-def]
        ranges.append((first, last))
        return read(event_id, generation, first, last)

    world.outcomes.store.tokens = tokens
    world.memory.lose()
    assert world.new_room().metrics.counts(EVENT) == not_audited(before)
    assert ranges == [(45, 64)]


def test_what_happened_far_behind_since_the_checkpoint_is_found_within_minutes(
    world: InMemoryRoom,
) -> None:
    visitors = lively(world)
    world.token(visitors[3])
    world.room.sessions.end(EVENT, visitors[12], -1)
    before = world.room.metrics.counts(EVENT)
    world.memory.lose()
    after = world.new_room().metrics.counts(EVENT)
    assert (after.serving, after.queue) == (before.serving, before.queue)
    assert (after.tokens, after.abandoned) == (before.tokens - 1, 0)
    world.room.workers.reconciliation.run(EVENT)
    assert world.room.metrics.counts(EVENT) == before
    calls = len(world.outcomes.calls)
    world.room.workers.reconciliation.run(EVENT)
    assert "tokens" not in world.outcomes.calls[calls:], "compared once is enough"


def test_a_token_counts_once_before_and_after_it_was_compared(world: InMemoryRoom) -> None:
    visitors = lively(world)
    world.token(visitors[3])
    before = world.room.metrics.counts(EVENT)
    world.memory.lose()
    world.token(visitors[3])
    assert world.room.metrics.counts(EVENT) == not_audited(before)
    world.room.workers.reconciliation.run(EVENT)
    assert world.room.metrics.counts(EVENT) == before


def test_a_checkpoint_of_a_line_that_was_reset_is_not_used(world: InMemoryRoom) -> None:
    lively(world)
    world.clock.now += 1
    world.room.control.reset(EVENT)
    world.clock.now += 1
    world.visitors(30)
    world.serve(5)
    world.memory.lose()
    counts = world.new_room().metrics.counts(EVENT)
    assert (counts.queue, counts.serving, counts.tokens) == (30, 5, 0)


def test_a_quiet_minute_writes_no_checkpoint(world: InMemoryRoom) -> None:
    lively(world)
    calls = len(world.log.calls)
    world.room.workers.reconciliation.run(EVENT)
    assert "save_checkpoint" not in world.log.calls[calls:]


def test_a_caller_waits_for_the_one_that_rebuilds_and_then_says_when_to_come_again(
    world: InMemoryRoom,
) -> None:
    world.visitors(3)
    world.memory.lose()
    assert world.memory.acquire_rebuild_lease(EVENT, "other") is RebuildLease.ACQUIRED
    assert outcome_of(lambda: world.room.metrics.counts(EVENT)) == "Unavailable"
    world.memory.release_rebuild_lease(EVENT, "other")
    assert world.room.metrics.counts(EVENT).queue == 3


def test_a_rebuild_that_fails_lets_the_next_caller_try_at_once(world: InMemoryRoom) -> None:
    world.visitors(3)
    world.memory.lose()
    world.log.fail("read", "before")
    assert outcome_of(lambda: world.room.metrics.counts(EVENT)) == "Unavailable"
    assert world.room.metrics.counts(EVENT).queue == 3


def test_counters_that_are_lost_again_during_a_rebuild_are_read_again(world: InMemoryRoom) -> None:
    visitors = world.visitors(3)
    world.serve(3)
    read = world.log.store.read

    def lost_again(event_id):  # type: ignore[no-untyped-def]
        world.log.store.read = read
        state = read(event_id)
        world.memory.lose()
        world.token(visitors[0])
        world.serve(2)
        world.memory.lose()
        return state

    world.memory.lose()
    world.log.store.read = lost_again
    counts = world.new_room().metrics.counts(EVENT)
    assert (counts.serving, counts.tokens) == (5, 1)
