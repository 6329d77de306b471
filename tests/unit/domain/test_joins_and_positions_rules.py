# SPDX-License-Identifier: Apache-2.0
"""Rules of positions by themselves: records, moves, turns, the sweep, reconciliation, metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of
from waiting_room.domain import expiry, metrics, reconciliation, serving_counter
from waiting_room.domain.counter_snapshot import (
    LiveToken,
    Snapshot,
    TokenTally,
)
from waiting_room.domain.errors import PositionExpired
from waiting_room.domain.limits import CLOCK_STEP, RATE_WINDOW
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt
from waiting_room.domain.ports.serving_log import Attempt, Reservation
from waiting_room.domain.records import (
    Counts,
    EventState,
    Join,
    Outcome,
    OutcomeKind,
    Position,
    Segment,
    ServingMove,
    SessionStatus,
    StateDetails,
)

OPEN, COMPLETED, ABANDONED = SessionStatus.OPEN, SessionStatus.COMPLETED, SessionStatus.ABANDONED
NOW = 1_800_000_000


# --- records ----------------------------------------------------------------------------------


def test_a_new_event_begins_with_its_first_generation_and_nothing_in_it() -> None:
    state = EventState(EVENT)
    assert (state.generation, state.move) == (1, None)
    assert StateDetails() == StateDetails("", 0.0, ())
    for name in (
        "reset_at", "queue", "reconciled_through", "holes", "pending_through", "pending_since",
        "serving", "version", "expired_through", "expired", "settled_through", "settled_tokens",
        "settled_completed", "settled_abandoned", "lowering",
    ):  # fmt: skip
        assert getattr(state, name) == 0, name


def test_what_a_record_does_not_say_is_nothing() -> None:
    assert Receipt("handle").count == 1
    assert DeadLetter("m", "b", "r").sent_at_ms == 0
    row = Outcome(EVENT, 1, 1, "r", OutcomeKind.EXPIRED, NOW)
    assert (row.expires_at, row.status, row.is_token) == (0, OPEN, False)
    empty = TokenTally()
    assert (empty.base, empty.tokens, empty.completed, empty.abandoned) == (0, 0, 0, 0)
    snapshot = Snapshot(EventState(EVENT), (), ())
    assert (snapshot.unverified, snapshot.details) == (0, StateDetails())
    assert list(Reservation(EventState(EVENT)).unused) == []
    counts = Counts(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    told = counts.version, counts.lowering, counts.reconciled_at, counts.swept_at
    told = *told, counts.admitted_at, counts.admitted_shortly, counts.first_moved_at
    assert (told, counts.latest) == ((0,) * 7, ())
    attempt = Attempt()
    assert (attempt.slot, attempt.token, attempt.lost, attempt.lost_count) == (0, "", "", 0)


@pytest.mark.parametrize(
    ("status", "kind", "now", "active"),
    [
        (OPEN, OutcomeKind.TOKEN, NOW - 1, True),
        (OPEN, OutcomeKind.TOKEN, NOW, False),
        (COMPLETED, OutcomeKind.TOKEN, NOW - 1, False),
        (OPEN, OutcomeKind.EXPIRED, NOW - 1, False),
    ],
)
def test_an_active_token_is_one_that_lives_and_was_not_ended(
    status: SessionStatus, kind: OutcomeKind, now: int, active: bool
) -> None:
    row = Outcome(EVENT, 1, 1, "r", kind, 0, expires_at=NOW, status=status)
    assert row.is_active(now) is active


def test_a_lost_attempt_took_the_end_of_the_range_before_the_next_one() -> None:
    attempt = Attempt(lost="mine", lost_count=3)
    assert list(attempt.unused("mine", 10)) == [8, 9, 10]
    assert list(attempt.unused("another", 10)) == []
    assert list(Attempt(lost="", lost_count=3).unused("", 10)) == []


def test_nobody_waits_below_zero() -> None:
    counts = Counts(1, queue=9, serving=0, holes=1, tokens=2, expired=3, active=0, completed=0,
                    abandoned=0, admitted_recently=0, admitting_since=0)  # fmt: skip
    assert counts.waiting == 3
    assert replace(counts, queue=5).waiting == 0


# --- the serving counter ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "now", "at"),
    [
        (NOW, NOW + 5, NOW + 5),
        (NOW, NOW, NOW),
        (NOW, NOW - 1, NOW),  # a clock that is a little behind takes no time away
        (NOW, NOW - CLOCK_STEP, NOW),
        (NOW, NOW - CLOCK_STEP - 1, NOW - CLOCK_STEP - 1),  # that last move was in the future
    ],
)
def test_a_move_is_not_earlier_than_the_one_before_it(last: int, now: int, at: int) -> None:
    first = serving_counter.move(EventState(EVENT, serving=4, version=6), 3, last, "operator")
    assert first.move == ServingMove(7, 4, 7, last, "operator")
    second = serving_counter.move(first, 2, now, "inlet", "mark", "actor")
    assert second.move == ServingMove(8, 7, 9, at, "inlet", "mark", "actor")
    assert (second.serving, second.version) == (9, 8)


def test_a_counter_moved_below_zero_stands_at_zero() -> None:
    back = serving_counter.move(EventState(EVENT, serving=4), -9, NOW, "operator")
    assert (back.serving, back.move.current if back.move else None) == (0, 0)


@pytest.mark.parametrize("by", [1, -1, 1_000_000, -1_000_000])
def test_an_increment_within_the_limits_is_taken(by: int) -> None:
    assert serving_counter.check_increment(by) == by


@pytest.mark.parametrize("by", [0, 1_000_001, -1_000_001, True, False, 1.0, "1", None])
def test_an_increment_beyond_the_limits_is_refused(by: object) -> None:
    assert outcome_of(lambda: serving_counter.check_increment(by)) == "InvalidInput"


def a_move(version: int, previous: int, current: int, at: int = NOW) -> ServingMove:
    return ServingMove(version, previous, current, at, "operator")


@pytest.mark.parametrize(
    ("version", "previous", "at", "after", "enough"),
    [
        (5, 90, NOW, 4, True),  # the next one
        (5, 90, NOW, 5, True),
        (5, 90, NOW, 3, False),  # one is missing, and positions above the swept mark were served
        (5, 50, NOW - RATE_WINDOW - 1, 0, True),
        (5, 51, NOW - RATE_WINDOW - 1, 0, False),  # concerns a position that is not swept
        (5, 50, NOW - RATE_WINDOW, 0, False),  # concerns the rate
        (5, 90, NOW - RATE_WINDOW - 1, 0, False),
    ],
)
def test_moves_are_read_until_older_ones_concern_nobody(
    version: int, previous: int, at: int, after: int, enough: bool
) -> None:
    state = EventState(EVENT, expired_through=50, move=a_move(9, 100, 110))
    assert serving_counter.reaches_back(state, a_move(version, previous, 95, at), after) is enough
    assert serving_counter.reaches_back(EventState(EVENT), a_move(version, previous, 95, at), after)


def test_a_position_is_served_since_the_move_that_reached_it() -> None:
    parts = serving_counter.segments([a_move(1, 0, 3, 10), a_move(2, 3, 5, 20)], expired_through=0)
    found = [serving_counter.served_at(parts, position) for position in range(1, 7)]
    assert found == [10, 10, 10, 20, 20, None]
    gap = [Segment(1, 2, 10), Segment(5, 6, 20)]
    assert [serving_counter.served_at(gap, position) for position in (2, 3, 4, 5)] == [
        10,
        None,
        None,
        20,
    ]


def test_a_move_that_is_missing_keeps_out_nobody_above_the_swept_mark() -> None:
    parts = serving_counter.segments([a_move(1, 0, 3, 10), a_move(3, 6, 8, 30)], expired_through=2)
    assert parts == [Segment(1, 2, 10), Segment(3, 6, 30), Segment(7, 8, 30)]
    assert serving_counter.segments([a_move(3, 2, 8, 30)], expired_through=2) == [Segment(3, 8, 30)]
    assert serving_counter.segments([a_move(3, 6, 4, 30)], expired_through=2) == [Segment(3, 4, 30)]
    known = serving_counter.segments(
        [a_move(8, 3, 9, 30)], expired_through=0, version=7, start=[Segment(1, 3, 10)]
    )
    assert known == [Segment(1, 3, 10), Segment(4, 9, 30)]


def test_moves_with_high_versions_follow_one_another_too() -> None:
    moves = [a_move(1001, 0, 3, 10), a_move(1002, 3, 5, 20)]
    parts = serving_counter.segments(moves, expired_through=0, version=1000)
    assert parts == [Segment(1, 3, 10), Segment(4, 5, 20)]


def test_the_rate_counts_the_positions_of_the_last_five_minutes() -> None:
    parts = [Segment(1, 4, NOW - RATE_WINDOW), Segment(5, 9, NOW - RATE_WINDOW + 1)]
    assert serving_counter.admitted_recently(parts, NOW) == 5
    assert serving_counter.admitted_recently([*parts, Segment(10, 10, NOW)], NOW) == 6


@pytest.mark.parametrize(
    ("since", "rate"),
    [(NOW, 50.0), (NOW - 60, 50.0), (NOW - 100, 30.0), (NOW - 300, 10.0), (NOW - 9999, 10.0)],
)
def test_a_young_room_is_measured_since_it_opened_but_over_a_minute(
    since: int, rate: float
) -> None:
    assert serving_counter.rate_per_minute(50, since, NOW) == rate


def counts_of(*moves: tuple[int, int], ago: int = 0) -> Counts:
    """Counts after moves by so many positions at so many seconds after NOW - 1000."""
    parts, first = [], 1
    for by, at in moves:
        parts.append(Segment(first, first + by - 1, NOW - 1000 + at))
        first += by
    now = NOW - 1000 + moves[-1][1] + ago
    return Counts(
        1, 0, 0, 0, 0, 0, 0, 0, 0, serving_counter.admitted_recently(parts, now), 0,
        admitted_shortly=serving_counter.admitted_recently(parts, now, 60),
        first_moved_at=parts[0].at, latest=tuple(parts[-6:]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("moves", "ago", "rate"),
    [
        ([(100, 0)], 0, 100),  # one move says nothing about the next
        ([(100, 0)], 200, 20),
        ([(100, 0)], 400, 0),
        ([(999, 0), (100, 10)], 400, 600),  # the first move's own size says nothing
        ([(100, 10 * step) for step in range(9)], 0, 600),  # a room that has just opened
        ([(100, 10 * step) for step in range(9)], 900, 600),  # a pause
        ([*((100, 10 * step) for step in range(9)), (100, 400)], 0, 600),  # and after it
        ([*((100, 10 * step) for step in range(9)), (100, 110)], 0, 500 * 60 / 70),  # no pause
        ([(100, 60 * step) for step in range(9)], 59, 100),
        (
            [*((100, 60 * step) for step in range(4)), (100, 239)],
            0,
            400 * 60 / 239,
        ),  # a second early
        ([*((100, 60 * step) for step in range(5)), (900, 241)], 0, 500),  # by hand
        ([*((100, 10 * step) for step in range(9)), (900, 81)], 0, 1_300 * 60 / 41),
        ([(5, step) for step in range(6)], 3_600, 300),
        ([(1, 0)] * 6, 3_600, 60),  # one caller's five at once
    ],
)
def test_the_optimistic_rate_is_lowered_neither_by_a_pause_nor_by_the_opening(
    moves: list[tuple[int, int]], ago: int, rate: float
) -> None:
    counts = counts_of(*moves, ago=ago)
    now = NOW - 1000 + moves[-1][1] + ago
    assert serving_counter.optimistic_rate(counts, now) == pytest.approx(rate)


def test_the_optimistic_rate_knows_a_steady_line_whose_latest_moves_are_small() -> None:
    counts = counts_of((6_000, 0), *((1, 250 + 9 * step) for step in range(6)))
    assert serving_counter.optimistic_rate(counts, NOW - 705) == pytest.approx(6_006 * 60 / 300)


@pytest.mark.parametrize(
    ("times", "gap"),
    [
        ([], None),
        ([5], None),
        ([5, 5], None),
        ([5, 5, 8], 3),
        ([0, 10, 320], 10),
        ([0, 10, 320, 330], 10),
        ([0, 60, 80, 120, 140, 180], 40),  # of an inlet and of a sweep
    ],
)
def test_the_usual_gap_of_moves_is_the_middle_one(times: list[int], gap: int | None) -> None:
    assert serving_counter.usual_gap([Segment(at, at, at) for at in times]) == gap


@pytest.mark.parametrize(
    ("waiting", "rate", "seconds"),
    [
        (0, 0.0, 2),
        (0, 100.0, 2),
        (1, 0.0, 12),  # nobody is let in: as if the end were ten minutes away
        (100, 10.0, 12),
        (5, 1.0, 6),
        (5, 0.5, 12),
        (10, 1000.0, 2),
        (20, 10.0, 2),
        (25, 10.0, 3),
        (250, 10.0, 30),
        (1_000_000, 10.0, 30),
    ],
)
def test_a_page_asks_again_after_a_fiftieth_of_its_wait_within_limits(
    waiting: int, rate: float, seconds: int
) -> None:
    assert serving_counter.poll_after(waiting, rate) == seconds


def test_a_move_that_leads_nowhere_is_no_news() -> None:
    in_memory_room = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    in_memory_room.visitors(3)
    in_memory_room.serve(2)
    told = len(in_memory_room.published)
    assert told > 0
    in_memory_room.serve(-2)
    assert len(in_memory_room.published) == told + 1
    in_memory_room.serve(-1)  # it stands at 0
    assert len(in_memory_room.published) == told + 1


# --- turns ------------------------------------------------------------------------------------


def swept_room() -> tuple[InMemoryRoom, list[str]]:
    """Two visitors whose turn was over and swept; the clock stands where it was not over yet."""
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.setup.run()
    visitors = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    served = in_memory_room.clock.now
    for _ in range(2):
        in_memory_room.minute(91)
    in_memory_room.minute(901)
    assert in_memory_room.log.read(EVENT).expired_through == 2
    in_memory_room.clock.now = served + 5
    return in_memory_room, visitors


def test_what_the_sweep_closed_stays_closed_for_a_clock_that_is_behind() -> None:
    in_memory_room, visitors = swept_room()
    with pytest.raises(PositionExpired):
        in_memory_room.room.tokens.time_to_expiry(EVENT, visitors[1])
    with pytest.raises(PositionExpired):
        in_memory_room.token(visitors[1])
    assert (
        in_memory_room.room.sessions.request_status(EVENT, visitors[1])["state"]
        == "position_expired"
    )


def test_a_turn_lasts_for_its_period_and_its_last_second_counts() -> None:
    in_memory_room = InMemoryRoom({"QUEUE_POSITION_EXPIRY_PERIOD": 100})
    in_memory_room.room.workers.setup.run()
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    period = in_memory_room.room.tokens.time_to_expiry(EVENT, visitor)
    in_memory_room.clock.now += period
    assert in_memory_room.room.tokens.time_to_expiry(EVENT, visitor) == 0
    assert in_memory_room.room.sessions.request_status(EVENT, visitor)["state"] == "eligible"
    assert in_memory_room.room.sessions.request_status(EVENT, visitor)["expires_in"] == 0
    in_memory_room.clock.now += 1
    assert (
        outcome_of(lambda: in_memory_room.room.tokens.time_to_expiry(EVENT, visitor))
        == "PositionExpired"
    )
    assert (
        in_memory_room.room.sessions.request_status(EVENT, visitor)["state"] == "position_expired"
    )


def test_the_generation_is_remembered_for_two_seconds_and_by_no_clock_that_went_back() -> None:
    in_memory_room = InMemoryRoom()
    visitor = in_memory_room.visitors(1)[0]
    asked: list[int | None] = []
    real = in_memory_room.positions.store.get_with_generation

    def spied(event_id: str, request_id: str, **options: Any) -> Any:
        asked.append(options["known_generation"])
        return real(event_id, request_id, **options)

    in_memory_room.positions.store.get_with_generation = spied
    begun = in_memory_room.clock.now
    for now in (begun, begun, begun + 1.9, begun + 2, begun + 2.5, begun + 1.9, begun + 2):
        in_memory_room.clock.now = now
        in_memory_room.room.positions.queue_number(EVENT, visitor)
    assert asked == [None, 1, 1, None, 1, None, 1]


# --- the sweep --------------------------------------------------------------------------------


def held(position: int, entry: int = NOW - 1000) -> Position:
    return Position(EVENT, 1, f"visitor-{position}", position, entry)


def outcome(position: int, kind: OutcomeKind = OutcomeKind.TOKEN) -> Outcome:
    return Outcome(EVENT, 1, position, f"visitor-{position}", kind, NOW - 500, NOW + 500)


def swept(
    positions: list[int],
    outcomes: list[Outcome],
    *,
    upto: int = 6,
    served: tuple[Segment, ...] = (Segment(1, 9, NOW - 101),),
    before: int = 2,
) -> expiry.Sweep:
    return expiry.sweep(
        state=EventState(EVENT, expired_through=before), upto=upto,
        rows=[held(one) for one in positions],
        outcomes={one.position: one for one in outcomes}, served=served, period=100, now=NOW,
    )  # fmt: skip


def test_a_sweep_expires_who_took_nothing_and_counts_the_others() -> None:
    gone = outcome(5, OutcomeKind.EXPIRED)
    found = swept([3, 4, 5], [outcome(3), gone])
    assert (found.upto, found.expired, found.tokens) == (6, 2, 1)
    assert [(one.position, one.request_id, one.kind, one.at) for one in found.expire] == [
        (4, "visitor-4", OutcomeKind.EXPIRED, NOW)
    ]
    assert (found.expire[0].event_id, found.expire[0].generation) == (EVENT, 1)


@pytest.mark.parametrize("tokens", [[], [4]])
def test_a_sweep_stops_at_the_first_whose_time_is_not_over(tokens: list[int]) -> None:
    young = (Segment(1, 3, NOW - 101), Segment(4, 9, NOW - 100))
    found = swept([3, 4, 5], [outcome(one) for one in tokens], served=young)
    assert (found.upto, found.expired, found.tokens) == (3, 1, 0)
    unserved = swept([3, 4], [outcome(one) for one in tokens], served=young[:1])
    assert (unserved.upto, unserved.expired) == (3, 1)


def test_a_sweep_looks_at_no_position_outside_its_range() -> None:
    found = swept([2, 3, 4], [outcome(1), outcome(2)], upto=3)
    assert (found.upto, found.expired, found.tokens) == (3, 1, 0)
    nothing = swept([3], [], upto=2)
    assert (nothing.upto, nothing.expired, nothing.expire) == (2, 0, ())


@pytest.mark.parametrize(
    ("upto", "tokens", "increment", "serving_after"),
    [
        (30, 4, True, 116),
        (30, 4, False, 100),
        (30, 20, True, 100),
        (30, 19, True, 101),
        (1_000_010, 0, True, 1_000_100),
        (3_000_000, 4, True, 1_000_100),  # one jump is a million at most
    ],
)
def test_a_swept_place_is_given_on_unless_it_took_a_token(
    upto: int, tokens: int, increment: bool, serving_after: int
) -> None:
    state = EventState(EVENT, serving=100, version=3, expired_through=10, expired=7)
    done = expiry.Sweep(upto, (), 5, tokens)
    after = expiry.after_sweep(state, done, increment=increment, now=NOW, actor="sweep")
    assert (after.expired_through, after.expired, after.serving) == (upto, 12, serving_after)
    assert after.version == (3 if serving_after == 100 else 4)
    if after.move:
        assert (after.move.reason, after.move.actor, after.move.at) == ("expiry", "sweep", NOW)


# --- settling and the audit -------------------------------------------------------------------


def token(position: int, dies: int, status: SessionStatus = OPEN) -> LiveToken:
    return LiveToken(position, dies, status)


def test_what_is_settled_ends_before_the_first_token_that_lives() -> None:
    state = EventState(EVENT, settled_through=10, settled_tokens=5, settled_completed=2,
                       settled_abandoned=1)  # fmt: skip
    rows = [token(15, NOW + 1), token(11, NOW, COMPLETED), token(13, NOW - 9, ABANDONED),
            token(14, NOW, ABANDONED), token(18, NOW - 5, COMPLETED)]  # fmt: skip
    after = reconciliation.settle(state, rows, 20, NOW)
    assert (after.settled_through, after.settled_tokens) == (14, 8)
    assert (after.settled_completed, after.settled_abandoned) == (3, 3)
    dead = reconciliation.settle(state, rows[1:], 20, NOW)
    assert (dead.settled_through, dead.settled_tokens, dead.settled_completed) == (20, 9, 4)
    alive = reconciliation.settle(state, [token(11, NOW + 1)], 20, NOW)
    assert (alive.settled_through, alive.settled_tokens) == (10, 5)
    assert reconciliation.settle(state, [], 20, NOW).settled_through == 20


@pytest.mark.parametrize(
    ("until", "reach"), [(NOW - CLOCK_STEP, 20), (NOW - CLOCK_STEP + 1, 11), (NOW + 9, 11)]
)
def test_nothing_is_settled_beyond_an_open_session_at_a_gate(until: int, reach: int) -> None:
    rows = [token(11, NOW - 99), LiveToken(12, NOW - 99, OPEN, until), token(13, NOW - 99)]
    after = reconciliation.settle(EventState(EVENT, settled_through=10), rows, 20, NOW)
    assert after.settled_through == reach


@pytest.mark.parametrize(("rows", "holes"), [(10, 3), (7, 6), (12, 3)])
def test_an_audit_takes_what_has_no_row_for_a_hole_and_watches_the_next_range(
    rows: int, holes: int
) -> None:
    state = EventState(EVENT, queue=50, reconciled_through=20, holes=3, pending_through=30,
                       pending_since=NOW - 99)  # fmt: skip
    after = reconciliation.close_pending(state, rows, NOW)
    assert (after.reconciled_through, after.holes) == (30, holes)
    assert (after.pending_through, after.pending_since) == (50, NOW)


@pytest.mark.parametrize(
    ("watched", "since", "due"),
    [(30, NOW - 91, True), (30, NOW - 90, False), (20, NOW - 91, False), (21, NOW - 91, True)],
)
def test_an_audit_is_due_once_a_range_was_watched_for_longer_than_the_time(
    watched: int, since: int, due: bool
) -> None:
    state = EventState(EVENT, reconciled_through=20, pending_through=watched, pending_since=since)
    assert reconciliation.is_due(state, 90, NOW) is due


# --- the figures ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("swept_ago", "reconciled_ago", "stale"),
    [
        (0, 0, []),
        (metrics.STALE_AFTER, metrics.STALE_AFTER, []),
        (metrics.STALE_AFTER + 1, 0, ["positions_expired", "waiting_num"]),
        (0, metrics.STALE_AFTER + 1, ["holes", "waiting_num"]),
    ],
)
def test_a_figure_is_stale_once_its_keeper_is_late(
    swept_ago: int, reconciled_ago: int, stale: list[str]
) -> None:
    counts = Counts(
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, swept_at=NOW - swept_ago,
        reconciled_at=NOW - reconciled_ago, admitted_at=NOW - 7,
    )  # fmt: skip
    told = metrics.freshness(counts, NOW)
    assert told == {
        "sweep_age": swept_ago,
        "reconciliation_age": reconciled_ago,
        "admission_age": 7,
        "stale": stale,
    }


def test_a_join_without_a_secret_has_an_open_place() -> None:
    assert Join("r", 1.0, "m").client_secret_hash == ""
