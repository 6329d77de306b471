# SPDX-License-Identifier: Apache-2.0
"""What every kind of counters does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.contract.fed_counters import FedCounters
from tests.support import servers
from tests.support.fakes.counters import MemoryCounters
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import LiveToken, Snapshot
from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.ports.counters import Counters, JoinLease, RebuildLease
from waiting_room.domain.records import (
    EventState,
    Segment,
    ServingMove,
    SessionStatus,
    StateDetails,
)

NOW = 1_800_000_000


# Stores of tests that hold for every kind of counters; the others are of copies.
every_store = pytest.mark.parametrize(
    "counters", ["memory", "valkey", "moto", "dynamodb_local"], indirect=True
)


def whole(counters: Counters, event_id: str, **state: int) -> EventState:
    found = EventState(event_id, **state)  # type: ignore[arg-type]
    if isinstance(counters, FedCounters):
        counters.apply(found)
        return found
    assert rebuilt(counters, Snapshot(found, (), ()))
    return found


def rebuilt(
    counters: Counters, snapshot: Snapshot, *, force: bool = False, turn: str = "t"
) -> bool:
    answer = counters.acquire_rebuild_lease(snapshot.state.event_id, turn, force=force)
    assert answer is not RebuildLease.HELD
    return answer is RebuildLease.ACQUIRED and counters.restore(snapshot, turn)


def test_counters_never_seen_are_lost(counters: Counters, event_id: str) -> None:
    with pytest.raises(CountersLost):
        counters.counts(event_id, NOW)
    with pytest.raises(CountersLost):
        counters.position_status(event_id, 1)
    with pytest.raises(CountersLost):
        counters.count_token(event_id, 1, 1, NOW)
    with pytest.raises(CountersLost):
        counters.apply(EventState(event_id))
    with pytest.raises(CountersLost):
        counters.trim(event_id, NOW)


def test_a_restored_copy_says_what_the_tables_said(counters: Counters, event_id: str) -> None:
    state = EventState(
        event_id, generation=3, queue=50, reconciled_through=20, holes=2,
        serving=15, version=2, move=ServingMove(2, 10, 15, NOW, "operator"), expired_through=5,
        expired=1, settled_through=2, settled_tokens=2, settled_completed=1,
    )  # fmt: skip
    details = StateDetails("soon", 5.0, unused_positions=(10, 30))
    moves = (ServingMove(1, 0, 10, NOW - 1000, "operator"), state.move)
    tokens = (
        LiveToken(7, NOW + 60, SessionStatus.OPEN),
        LiveToken(8, NOW + 60, SessionStatus.ABANDONED),
        LiveToken(9, NOW, SessionStatus.OPEN),
    )
    snapshot = Snapshot(state, moves, tokens, details=details)  # type: ignore[arg-type]
    assert rebuilt(counters, snapshot)
    counts = counters.counts(event_id, NOW)
    assert (counts.generation, counts.queue, counts.serving, counts.message) == (3, 50, 15, "soon")
    assert (counts.holes, counts.tokens, counts.expired) == (3, 5, 1)
    assert (counts.active, counts.completed, counts.abandoned) == (1, 1, 1)
    assert counts.waiting == 50 - 3 - 5 - 1
    assert counts.admitted_recently == 5
    place = counters.position_status(event_id, 12)
    assert (place.generation, place.serving, place.expired_through) == (3, 15, 5)
    assert (place.served_at, place.counted) == (NOW, False)
    assert counters.position_status(event_id, 9).counted
    assert counters.position_status(event_id, 1).counted
    assert counters.position_status(event_id, 16).served_at is None


def test_a_second_rebuild_changes_nothing_unless_forced(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, queue=5)
    assert not rebuilt(counters, Snapshot(EventState(event_id, queue=9), (), ()))
    assert counters.counts(event_id, NOW).queue == 5
    assert rebuilt(counters, Snapshot(EventState(event_id, queue=9), (), ()), force=True)
    assert counters.counts(event_id, NOW).queue == 9


@every_store
def test_a_token_counts_once_and_only_in_its_generation(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, generation=2, queue=9)
    for _ in range(3):
        counters.count_token(event_id, 2, 4, NOW + 10)
        counters.count_token(event_id, 1, 5, NOW + 10)
    assert (counters.counts(event_id, NOW).tokens, counters.counts(event_id, NOW).active) == (1, 1)
    assert counters.counts(event_id, NOW + 10).active == 0


def test_a_token_of_a_later_generation_than_the_copy_is_a_loss(
    counters: Counters, event_id: str
) -> None:
    whole(counters, event_id, generation=2, queue=9)
    with pytest.raises(CountersLost):
        counters.count_token(event_id, 3, 4, NOW + 10)


@every_store
def test_an_ended_session_counts_once_with_its_token(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, queue=9)
    counters.count_token(event_id, 1, 1, NOW + 10)
    for _ in range(2):
        counters.count_session(event_id, 1, 1, NOW + 10, SessionStatus.COMPLETED)
        counters.count_session(event_id, 1, 2, NOW + 10, SessionStatus.ABANDONED)
    counts = counters.counts(event_id, NOW)
    assert (counts.tokens, counts.active, counts.completed, counts.abandoned) == (2, 0, 1, 1)


@every_store
def test_a_session_counts_until_its_latest_end(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, queue=9)
    for until in (0, NOW + 20, NOW + 30, NOW + 25):
        counters.count_token(event_id, 1, 2, NOW + 10, until)
    counters.count_token(event_id, 1, 3, NOW + 10)
    counters.count_token(event_id, 1, 4, NOW + 10, NOW + 20)
    counts = counters.counts(event_id, NOW)
    assert (counts.tokens, counts.active, counts.sessions) == (3, 3, 2)
    assert [counters.counts(event_id, NOW + s).sessions for s in (19, 20, 29, 30)] == [2, 1, 1, 0]
    assert counters.counts(event_id, NOW + 10).active == 0


def test_a_session_below_the_settled_mark_is_not_counted(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, queue=9, settled_through=1, settled_tokens=1)
    counters.count_token(event_id, 1, 1, NOW + 10, NOW + 20)
    counts = counters.counts(event_id, NOW)
    assert (counts.tokens, counts.active, counts.sessions) == (1, 0, 0)


@every_store
def test_an_ended_session_is_counted_no_more(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, queue=9)
    counters.count_token(event_id, 1, 2, NOW + 10, NOW + 20)
    counters.count_session(event_id, 1, 2, NOW + 10, SessionStatus.COMPLETED)
    counters.count_token(event_id, 1, 2, NOW + 10, NOW + 30)  # a late delivery of a renewal
    counts = counters.counts(event_id, NOW + 15)
    assert (counts.tokens, counts.sessions, counts.completed, counts.active) == (1, 0, 1, 0)
    counters.apply(EventState(event_id, generation=2))
    counters.count_token(event_id, 2, 2, NOW + 10, NOW + 20)
    assert counters.counts(event_id, NOW).sessions == 1
    counters.apply(EventState(event_id, generation=3))
    assert counters.counts(event_id, NOW).sessions == 0


@pytest.mark.parametrize("by_checkpoint", [False, True])
def test_a_rebuild_restores_the_sessions(
    counters: Counters, event_id: str, by_checkpoint: bool
) -> None:
    rows = (
        LiveToken(2, NOW + 10, SessionStatus.OPEN, NOW + 20),
        LiveToken(3, NOW + 10, SessionStatus.COMPLETED, 0),
        LiveToken(4, NOW + 10, SessionStatus.OPEN),
        LiveToken(5, NOW + 10, SessionStatus.OPEN, NOW + 30),
    )
    state = EventState(event_id, queue=9)
    assert rebuilt(counters, Snapshot(state, (), rows))
    if by_checkpoint:
        assert counters.trim(event_id, NOW).changed
        checkpoint = counters.checkpoint(event_id, NOW)
        assert not counters.trim(event_id, NOW).changed
        counters.count_token(event_id, 1, 2, NOW + 10, NOW + 25)
        assert counters.trim(event_id, NOW).changed, "a renewal needs a new checkpoint"
        assert rebuilt(counters, Snapshot(state, (), (), checkpoint), force=True)
        counters.recount(event_id, 1, [replace(rows[0], until=NOW + 25)], 0)
    ends = (NOW + 19, NOW + 20, NOW + 24, NOW + 25, NOW + 30)
    expected = [2, 2, 2, 1, 0] if by_checkpoint else [2, 1, 1, 1, 0]
    assert [counters.counts(event_id, at).sessions for at in ends] == expected
    counters.recount(event_id, 1, [LiveToken(5, NOW + 10, SessionStatus.ABANDONED)], 0)
    assert counters.counts(event_id, NOW + 25).sessions == 0
    counters.trim(event_id, NOW + 9999)
    assert counters.counts(event_id, NOW).sessions == 0


def test_figures_below_the_settled_mark_never_change(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, queue=9, settled_through=3, settled_tokens=3)
    counters.count_token(event_id, 1, 3, NOW + 10)
    counters.count_session(event_id, 1, 2, NOW + 10, SessionStatus.COMPLETED)
    counts = counters.counts(event_id, NOW)
    assert (counts.tokens, counts.completed, counts.active) == (3, 0, 0)


@every_store
def test_the_copy_follows_and_never_falls_behind(counters: Counters, event_id: str) -> None:
    first = whole(counters, event_id)
    older = replace(first, queue=10)
    newer = replace(
        serving_counter.move(older, 6, NOW, "operator"), queue=20, reconciled_through=5, holes=1,
        expired_through=2, expired=1,
    )  # fmt: skip
    for state, details in (
        (older, StateDetails(unused_positions=(4, 9))),
        (newer, StateDetails("hello", 2.0)),
        (older, StateDetails("earlier", 1.5, unused_positions=(4, 9))),
    ):
        counters.apply(state, details=details)
    counts = counters.counts(event_id, NOW)
    assert (counts.queue, counts.serving, counts.expired, counts.message) == (20, 6, 1, "hello")
    assert counts.holes == 2
    assert counters.position_status(event_id, 6).served_at == NOW


def test_a_missing_move_is_noticed_and_the_log_fills_it_in(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=30)
    one = serving_counter.move(state, 5, NOW - 50, "operator")
    two = serving_counter.move(one, 5, NOW, "operator")
    with pytest.raises(CountersLost):
        counters.apply(two)
    assert one.move
    assert two.move
    counters.apply(two, [one.move, two.move])
    assert counters.position_status(event_id, 5).served_at == NOW - 50
    assert counters.position_status(event_id, 6).served_at == NOW


@every_store
def test_a_move_back_ends_the_service_of_those_above(counters: Counters, event_id: str) -> None:
    state = whole(counters, event_id, queue=30)
    for by, at in ((10, NOW - 90), (10, NOW - 60), (-15, NOW - 30), (3, NOW)):
        state = serving_counter.move(state, by, at, "operator")
        counters.apply(state)
    assert counters.counts(event_id, NOW).serving == 8
    assert counters.position_status(event_id, 5).served_at == NOW - 90
    assert counters.position_status(event_id, 6).served_at == NOW
    assert counters.position_status(event_id, 9).served_at is None


@every_store
def test_a_later_generation_empties_the_copy_and_an_older_one_does_nothing(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=30, serving=4, version=1, holes=3, reconciled_through=9)
    counters.count_token(event_id, 1, 1, NOW + 9)
    counters.count_session(event_id, 1, 1, NOW + 9, SessionStatus.COMPLETED)
    counters.apply(EventState(event_id, generation=2))
    counters.apply(replace(state, queue=99))
    counts = counters.counts(event_id, NOW)
    assert (counts.generation, counts.queue, counts.serving, counts.tokens) == (2, 0, 0, 0)
    assert (counts.holes, counts.active, counts.completed, counts.waiting) == (0, 0, 0, 0)


@every_store
def test_the_rate_counts_the_last_five_minutes(counters: Counters, event_id: str) -> None:
    state = whole(counters, event_id, queue=500)
    assert counters.counts(event_id, NOW).admitting_since == 0
    for by, at in ((100, NOW - 301), (20, NOW - 299), (30, NOW), (-10, NOW)):
        state = serving_counter.move(state, by, at, "operator")
        counters.apply(state)
    counts = counters.counts(event_id, NOW)
    assert (counts.admitted_recently, counts.admitting_since) == (40, NOW - 301)


@every_store
def test_dead_tokens_leave_the_live_figures_without_changing_them(
    counters: Counters, event_id: str
) -> None:
    whole(counters, event_id, queue=9)
    counters.count_token(event_id, 1, 1, NOW)
    counters.count_token(event_id, 1, 2, NOW + 5000)
    before = counters.counts(event_id, NOW + 4000)
    counters.trim(event_id, NOW + 4000)
    counters.count_session(event_id, 1, 1, NOW, SessionStatus.COMPLETED)
    after = counters.counts(event_id, NOW + 4000)
    assert (before.active, after.active, after.tokens) == (1, 1, 2)


def test_a_join_is_claimed_by_one_worker_until_the_claim_is_old(
    counters: Counters, event_id: str
) -> None:
    whole(counters, event_id)
    assert counters.acquire_join_leases(event_id, ["a", "b"], NOW) == [JoinLease.NEW, JoinLease.NEW]
    assert counters.acquire_join_leases(event_id, ["b", "c"], NOW + 60) == [
        JoinLease.HELD,
        JoinLease.NEW,
    ]
    assert counters.acquire_join_leases(event_id, ["a"], NOW + 61) == [JoinLease.STALE]
    assert counters.acquire_join_leases(event_id, ["a"], NOW + 62) == [JoinLease.HELD]


def test_a_join_whose_worker_gave_it_up_is_had_by_the_next(
    counters: Counters, event_id: str
) -> None:
    whole(counters, event_id)
    counters.acquire_join_leases(event_id, ["a", "b"], NOW)
    counters.release_join_leases(event_id, ["a", "c"], NOW)
    assert counters.acquire_join_leases(event_id, ["a", "b", "c"], NOW + 1) == [
        JoinLease.STALE, JoinLease.HELD, JoinLease.STALE,
    ]  # fmt: skip
    assert counters.acquire_join_leases(event_id, ["a"], NOW + 2) == [JoinLease.HELD]


def test_a_request_twice_in_one_batch_is_this_workers_both_times(
    counters: Counters, event_id: str
) -> None:
    whole(counters, event_id)
    assert counters.acquire_join_leases(event_id, ["a", "a"], NOW) == [JoinLease.NEW, JoinLease.NEW]
    assert counters.acquire_join_leases(event_id, ["a", "a"], NOW + 61) == [
        JoinLease.STALE,
        JoinLease.STALE,
    ]


def test_a_claim_is_forgotten_after_the_hour_that_follows_its_own(
    counters: Counters, event_id: str
) -> None:
    whole(counters, event_id)
    hour = NOW // 3600 * 3600
    counters.acquire_join_leases(event_id, ["a"], hour + 3599)
    assert counters.acquire_join_leases(event_id, ["a"], hour + 7199) == [JoinLease.STALE]
    assert counters.acquire_join_leases(event_id, ["a"], hour + 4 * 3600) == [JoinLease.NEW]


def test_lost_counters_forget_no_claim_in_silence(counters: Counters, event_id: str) -> None:
    """Whoever had a join is unknown then: the caller must ask the rows."""
    with pytest.raises(CountersLost):
        counters.acquire_join_leases(event_id, ["a"], NOW)


def test_old_moves_that_only_swept_positions_need_are_forgotten(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=30)
    for by, at in ((10, NOW - 900), (10, NOW - 600), *((1, NOW - 5 + age) for age in range(6))):
        state = serving_counter.move(state, by, at, "operator")
        counters.apply(state)
    counters.apply(replace(state, expired_through=10, expired=10))
    assert counters.counts(event_id, NOW).admitting_since == NOW - 900
    counters.trim(event_id, NOW)
    assert counters.counts(event_id, NOW).admitting_since == NOW - 600
    assert counters.position_status(event_id, 11).served_at == NOW - 600


def test_the_latest_moves_stay_and_so_does_the_time_of_the_first(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=99)
    assert counters.counts(event_id, NOW).latest == ()
    assert counters.counts(event_id, NOW).first_moved_at == 0
    for number in range(1, 9):
        state = serving_counter.move(state, 10, NOW - 1_000 + 50 * number, "operator")
        counters.apply(state)
    counters.apply(replace(state, expired_through=80, expired=80))
    latest = tuple(
        Segment(10 * number - 9, 10 * number, NOW - 1_000 + 50 * number) for number in range(3, 9)
    )
    for _ in range(2):
        counters.trim(event_id, NOW)
        counts = counters.counts(event_id, NOW)
        assert (counts.admitting_since, counts.first_moved_at) == (latest[0].at, NOW - 950)
        assert (counts.latest, counts.admitted_at) == (latest, NOW - 600)
    counters.apply(serving_counter.move(state, -25, NOW, "operator"))
    counts = counters.counts(event_id, NOW)
    assert counts.latest == (*latest[:3], Segment(51, 55, NOW - 700))
    assert counts.first_moved_at == NOW - 950
    counters.apply(EventState(event_id, generation=2))
    assert counters.counts(event_id, NOW).first_moved_at == 0


@every_store
def test_the_time_of_the_first_move_stays_after_a_move_back_to_zero(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=30)
    for by, at in ((10, NOW - 60), (-10, NOW - 40), (5, NOW - 20)):
        state = serving_counter.move(state, by, at, "operator")
        counters.apply(state)
        assert counters.counts(event_id, NOW).first_moved_at == NOW - 60


@every_store
def test_the_last_minute_is_counted_beside_the_rate_window(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=99)
    for by, at in ((1, NOW - 300), (2, NOW - 60), (4, NOW - 59), (8, NOW)):
        state = serving_counter.move(state, by, at, "operator")
        counters.apply(state)
    counts = counters.counts(event_id, NOW)
    assert (counts.admitted_recently, counts.admitted_shortly) == (14, 12)


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001])
def test_the_oldest_of_many_moves_is_known(counters: Counters, event_id: str, count: int) -> None:
    moves = [ServingMove(n, n - 1, n, NOW - 2_000 + n, "operator") for n in range(1, count + 1)]
    state = EventState(event_id, queue=count, serving=count, version=count, move=moves[-1])
    assert rebuilt(counters, Snapshot(state, tuple(moves), ()))
    counts = counters.counts(event_id, NOW)
    assert (counts.admitting_since, counts.first_moved_at) == (NOW - 1_999, NOW - 1_999)
    assert counts.admitted_at == NOW - 2_000 + count
    assert [part.last for part in counts.latest] == list(range(1, count + 1))[-6:]


def test_a_restored_copy_has_the_moves_that_the_tables_have(
    counters: Counters, event_id: str
) -> None:
    moves = (ServingMove(1, 0, 10, NOW - 90, "operator"), ServingMove(2, 10, 15, NOW, "sweep"))
    state = EventState(event_id, queue=50, serving=15, version=2, move=moves[1])
    assert rebuilt(counters, Snapshot(state, moves, ()))
    counts = counters.counts(event_id, NOW)
    assert counts.latest == (Segment(1, 10, NOW - 90), Segment(11, 15, NOW))
    assert (counts.first_moved_at, counts.admitted_shortly) == (NOW - 90, 5)


def test_one_caller_rebuilds_while_others_wait(counters: Counters, event_id: str) -> None:
    assert counters.acquire_rebuild_lease(event_id, "one") is RebuildLease.ACQUIRED
    assert counters.acquire_rebuild_lease(event_id, "one") is RebuildLease.ACQUIRED
    assert counters.acquire_rebuild_lease(event_id, "two") is RebuildLease.HELD
    counters.release_rebuild_lease(event_id, "two")
    assert counters.acquire_rebuild_lease(event_id, "two") is RebuildLease.HELD
    counters.release_rebuild_lease(event_id, "one")
    assert counters.acquire_rebuild_lease(event_id, "two") is RebuildLease.ACQUIRED
    assert counters.restore(Snapshot(EventState(event_id, queue=3), (), ()), "two")
    assert counters.acquire_rebuild_lease(event_id, "one") is RebuildLease.NOT_NEEDED


def test_what_was_read_before_the_latest_loss_is_not_restored(
    counters: Counters, event_id: str
) -> None:
    assert counters.acquire_rebuild_lease(event_id, "slow") is RebuildLease.ACQUIRED
    old = Snapshot(EventState(event_id), (), ())
    assert rebuilt(counters, Snapshot(EventState(event_id), (), ()), turn="slow")
    counters.count_token(event_id, 1, 1, NOW + 60)
    assert (
        counters.acquire_rebuild_lease(event_id, "quick", force=True) is RebuildLease.ACQUIRED
    )  # lost again
    for call in (counters.renew_rebuild_lease, lambda *_: counters.restore(old, "slow")):
        with pytest.raises(CountersLost):
            call(event_id, "slow")
    counters.renew_rebuild_lease(event_id, "quick")
    assert counters.restore(Snapshot(EventState(event_id, queue=7), (), ()), "quick")
    assert not counters.restore(old, "slow")
    assert counters.counts(event_id, NOW).queue == 7


def test_a_slow_rebuild_counts_although_its_turn_was_over(
    counters: Counters, event_id: str
) -> None:
    assert counters.acquire_rebuild_lease(event_id, "slow") is RebuildLease.ACQUIRED
    counters.release_rebuild_lease(event_id, "slow")  # as its time does
    assert counters.acquire_rebuild_lease(event_id, "quick") is RebuildLease.ACQUIRED
    assert counters.acquire_rebuild_lease(event_id, "slow") is RebuildLease.HELD
    counters.renew_rebuild_lease(event_id, "slow")
    assert counters.restore(Snapshot(EventState(event_id, queue=7), (), ()), "slow")
    with pytest.raises(CountersLost):
        counters.renew_rebuild_lease(event_id, "quick")
    assert not counters.restore(Snapshot(EventState(event_id, queue=6), (), ()), "quick")


@every_store
def test_the_copy_knows_when_it_was_kept_up_and_a_reset_keeps_that(
    counters: Counters, event_id: str
) -> None:
    first = whole(counters, event_id)

    def noted() -> tuple[int, int, int]:
        counts = counters.counts(event_id, NOW)
        return counts.reconciled_at, counts.swept_at, counts.admitted_at

    assert noted() == (0, 0, 0)
    counters.trim(event_id, NOW, reconciled_at=NOW)
    counters.trim(event_id, NOW + 60, swept_at=NOW + 60)
    assert noted() == (NOW, NOW + 60, 0)
    counters.trim(event_id, NOW, reconciled_at=NOW - 5, swept_at=NOW - 5)  # another clock
    assert noted() == (NOW, NOW + 60, 0)
    one = serving_counter.move(first, 40, NOW - 100, "operator")
    counters.apply(one)
    counters.apply(serving_counter.move(one, 5, NOW - 7, "operator"))
    assert noted() == (NOW, NOW + 60, NOW - 7)
    counters.apply(EventState(event_id, generation=2))
    assert noted() == (NOW, NOW + 60, 0)


def test_a_checkpoint_and_what_came_after_it_make_the_same_copy(
    counters: Counters, event_id: str
) -> None:
    first = whole(
        counters, event_id, queue=90, settled_through=2, settled_tokens=2, settled_completed=1
    )
    one = serving_counter.move(first, 40, NOW - 400, "operator")
    counters.apply(one)
    for position in range(3, 20):
        counters.count_token(event_id, 1, position, NOW + position)
    counters.count_session(event_id, 1, 4, NOW + 4, SessionStatus.ABANDONED)
    assert counters.trim(event_id, NOW).changed
    kept = counters.checkpoint(event_id, NOW)
    assert not counters.trim(event_id, NOW).changed
    two = serving_counter.move(one, 10, NOW, "operator")
    counters.apply(two)
    counters.count_token(event_id, 1, 30, NOW + 60)
    counters.count_session(event_id, 1, 5, NOW + 5, SessionStatus.COMPLETED)
    assert counters.trim(event_id, NOW).changed
    before = [counters.counts(event_id, NOW), counters.position_status(event_id, 30)]
    assert two.move
    rows = (
        LiveToken(2, NOW + 9, SessionStatus.OPEN),  # settled: in the figures for good
        LiveToken(3, NOW + 3, SessionStatus.OPEN),
        LiveToken(4, NOW + 4, SessionStatus.ABANDONED),
        LiveToken(5, NOW + 5, SessionStatus.COMPLETED),
        LiveToken(30, NOW + 60, SessionStatus.OPEN),
    )
    state = replace(two, settled_tokens=2)
    assert rebuilt(counters, Snapshot(state, (two.move,), rows, kept), force=True)
    assert [counters.counts(event_id, NOW), counters.position_status(event_id, 30)] == before
    for second in range(3, 70):
        assert counters.counts(event_id, NOW + second).active == still_active(second)


def still_active(second: int) -> int:
    return sum(dies > second for dies in (3, *range(6, 20), 60))


def test_rows_left_out_by_a_rebuild_are_counted_later_and_once(
    counters: Counters, event_id: str
) -> None:
    found = EventState(event_id, queue=90)
    assert rebuilt(counters, Snapshot(found, (), (), None, 50))
    assert counters.trim(event_id, NOW).unverified == 50
    counters.count_token(event_id, 1, 44, NOW + 60)
    rows = [
        LiveToken(44, NOW + 60, SessionStatus.OPEN),
        LiveToken(45, NOW + 60, SessionStatus.OPEN),
        LiveToken(46, NOW + 60, SessionStatus.COMPLETED),
    ]
    for _ in range(2):
        counters.recount(event_id, 1, rows, 40)
        counters.recount(event_id, 0, rows, 30)
    counts = counters.counts(event_id, NOW)
    assert (counts.tokens, counts.active, counts.completed) == (3, 2, 1)
    assert counters.trim(event_id, NOW).unverified == 40
    counters.recount(event_id, 1, [], 0)
    assert counters.trim(event_id, NOW).unverified == 0


@every_store
def test_an_announced_write_is_remembered_until_the_copy_has_it(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=9)
    counters.apply(replace(state, lowering=1))
    counters.apply(state)  # a writer that read before the announcement
    for read in (counters.counts(event_id, NOW), counters.position_status(event_id, 1)):
        assert (read.generation, read.version, read.lowering) == (1, 0, 1)
    counters.apply(serving_counter.move(state, 3, NOW, "operator"))
    for read in (counters.counts(event_id, NOW), counters.position_status(event_id, 1)):
        assert (read.version, read.lowering) == (1, 1)
    counters.apply(EventState(event_id, generation=2))
    for read in (counters.counts(event_id, NOW), counters.position_status(event_id, 1)):
        assert (read.generation, read.version, read.lowering) == (2, 0, 0)


def test_a_restored_copy_knows_the_announcement(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, lowering=4, version=3)
    assert counters.counts(event_id, NOW).lowering == 4
    assert counters.position_status(event_id, 1).lowering == 4


def test_rebuilds_under_way_are_ended_and_read_again(counters: Counters, event_id: str) -> None:
    assert counters.acquire_rebuild_lease(event_id, "one") is RebuildLease.ACQUIRED
    assert counters.revoke_rebuild_leases(event_id)
    with pytest.raises(CountersLost):
        counters.renew_rebuild_lease(event_id, "one")
    with pytest.raises(CountersLost):
        counters.restore(Snapshot(EventState(event_id), (), ()), "one")
    assert counters.acquire_rebuild_lease(event_id, "two") is RebuildLease.ACQUIRED
    assert counters.restore(Snapshot(EventState(event_id, queue=3), (), ()), "two")
    assert not counters.revoke_rebuild_leases(event_id)
    assert counters.counts(event_id, NOW).queue == 3


@contextmanager
def refusing(counters: Counters) -> Iterator[None]:
    """The server lacks its replicas: reads work, writes are refused."""
    if isinstance(counters, MemoryCounters):
        counters.refuses_writes = True
        yield
        counters.refuses_writes = False
        return
    client = counters._client  # type: ignore[attr-defined]
    client.config_set("min-replicas-to-write", 1)
    try:
        yield
    finally:
        client.config_set("min-replicas-to-write", 0)


def test_a_server_that_refuses_writes_answers_what_it_holds_and_changes_nothing(
    counters: Counters, event_id: str
) -> None:
    state = whole(counters, event_id, queue=9, settled_through=2)
    unused = StateDetails(unused_positions=(5,))
    counters.apply(state, details=unused)
    counters.count_token(event_id, 1, 3, NOW + 10)
    held = counters.counts(event_id, NOW)
    moved = serving_counter.move(state, 3, NOW, "operator")
    row = LiveToken(4, NOW + 10, SessionStatus.OPEN)
    with refusing(counters):
        for answered in (
            lambda: counters.counts(event_id, NOW),
            lambda: counters.position_status(event_id, 1),
            lambda: counters.apply(state),  # nothing new in it
            lambda: counters.count_token(event_id, 1, 2, NOW),  # settled
            lambda: counters.acquire_rebuild_lease(event_id, "t"),
            lambda: counters.release_rebuild_lease(event_id, "t"),
            lambda: counters.revoke_rebuild_leases(event_id),
            lambda: counters.recount(event_id, 1, [], 0),
            lambda: counters.trim(event_id, NOW),
        ):
            answered()
        for refused in (
            lambda: counters.apply(moved),
            lambda: counters.apply(replace(state, queue=10)),
            lambda: counters.apply(replace(state, lowering=1)),
            lambda: counters.apply(state, details=StateDetails("m", 1.0)),
            lambda: counters.apply(state, details=unused),  # written again
            lambda: counters.apply(replace(state, generation=2)),
            lambda: counters.count_token(event_id, 1, 3, NOW + 10),
            lambda: counters.count_session(event_id, 1, 3, NOW, SessionStatus.COMPLETED),
            lambda: counters.recount(event_id, 1, [row], 0),
            lambda: counters.acquire_join_leases(event_id, ["a"], NOW),
            lambda: counters.checkpoint(event_id, NOW),
            lambda: counters.acquire_rebuild_lease(event_id, "t", force=True),
        ):
            with pytest.raises(Unavailable):
                refused()
        assert counters.counts(event_id, NOW) == held
    counters.apply(moved)
    assert counters.counts(event_id, NOW).serving == 3


def test_lost_counters_are_not_rebuilt_while_writes_are_refused(
    counters: Counters, event_id: str
) -> None:
    snapshot = Snapshot(EventState(event_id), (), ())
    assert counters.acquire_rebuild_lease(event_id, "one") is RebuildLease.ACQUIRED
    with refusing(counters):
        assert counters.acquire_rebuild_lease(event_id, "two") is RebuildLease.HELD
        for refused in (
            lambda: counters.acquire_rebuild_lease(event_id, "one"),
            lambda: counters.renew_rebuild_lease(event_id, "one"),
            lambda: counters.restore(snapshot, "one"),
            lambda: counters.revoke_rebuild_leases(event_id),
            lambda: counters.release_rebuild_lease(event_id, "one"),
        ):
            with pytest.raises(Unavailable):
                refused()
        with pytest.raises(CountersLost):
            counters.counts(event_id, NOW)
    assert counters.restore(snapshot, "one")


def test_the_copy_of_a_deleted_event_ends(counters: Counters, event_id: str) -> None:
    state = whole(counters, event_id, generation=2, queue=9)
    other = whole(counters, f"{event_id}-2", queue=5)
    counters.count_token(event_id, 2, 1, NOW + 60)
    counters.discard(event_id, 2, 0)
    with pytest.raises(CountersLost):
        counters.counts(event_id, NOW)
    with pytest.raises(CountersLost):
        counters.count_token(event_id, 2, 2, NOW + 60)
    assert counters.counts(other.event_id, NOW).queue == 5
    counters.discard(event_id, 2, 0)  # once more, without a copy
    assert rebuilt(counters, Snapshot(replace(state, generation=3, queue=1), (), ()))
    found = counters.counts(event_id, NOW)
    assert (found.generation, found.queue, found.tokens) == (3, 1, 0)


def test_the_copy_of_a_later_generation_stays(counters: Counters, event_id: str) -> None:
    whole(counters, event_id, generation=3, queue=9)
    counters.discard(event_id, 2, 0)
    assert counters.counts(event_id, NOW).queue == 9


def test_a_rebuild_that_began_before_the_deletion_restores_nothing(
    counters: Counters, event_id: str
) -> None:
    state = EventState(event_id, generation=2, queue=9)
    assert counters.acquire_rebuild_lease(event_id, "t") is RebuildLease.ACQUIRED
    counters.discard(event_id, 2, 0)
    with pytest.raises(CountersLost):
        counters.restore(Snapshot(state, (), ()), "t")


def test_all_keys_of_a_deleted_event_end_at_once_unless_the_id_is_used_again(
    valkey: servers.Valkey, event_id: str
) -> None:
    client = valkey.client()
    counters = RedisCounters(client)
    whole(counters, event_id, generation=2, queue=9)
    counters.apply(
        EventState(event_id, generation=2, queue=9, version=1, serving=4,
                   move=ServingMove(1, 0, 4, NOW, "operator")),
        details=StateDetails("soon", 5.0, unused_positions=(7,)),
    )  # fmt: skip
    counters.count_session(event_id, 2, 1, NOW + 60, SessionStatus.OPEN)
    keys = client.keys(f"*{{{event_id}}}*")
    assert len(keys) == 8
    counters.discard(event_id, 2, 60)
    assert counters.counts(event_id, NOW).queue == 9, "a late reader does not rebuild the copy"
    assert len({client.pexpiretime(key) for key in keys}) == 1
    assert 0 < client.ttl(keys[0]) <= 60
    counters.apply(EventState(event_id, generation=3))
    left = client.keys(f"*{{{event_id}}}*")
    assert left
    assert {client.ttl(key) for key in left} == {-1}
