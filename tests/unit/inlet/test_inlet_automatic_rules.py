# SPDX-License-Identifier: Apache-2.0
"""Each rule of the automatic inlet by itself: one decision from a memory that the test writes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.automatic import (
    ControllerState,
    Decision,
    Group,
    Health,
    Move,
    Signal,
    Targets,
    decide,
    health_signal,
)
from waiting_room.inlet.strategies import RoomMetrics

NO_SHOW_AFTER = 90.0
MANY = Targets(active=100_000, per_minute=60_000)
EVERYBODY, HALF = {"arrived": 20.0, "expected": 20.0}, {"arrived": 100.0, "expected": 200.0}


def flow(**values: Any) -> ControllerState:
    """What the loop remembers of a line where nobody is served yet."""
    empty: dict[str, Any] = {"generation": 1, "at": 0.0, "reached": 0, "tokens": 0}
    return ControllerState(**{**empty, "pace": 60_000.0, "credit": 0.0, **values})


def tick(
    before: ControllerState | None,
    figures: RoomMetrics,
    targets: Targets = MANY,
    health: Signal = Signal(),  # noqa: B008 (frozen)
    *,
    now: float = 10.0,
) -> Decision:
    return decide(
        before, figures, targets, health, now, tick=10.0, no_show_after=NO_SHOW_AFTER
    )  # fmt: skip


# --- the start --------------------------------------------------------------------------------


def test_those_served_before_the_loop_started_are_on_their_way_and_teach_nothing() -> None:
    figures = RoomMetrics(serving=30, queue=5000, holes=2, tokens=10, expired=5, active=10)
    start = tick(None, figures, Targets(10, 60), now=500.0).state
    assert start.groups == (Group(500.0, 13, 0.0, is_sample=False),)
    assert (start.reached, start.tokens, start.at) == (28, 10, 500.0)


def test_served_places_without_a_visitor_are_on_nobodys_way() -> None:
    figures = RoomMetrics(serving=30, queue=20, holes=0, tokens=20)
    assert tick(None, figures, Targets(10, 60)).state.groups == ()
    assert tick(None, RoomMetrics(), Targets(10, 60)).state.reached == 0


@pytest.mark.parametrize(
    ("health", "pace"), [(Health.UNHEALTHY, 30), (Health.UNKNOWN, 600), (Health.NOT_REPORTED, 600)]
)
def test_an_unwell_site_starts_at_the_lowest_pace(health: Health, pace: float) -> None:
    start = tick(None, RoomMetrics(queue=100), Targets(10, 600, 30), Signal(health))
    assert start.state.pace == pace


def test_the_first_tick_opens_what_one_tick_earns() -> None:
    assert tick(None, RoomMetrics(queue=100), Targets(1000, 60)).increment.by == 10


def test_a_reset_keeps_the_pace_and_the_learnt_share_and_nothing_else() -> None:
    old = flow(
        reached=70, tokens=50, pace=100.0, credit=5.0, groups=(Group(5.0, 20),), lag=30.0,
        moves=(Move(70, 5.0),), arrived=50.0, expected=200.0,
    )  # fmt: skip
    new = tick(old, RoomMetrics(generation=2), Targets(10, 600), Signal(Health.UNKNOWN)).state
    assert (new.generation, new.pace, new.arrived, new.expected) == (2, 100.0, 50.0, 200.0)
    assert (new.reached, new.tokens, new.groups, new.lag) == (0, 0, (), 0.0)
    assert [move.at for move in new.moves] == [10.0]


# --- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "elapsed"), [(-5.0, 0), (0.0, 0), (5.0, 5), (15.0, 15), (16.0, 15), (900.0, 15)]
)
def test_a_tick_counts_half_a_tick_of_delay_at_most_and_no_time_that_runs_back(
    now: float, elapsed: float
) -> None:
    after = tick(
        flow(pace=300.0), RoomMetrics(), Targets(10, 600), Signal(Health.UNHEALTHY), now=now
    )
    assert after.state.pace == pytest.approx(300 * 0.5 ** (elapsed / 30))
    assert after.state.at == now


# --- the pace ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "health", "ceiling", "after"),
    [
        (300.0, Health.UNHEALTHY, 1.0, 300 * 0.5 ** (1 / 3)),  # halves in 30 s
        (31.0, Health.UNHEALTHY, 1.0, 30.0),  # and never below the lowest pace
        (300.0, Health.HEALTHY, 1.0, 320.0),  # from the lowest to the highest in 300 s
        (625.0, Health.HEALTHY, 1.0, 630.0),
        (600.0, Health.HEALTHY, 0.5, 330.0),  # half of the span of paces
        (600.0, Health.HEALTHY, 0.0, 30.0),
        (300.0, Health.UNKNOWN, 1.0, 300.0),
        (300.0, Health.NOT_REPORTED, 1.0, 630.0),
        (300.0, Health.NOT_REPORTED, 0.5, 330.0),
        (10.0, Health.UNKNOWN, 1.0, 30.0),
    ],
)
def test_the_pace_follows_the_site(
    before: float, health: Health, ceiling: float, after: float
) -> None:
    told = tick(flow(pace=before), RoomMetrics(), Targets(10, 630, 30), Signal(health, ceiling))
    assert told.state.pace == pytest.approx(after)


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.5), (0.51, 0.51), (0.49, 0.0)])
def test_an_unwell_site_gets_nobody_once_the_pace_is_below_half_a_person(
    before: float, after: float
) -> None:
    poor = tick(
        flow(pace=before), RoomMetrics(), Targets(10, 600), Signal(Health.UNHEALTHY), now=0.0
    )
    assert poor.state.pace == after


# --- lag --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moves", "serving", "lag", "expected"),
    [
        ((Move(50, 80.0),), 40, 0.0, 20.0),  # not shown for 20 s
        ((Move(50, 80.0), Move(60, 90.0)), 40, 0.0, 20.0),  # the older move tells
        ((Move(50, 80.0), Move(60, 90.0)), 50, 0.0, 10.0),
        ((Move(50, 80.0),), 50, 0.0, 0.0),  # shown
        ((Move(50, 40.5),), 40, 0.0, 59.5),
        ((Move(50, 40.0),), 40, 0.0, 0.0),  # forgotten: it was never made
        ((Move(50, 80.0),), 40, 30.0, 30 * 0.5 ** (10 / 300)),  # an older, longer lag holds
        ((), 40, 30.0, 30 * 0.5 ** (10 / 300)),
        ((), 40, 1.0, 0.0),
        ((), 40, 1.1, 1.1 * 0.5 ** (10 / 300)),
        ((Move(50, 99.0),), 40, 0.0, 1.0),
    ],
)
def test_an_own_move_that_the_figures_do_not_show_tells_how_late_they_are(
    moves: tuple[Move, ...], serving: int, lag: float, expected: float
) -> None:
    before = flow(at=90.0, moves=moves, lag=lag, reached=serving, pace=0.0)
    figures = RoomMetrics(serving=serving, queue=serving, active=10)
    after = tick(before, figures, Targets(10, 60), now=100.0).state
    assert after.lag == pytest.approx(expected)
    assert after.moves == tuple(move for move in moves if move.at > 40.0)


# --- who came ---------------------------------------------------------------------------------


def full(
    groups: tuple[Group, ...], tokens: int, *, more: int = 0, **values: Any
) -> ControllerState:
    """The memory after a tick at 100 s in which ``more`` tokens appear and nothing is opened."""
    reached = round(sum(group.size for group in groups))
    before = flow(at=90.0, reached=reached, tokens=tokens, groups=groups, **values)
    figures = RoomMetrics(serving=reached, queue=reached, tokens=tokens + more, active=10)
    return tick(before, figures, Targets(10, 60), now=100.0).state


def test_new_tokens_are_spread_by_what_each_group_misses_and_by_its_age() -> None:
    after = full((Group(40.0, 10.0), Group(80.0, 10.0, arrived=4.0)), 4, more=6)
    old, young = after.groups
    assert old.arrived + (young.arrived - 4) == pytest.approx(6)
    weights = 10 * math.exp(-4 * 60 / 90), 6 * math.exp(-4 * 20 / 90)
    assert old.arrived / (young.arrived - 4) == pytest.approx(weights[0] / weights[1])
    assert after.tokens == 10


def test_nobody_comes_twice_and_more_tokens_than_places_fill_every_group() -> None:
    after = full((Group(40.0, 10.0), Group(80.0, 10.0, arrived=4.0)), 4, more=100)
    assert [one.arrived for one in after.groups] == [10, 10]
    assert full((Group(40.0, 5.0, arrived=5.0),), 5, more=1).groups == (
        Group(40.0, 5.0, arrived=5.0),
    )


def test_figures_that_show_fewer_tokens_than_before_change_no_group() -> None:
    groups = (Group(40.0, 10.0, arrived=3.0),)
    after = full(groups, 8, more=-2)
    assert (after.groups, after.tokens) == (groups, 8)


def test_late_figures_tell_nothing_of_groups_that_they_cannot_know() -> None:
    groups = (Group(60.0, 10.0), Group(80.0, 10.0), Group(80.5, 10.0))
    before = flow(at=90.0, reached=30, groups=groups, moves=(Move(31, 80.0),))
    figures = RoomMetrics(serving=30, queue=30, tokens=6, active=10)
    old, just, later = tick(before, figures, Targets(10, 60), now=100.0).state.groups
    assert (old.arrived > 0, just.arrived > 0, later.arrived) == (True, True, 0.0)


@pytest.mark.parametrize(("at", "ends"), [(10.0, True), (9.0, True), (10.5, False)])
def test_a_group_ends_and_teaches_when_its_time_to_come_is_over(at: float, ends: bool) -> None:
    after = full((Group(at, 10.0, arrived=4.0),), 4)
    assert (after.arrived, after.expected) == ((24.0, 30.0) if ends else (20.0, 20.0))
    assert after.groups == (() if ends else (Group(at, 10.0, arrived=4.0),))


def test_a_group_from_before_the_start_ends_without_a_lesson() -> None:
    after = full((Group(5.0, 10.0, arrived=4.0, is_sample=False),), 4)
    assert (after.arrived, after.expected, after.groups) == (20.0, 20.0, ())


def test_late_figures_let_a_group_end_later() -> None:
    before = flow(
        at=90.0, reached=10, groups=(Group(8.0, 10.0, arrived=4.0),), moves=(Move(11, 95.0),)
    )
    figures = RoomMetrics(serving=10, queue=10, active=10)
    assert len(tick(before, figures, Targets(10, 60), now=100.0).state.groups) == 1
    seen = RoomMetrics(serving=11, queue=10, active=10)
    assert tick(before, seen, Targets(10, 60), now=100.0).state.groups == ()


@pytest.mark.parametrize(
    ("size", "due", "kept"), [(100.0, 1000.0, 1.0), (100.0, 1001.0, 0.9), (2000.0, 1500.0, 0.0)]
)
def test_the_learnt_share_weighs_the_last_thousand(size: float, due: float, kept: float) -> None:
    after = full((Group(5.0, size, arrived=50.0),), 50, arrived=500.0, expected=due)
    assert after.arrived == pytest.approx(500 * kept + 50)
    assert after.expected == pytest.approx(due * kept + size)


@pytest.mark.parametrize(
    ("came", "due", "share"), [(20, 20, 1.0), (30, 20, 1.0), (5, 20, 0.25), (1, 20, 0.1)]
)
def test_a_place_is_given_on_ten_times_at_most(came: float, due: float, share: float) -> None:
    assert flow(arrived=came, expected=due).arrival_share == share


# --- the served line --------------------------------------------------------------------------


def test_those_newly_served_are_a_group_of_their_own() -> None:
    before = flow(at=90.0, reached=5, groups=(Group(80.0, 5.0),))
    figures = RoomMetrics(serving=30, queue=20, holes=3, active=10)
    after = tick(before, figures, Targets(10, 60), now=100.0).state
    assert (after.groups, after.reached) == ((Group(80.0, 5.0), Group(100.0, 12.0)), 17)


@pytest.mark.parametrize(
    ("reached", "left"),
    [
        (30, [(10, 0), (10, 7), (10, 10)]),
        (29, [(10, 0), (9, 7), (10, 10)]),  # those who came stay
        (22, [(5, 0), (7, 7), (10, 10)]),
        (17, [(7, 7), (10, 10)]),
        (3, [(7, 7), (10, 10)]),
    ],
)
def test_a_line_moved_back_shrinks_the_latest_groups_first(
    reached: int, left: list[tuple[int, int]]
) -> None:
    groups = (Group(60.0, 10.0), Group(70.0, 10.0, arrived=7.0), Group(80.0, 10.0, arrived=10.0))
    before = flow(at=90.0, reached=30, tokens=17, groups=groups)
    figures = RoomMetrics(serving=reached, queue=500, tokens=17, active=10)
    after = tick(before, figures, Targets(10, 60), now=100.0).state
    assert [(one.size, one.arrived) for one in after.groups] == left
    assert after.reached == reached


def test_an_own_move_is_recorded_and_its_visitors_are_expected() -> None:
    before = flow(at=90.0, reached=6, tokens=6, moves=(Move(8, 60.0),))
    after = tick(
        before, RoomMetrics(serving=8, queue=11, holes=2, tokens=6), Targets(10, 60), now=100.0
    )
    assert after.increment.by == 10  # three wait, seven places ahead of the line
    assert after.state.moves == (Move(8, 60.0), Move(18, 100.0))
    assert after.state.groups == (Group(100.0, 3.0),)
    assert (after.state.reached, after.state.credit, after.state.at) == (9, 0.0, 100.0)


def test_a_group_that_late_figures_do_not_know_yet_is_as_likely_to_come_as_at_its_start() -> None:
    before = flow(at=90.0, reached=100, groups=(Group(85.0, 100.0),), moves=(Move(101, 80.0),),
                  **HALF)  # fmt: skip
    told = tick(
        before, RoomMetrics(serving=100, queue=100, active=100), Targets(100, 60), now=100.0
    )
    assert told.state.lag == 20
    assert told.increment.reason == "100 of 100 active, 50 expected to arrive"
    assert flow().lag == 0


def test_a_tick_that_opens_nothing_notes_no_move() -> None:
    after = tick(flow(), RoomMetrics(queue=11, active=10), Targets(10, 60))
    assert (after.increment.by, after.state.moves, after.state.groups) == (0, (), ())


# --- what to open -----------------------------------------------------------------------------


@given(
    active=st.integers(0, 400),
    size=st.integers(1, 300),
    came=st.floats(0, 1),
    age=st.floats(0, 80),
    share=st.floats(0.1, 1),
    ahead=st.integers(0, 20),
)
def test_the_site_is_filled_as_far_as_chance_stays_below_the_target(
    active: int, size: int, came: float, age: float, share: float, ahead: int
) -> None:
    """Of n places, those still to come and one standard deviation fit; of n + 1 they do not."""
    target, missing = 500, size * (1 - came)
    group = Group(100.0 - age, float(size), arrived=size * came)
    before = flow(
        at=90.0, reached=size, groups=(group,), arrived=1e9 * share, expected=1e9, credit=1e6,
        pace=1e9, tokens=size,
    )  # fmt: skip
    figures = RoomMetrics(serving=size + ahead, queue=size, tokens=size, active=active)
    opened = tick(before, figures, Targets(target, 10**9), now=100.0).increment.by
    late = before.arrival_share * math.exp(-4 * age / 90)
    coming = missing * late / (1 - before.arrival_share + late)

    def highest(more: int) -> float:
        people = max(0.0, coming + before.arrival_share * (ahead + more))
        return people + math.sqrt((1 - before.arrival_share) * people)

    free = target - active
    assume(abs(highest(opened) - free) > 1e-6 and abs(highest(opened + 1) - free) > 1e-6)
    certain = max(0, math.floor(free - missing - ahead + 1e-9))
    assert opened >= certain - 1
    if opened > certain:
        assert highest(opened) <= free
    assert highest(opened + 1) > free


@pytest.mark.parametrize(("active", "opened"), [(97, 3), (99, 1), (100, 0), (101, 0), (200, 0)])
def test_everybody_who_is_sure_to_come_gets_exactly_what_is_free(active: int, opened: int) -> None:
    told = tick(flow(), RoomMetrics(queue=500, active=active), Targets(100, 60_000)).increment
    assert told.by == opened
    assert told.reason == f"{active} of 100 active, 0 expected to arrive"


def test_the_reason_counts_those_on_their_way_and_the_places_ahead_of_the_line() -> None:
    before = flow(at=90.0, reached=10, groups=(Group(100.0, 10.0),), **HALF)
    figures = RoomMetrics(serving=14, queue=10, active=100)
    told = tick(before, figures, Targets(100, 60_000), now=100.0).increment
    assert told.reason == "100 of 100 active, 7 expected to arrive"  # half of 10, half of 4


@pytest.mark.parametrize(
    ("queue", "serving", "credit", "opened"),
    [
        (500, 0, 0.0, 10),  # what one tick earns
        (500, 0, 4.7, 14),
        (500, 0, 500.0, 20),  # credit is bounded by two ticks
        (5, 0, 500.0, 20),
        (5, 12, 500.0, 13),  # 20 places ahead of the line at most
        (5, 25, 500.0, 0),
        (5, 40, 500.0, 0),
    ],
)
def test_the_places_ahead_of_the_line_are_what_the_pace_earns_in_two_ticks(
    queue: int, serving: int, credit: float, opened: int
) -> None:
    reached = min(queue, serving)
    before = flow(reached=reached, tokens=reached, pace=60.0, credit=credit)
    figures = RoomMetrics(serving=serving, queue=queue, tokens=reached)
    after = tick(before, figures, Targets(1000, 60))
    assert after.increment.by == opened
    assert after.state.credit == pytest.approx(min(20.0, credit + 10) - opened)
    straight = serving - queue >= 7
    assert (after.increment.reason == "no visitor waits: admitting ahead of the queue") == straight


def test_a_pace_below_one_person_a_tick_opens_single_places() -> None:
    slow = tick(flow(pace=1.0, credit=0.9), RoomMetrics(), Targets(1000, 1))
    assert slow.increment.by == 1
    assert slow.state.credit == pytest.approx(0.0)
    assert tick(flow(pace=1.0, credit=0.7), RoomMetrics(), Targets(1000, 1)).increment.by == 0


def test_no_pace_opens_nothing_and_forgets_its_credit() -> None:
    stopped = tick(
        flow(pace=0.0, credit=9.0),
        RoomMetrics(queue=5),
        Targets(1000, 600),
        Signal(Health.UNHEALTHY),
    )
    assert (stopped.increment.by, stopped.state.credit) == (0, 0.0)


def test_more_places_are_opened_where_fewer_come() -> None:
    half = tick(flow(pace=60.0, **HALF), RoomMetrics(queue=500), Targets(1000, 60))
    assert half.increment.by == 20
    assert half.increment.reason == "60/min, 50% of the admitted visitors arrive"


def test_the_reason_says_that_the_site_is_unwell() -> None:
    poor = Signal(Health.UNHEALTHY)
    told = tick(flow(pace=60.0), RoomMetrics(queue=500), Targets(1000, 60, 60), poor).increment
    assert told.reason == "slowed to 60/min: the site is unhealthy"


@pytest.mark.parametrize(
    ("groups", "serving", "shares", "opened"),
    [
        ([(46.0, 50.0), (45.0, 20.0)], 70, EVERYBODY, 10),  # a minute less half a tick
        ([(46.0, 50.0), (45.5, 5.0), (90.0, 3.0)], 58, EVERYBODY, 2),
        ([(46.0, 60.0)], 60, EVERYBODY, 0),
        ([(46.0, 70.0)], 70, EVERYBODY, 0),
        ([(46.0, 50.0)], 54, EVERYBODY, 6),  # four places are open ahead of the line
        ([(46.0, 90.0), (90.0, 10.0)], 100, HALF, 20),  # two for each that comes
        ([(46.0, 90.0), (90.0, 15.0)], 105, HALF, 15),
    ],
)
def test_no_minute_gets_more_than_the_pace(
    groups: list[tuple[float, float]], serving: int, shares: dict[str, float], opened: int
) -> None:
    reached = round(sum(size for _, size in groups))
    before = flow(
        at=90.0, reached=reached, tokens=reached, pace=60.0, credit=1000.0, **shares,
        groups=tuple(Group(at, size, arrived=size) for at, size in groups),
    )  # fmt: skip
    queue = reached if serving > reached else 5000
    figures = RoomMetrics(serving=serving, queue=queue, tokens=reached)
    assert tick(before, figures, Targets(1000, 60), now=100.0).increment.by == opened


# --- the signal -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alarm", "reported", "age", "expected"),
    [
        (Alarm.OK, 0.4, 120.0, Signal(Health.HEALTHY, 0.4)),
        (Alarm.OK, 0.4, 120.5, Signal(Health.UNHEALTHY, 1.0)),
        (Alarm.ALARM, 0.4, 1.0, Signal(Health.UNHEALTHY, 0.4)),
        (Alarm.NONE, 0.0, 0.0, Signal(Health.HEALTHY, 0.0)),
        (Alarm.NONE, 1.5, 0.0, Signal(Health.HEALTHY, 1.0)),
        (Alarm.NONE, -1.0, 0.0, Signal(Health.HEALTHY, 0.0)),
        (Alarm.OK, None, 9999.0, Signal(Health.HEALTHY, 1.0)),
        (Alarm.NONE, None, 9999.0, Signal(Health.NOT_REPORTED, 1.0)),
    ],
)
def test_a_report_sets_the_ceiling_for_two_minutes(
    alarm: Alarm, reported: float | None, age: float, expected: Signal
) -> None:
    for go_on in (True, False):
        assert health_signal(alarm, go_on, reported, age) == expected
