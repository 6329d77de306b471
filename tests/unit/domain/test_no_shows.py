# SPDX-License-Identifier: Apache-2.0
"""Groups of admitted visitors, the learned arrival share, and the brake: each rule by itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deployment.admission_simulation.simulation import admission
from waiting_room.domain.events.admission import AdmissionState, step
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.brake import Health, Signal, first_brake, health_signal, next_brake
from waiting_room.domain.events.no_shows import Group, NoShows, begin, expected_arrivals, observe
from waiting_room.domain.records import Counts

NO_SHOW_AFTER = 90.0
HALF = {"arrived": 100.0, "expected": 200.0}


def counts(queue: int = 0, serving: int = 0, **others: int) -> Counts:
    names = ("holes", "tokens", "expired", "active", "completed", "abandoned")
    return Counts(1, queue, serving, *(others.get(name, 0) for name in names), 0, 0)


# --- the start --------------------------------------------------------------------------------


def test_visitors_served_before_the_first_step_may_arrive_and_are_no_sample() -> None:
    found = begin(counts(5000, 30, holes=2, tokens=10, expired=5), 500.0, NO_SHOW_AFTER)
    assert found.groups == (Group(504.0, 13, 0.0, is_sample=False),)
    assert (found.reached, found.tokens, found.arrival_share) == (28, 10, 1.0)


def test_served_positions_without_a_visitor_are_not_expected_to_arrive() -> None:
    assert begin(counts(20, 30, tokens=20), 500.0, NO_SHOW_AFTER).groups == ()
    assert begin(counts(), 500.0, NO_SHOW_AFTER).reached == 0


# --- arrivals ---------------------------------------------------------------------------------


def full(groups: tuple[Group, ...], tokens: int, *, more: int = 0, **values: Any) -> NoShows:
    """The state at 100 s, after ``more`` tokens appeared and no visitor was admitted."""
    reached = round(sum(group.size for group in groups))
    before = NoShows(reached, tokens, groups, **values)
    return observe(before, counts(reached, reached, tokens=tokens + more), 100.0, NO_SHOW_AFTER)


def test_tokens_are_attributed_by_the_missing_visitors_and_the_age_of_a_group() -> None:
    after = full((Group(40.0, 10.0), Group(80.0, 10.0, arrived=4.0)), 4, more=6)
    old, young = after.groups
    assert old.arrived + (young.arrived - 4) == pytest.approx(6)
    weights = 10 * math.exp(-4 * 60 / 90), 6 * math.exp(-4 * 20 / 90)
    assert old.arrived / (young.arrived - 4) == pytest.approx(weights[0] / weights[1])
    assert after.tokens == 10


def test_a_group_never_has_more_arrivals_than_visitors() -> None:
    after = full((Group(40.0, 10.0), Group(80.0, 10.0, arrived=4.0)), 4, more=100)
    assert [one.arrived for one in after.groups] == [10, 10]
    assert full((Group(40.0, 5.0, arrived=5.0),), 5, more=1).groups == (
        Group(40.0, 5.0, arrived=5.0),
    )


def test_fewer_tokens_than_before_change_no_group() -> None:
    groups = (Group(40.0, 10.0, arrived=3.0),)
    after = full(groups, 8, more=-2)
    assert (after.groups, after.tokens) == (groups, 8)


@pytest.mark.parametrize(("at", "ends"), [(10.0, True), (9.0, True), (10.5, False)])
def test_a_group_ends_and_is_learned_from_after_no_show_after(at: float, ends: bool) -> None:
    after = full((Group(at, 10.0, arrived=4.0),), 4)
    assert (after.arrived, after.expected) == ((24.0, 30.0) if ends else (20.0, 20.0))
    assert after.groups == (() if ends else (Group(at, 10.0, arrived=4.0),))


def test_a_group_from_before_the_first_step_ends_and_is_not_learned_from() -> None:
    after = full((Group(5.0, 10.0, arrived=4.0, is_sample=False),), 4)
    assert (after.arrived, after.expected, after.groups) == (20.0, 20.0, ())


@pytest.mark.parametrize(
    ("size", "due", "kept"), [(100.0, 1000.0, 1.0), (100.0, 1001.0, 0.9), (2000.0, 1500.0, 0.0)]
)
def test_the_arrival_share_is_that_of_the_last_thousand(
    size: float, due: float, kept: float
) -> None:
    after = full((Group(5.0, size, arrived=50.0),), 50, arrived=500.0, expected=due)
    assert after.arrived == pytest.approx(500 * kept + 50)
    assert after.expected == pytest.approx(due * kept + size)


@pytest.mark.parametrize(
    ("came", "due", "share"), [(20, 20, 1.0), (30, 20, 1.0), (5, 20, 0.25), (1, 20, 0.1)]
)
def test_the_arrival_share_is_a_tenth_at_least(came: float, due: float, share: float) -> None:
    assert NoShows(arrived=came, expected=due).arrival_share == share


def test_half_of_a_young_group_is_expected_where_half_arrive() -> None:
    young = NoShows(100, 0, (Group(102.0, 100.0),), **HALF)
    assert expected_arrivals(young, 100.0, NO_SHOW_AFTER) == pytest.approx(50)
    old = NoShows(100, 0, (Group(12.0, 100.0),), **HALF)
    assert expected_arrivals(old, 100.0, NO_SHOW_AFTER) < 3


# --- served positions -------------------------------------------------------------------------


def test_newly_served_positions_are_a_group_of_their_own() -> None:
    before = NoShows(5, 0, (Group(80.0, 5.0),))
    after = observe(before, counts(20, 30, holes=3), 100.0, NO_SHOW_AFTER)
    assert (after.groups, after.reached) == ((Group(80.0, 5.0), Group(102.0, 12.0)), 17)


def test_positions_served_within_one_interval_are_one_group() -> None:
    state = NoShows()
    for second in range(60):
        state = observe(state, counts(99, second + 1), 1200.0 + second, 3600.0)
    assert state.groups == (Group(1200.0, 1.0), Group(1440.0, 59.0))
    first = NoShows(5, 0, (Group(1200.0, 5.0, is_sample=False),))  # never joins a sample
    assert len(observe(first, counts(9, 9), 1200.0, 3600.0).groups) == 2


@pytest.mark.parametrize(
    ("reached", "left"),
    [
        (30, [(10, 0), (10, 7), (10, 10)]),
        (29, [(10, 0), (9, 7), (10, 10)]),  # visitors who arrived stay
        (22, [(5, 0), (7, 7), (10, 10)]),
        (17, [(7, 7), (10, 10)]),
        (3, [(7, 7), (10, 10)]),
    ],
)
def test_a_move_back_shrinks_the_latest_groups_first(
    reached: int, left: list[tuple[int, int]]
) -> None:
    groups = (Group(60.0, 10.0), Group(70.0, 10.0, arrived=7.0), Group(80.0, 10.0, arrived=10.0))
    after = observe(NoShows(30, 17, groups), counts(500, reached, tokens=17), 100.0, NO_SHOW_AFTER)
    assert [(one.size, one.arrived) for one in after.groups] == left
    assert after.reached == reached


# --- free capacity ----------------------------------------------------------------------------


@given(
    active=st.integers(0, 400),
    size=st.integers(1, 300),
    came=st.floats(0, 1),
    age=st.floats(0, 80),
    share=st.floats(0.1, 1),
)
def test_capacity_is_filled_up_to_one_standard_deviation(
    active: int, size: int, came: float, age: float, share: float
) -> None:
    """The visitors still to arrive and one standard deviation fit; with one more they do not."""
    target, missing = 500, size * (1 - came)
    group = Group(100.0 - age, float(size), arrived=size * came)
    seen = NoShows(size, size, (group,), 1e9 * share, 1e9)
    found = step(
        admission("active", max_active=target),
        AdmissionState(1, 90.0, 0.0, no_shows=seen),
        counts(100_000, size, tokens=size, active=active),
        now=100.0,
    )
    late = seen.arrival_share * math.exp(-4 * age / 90)
    coming = missing * late / (1 - seen.arrival_share + late)

    def highest(more: int) -> float:
        people = max(0.0, coming + seen.arrival_share * more)
        return people + math.sqrt((1 - seen.arrival_share) * people)

    free, admitted = target - active, found.increment
    assume(abs(highest(admitted) - free) > 1e-6 and abs(highest(admitted + 1) - free) > 1e-6)
    certain = max(0, math.floor(free - missing + 1e-9))
    assert admitted >= certain - 1
    if admitted > certain:
        assert highest(admitted) <= free
    assert highest(admitted + 1) > free


# --- the brake --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alarm", "go", "reported", "age", "expected"),
    [
        (Alarm.NONE, True, None, 9999, Signal(Health.NOT_REPORTED)),
        (Alarm.OK, True, None, 9999, Signal(Health.HEALTHY)),
        (Alarm.ALARM, True, None, 0, Signal(Health.UNHEALTHY)),
        (Alarm.MISSING, True, None, 0, Signal(Health.HEALTHY)),
        (Alarm.MISSING, False, None, 0, Signal(Health.UNKNOWN)),
        (Alarm.UNREADABLE, True, None, 0, Signal(Health.UNHEALTHY)),
        (Alarm.INSUFFICIENT_DATA, True, None, 0, Signal(Health.HEALTHY)),
        (Alarm.INSUFFICIENT_DATA, False, None, 0, Signal(Health.UNKNOWN)),
        (Alarm.NONE, True, 0.5, 10, Signal(Health.HEALTHY, 0.5)),
        (Alarm.NONE, True, 1.0, 120, Signal(Health.HEALTHY)),
        (Alarm.NONE, True, 1.0, 120.5, Signal(Health.UNHEALTHY)),
        (Alarm.ALARM, True, 1.0, 10, Signal(Health.UNHEALTHY)),
        (Alarm.ALARM, True, 0.4, 1, Signal(Health.UNHEALTHY, 0.4)),
        (Alarm.NONE, True, 1.5, 0, Signal(Health.HEALTHY, 1.0)),
        (Alarm.NONE, True, -1.0, 0, Signal(Health.HEALTHY, 0.0)),
    ],
)
def test_the_worse_of_alarm_and_report_decides(
    alarm: Alarm, go: bool, reported: float | None, age: float, expected: Signal
) -> None:
    assert health_signal(alarm, go, reported, age) == expected


@pytest.mark.parametrize(
    ("before", "signal", "elapsed", "after"),
    [
        (1.0, Signal(Health.UNHEALTHY), 30.0, 0.5),
        (0.5, Signal(Health.UNHEALTHY), 10.0, 0.5 * 0.5 ** (1 / 3)),
        (0.00101, Signal(Health.UNHEALTHY), 0.1, 0.00101 * 0.5 ** (1 / 300)),
        (0.001, Signal(Health.UNHEALTHY), 1.0, 0.0),
        (0.2, Signal(Health.HEALTHY), 30.0, 0.3),
        (0.9, Signal(Health.HEALTHY), 60.0, 1.0),
        (0.2, Signal(Health.HEALTHY, 0.25), 60.0, 0.25),
        (0.2, Signal(Health.UNKNOWN), 60.0, 0.2),
        (0.2, Signal(Health.UNKNOWN, 0.1), 60.0, 0.1),
        (0.2, Signal(Health.NOT_REPORTED), 0.0, 1.0),
    ],
)
def test_the_brake_follows_the_site(
    before: float, signal: Signal, elapsed: float, after: float
) -> None:
    assert next_brake(before, signal, elapsed) == pytest.approx(after)


@pytest.mark.parametrize(
    ("signal", "brake"),
    [
        (Signal(), 1.0),
        (Signal(Health.UNKNOWN), 1.0),
        (Signal(Health.HEALTHY, 0.3), 0.3),
        (Signal(Health.UNHEALTHY), 0.0),
    ],
)
def test_an_unhealthy_site_starts_with_the_brake_on(signal: Signal, brake: float) -> None:
    assert first_brake(signal) == brake
