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
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    """A room of which rebuilds read twenty rows, and the minute worker compares ten at once."""
    monkeypatch.setattr(counter_snapshot, "READ_AT_ONCE", 20)
    monkeypatch.setattr(counter_recovery, "VERIFY_STEP", 10)
    return InMemoryRoom()


def lively(in_memory_room: InMemoryRoom) -> list[str]:
    """Sixty visitors with tokens, and a checkpoint of them."""
    visitors = in_memory_room.visitors(60)
    in_memory_room.serve(60)
    for visitor in visitors[10:]:
        in_memory_room.token(visitor)
    in_memory_room.room.workers.reconciliation.run(EVENT)
    assert in_memory_room.log.checkpoint(EVENT, 1)
    return visitors


def not_audited(counts: Counts) -> Counts:
    """The figures as a rebuild knows them: not when they were last compared with the tables."""
    return replace(counts, reconciled_at=0)


def test_a_rebuild_reads_the_checkpoint_and_the_rows_near_the_front(
    in_memory_room: InMemoryRoom,
) -> None:
    visitors = lively(in_memory_room)
    more = in_memory_room.visitors(4)
    in_memory_room.serve(4)
    for visitor in more:
        in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, visitors[58], 1)
    before = in_memory_room.room.metrics.counts(EVENT)
    ranges = []
    read = in_memory_room.outcomes.store.tokens

    def tokens(event_id, generation, first, last):  # type: ignore[no-untyped-def]
        ranges.append((first, last))
        return read(event_id, generation, first, last)

    in_memory_room.outcomes.store.tokens = tokens
    in_memory_room.memory.lose()
    assert in_memory_room.new_room().metrics.counts(EVENT) == not_audited(before)
    assert ranges == [(45, 64)]


def test_what_happened_far_behind_since_the_checkpoint_is_found_within_minutes(
    in_memory_room: InMemoryRoom,
) -> None:
    visitors = lively(in_memory_room)
    in_memory_room.token(visitors[3])
    in_memory_room.room.sessions.end(EVENT, visitors[12], -1)
    before = in_memory_room.room.metrics.counts(EVENT)
    in_memory_room.memory.lose()
    after = in_memory_room.new_room().metrics.counts(EVENT)
    assert (after.serving, after.queue) == (before.serving, before.queue)
    assert (after.tokens, after.abandoned) == (before.tokens - 1, 0)
    in_memory_room.room.workers.reconciliation.run(EVENT)
    assert in_memory_room.room.metrics.counts(EVENT) == before
    calls = len(in_memory_room.outcomes.calls)
    in_memory_room.room.workers.reconciliation.run(EVENT)
    assert "tokens" not in in_memory_room.outcomes.calls[calls:], "compared once is enough"


def test_a_token_counts_once_before_and_after_it_was_compared(in_memory_room: InMemoryRoom) -> None:
    visitors = lively(in_memory_room)
    in_memory_room.token(visitors[3])
    before = in_memory_room.room.metrics.counts(EVENT)
    in_memory_room.memory.lose()
    in_memory_room.token(visitors[3])
    assert in_memory_room.room.metrics.counts(EVENT) == not_audited(before)
    in_memory_room.room.workers.reconciliation.run(EVENT)
    assert in_memory_room.room.metrics.counts(EVENT) == before


def test_a_checkpoint_of_a_line_that_was_reset_is_not_used(in_memory_room: InMemoryRoom) -> None:
    lively(in_memory_room)
    in_memory_room.clock.now += 1
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.clock.now += 1
    in_memory_room.visitors(30)
    in_memory_room.serve(5)
    in_memory_room.memory.lose()
    counts = in_memory_room.new_room().metrics.counts(EVENT)
    assert (counts.queue, counts.serving, counts.tokens) == (30, 5, 0)


def test_a_quiet_minute_writes_no_checkpoint(in_memory_room: InMemoryRoom) -> None:
    lively(in_memory_room)
    calls = len(in_memory_room.log.calls)
    in_memory_room.room.workers.reconciliation.run(EVENT)
    assert "save_checkpoint" not in in_memory_room.log.calls[calls:]


def test_a_caller_waits_for_the_one_that_rebuilds_and_then_says_when_to_come_again(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.visitors(3)
    in_memory_room.memory.lose()
    assert in_memory_room.memory.acquire_rebuild_lease(EVENT, "other") is RebuildLease.ACQUIRED
    assert outcome_of(lambda: in_memory_room.room.metrics.counts(EVENT)) == "Unavailable"
    in_memory_room.memory.release_rebuild_lease(EVENT, "other")
    assert in_memory_room.room.metrics.counts(EVENT).queue == 3


def test_a_rebuild_that_fails_lets_the_next_caller_try_at_once(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.visitors(3)
    in_memory_room.memory.lose()
    in_memory_room.log.fail("read_with_details", "before")
    assert outcome_of(lambda: in_memory_room.room.metrics.counts(EVENT)) == "Unavailable"
    assert in_memory_room.room.metrics.counts(EVENT).queue == 3


def test_counters_that_are_lost_again_during_a_rebuild_are_read_again(
    in_memory_room: InMemoryRoom,
) -> None:
    visitors = in_memory_room.visitors(3)
    in_memory_room.serve(3)
    read = in_memory_room.log.store.read

    def lost_again(event_id):  # type: ignore[no-untyped-def]
        in_memory_room.log.store.read = read
        state = read(event_id)
        in_memory_room.memory.lose()
        in_memory_room.token(visitors[0])
        in_memory_room.serve(2)
        in_memory_room.memory.lose()
        return state

    in_memory_room.memory.lose()
    in_memory_room.log.store.read = lost_again
    counts = in_memory_room.new_room().metrics.counts(EVENT)
    assert (counts.serving, counts.tokens) == (5, 1)
