# SPDX-License-Identifier: Apache-2.0
"""The automatic inlet reaches its targets, does not go above them, and follows the site."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.inlet_simulation.simulation import Run, Scenario, simulate
from tests.support.inlet_room import EVENT, CountingRoom, InletHarness
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.automatic import (
    ControllerState,
    Decision,
    Health,
    Signal,
    Targets,
    decide,
    health_signal,
)
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import RoomMetrics
from waiting_room.use_cases import change_log

NO_SHOWS = (0.0, 0.2, 0.4, 0.6)
TEN_MINUTES = 600


def always(value: float) -> Callable[[float], float]:
    return lambda _: value


def play(**options: object) -> Run:
    basis = Scenario(arrivals=always(20), targets=Targets(1000, 600))
    return simulate(replace(basis, **options))  # type: ignore[arg-type]


def mean(values: list[int]) -> float:
    return sum(values) / len(values)


# --- the promises, by simulation --------------------------------------------------------------


@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_the_active_reach_their_target_and_stay_below_it(no_shows: float) -> None:
    run = play(no_shows=always(no_shows))
    assert max(run.active) <= 1000
    assert mean(run.active[TEN_MINUTES:]) >= 870
    assert run.share[-1] == pytest.approx(1 - no_shows, abs=0.06)


@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_new_people_per_minute_reach_their_target(no_shows: float) -> None:
    run = play(targets=Targets(100_000, 300), no_shows=always(no_shows))
    late = run.per_minute()[TEN_MINUTES:]
    assert mean(late) == pytest.approx(300, rel=0.05)
    assert max(late) <= 300 * 1.2  # chance: four standard deviations are 69


@pytest.mark.parametrize("delay", [10, 30])
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_figures_that_come_late_do_not_make_it_overshoot(no_shows: float, delay: int) -> None:
    run = play(no_shows=always(no_shows), metrics_delay=delay)
    assert max(run.active) <= 1000
    assert mean(run.active[TEN_MINUTES:]) >= 780


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_a_small_site_is_filled_too(no_shows: float, seed: int) -> None:
    run = play(
        arrivals=always(2), targets=Targets(20, 60), no_shows=always(no_shows), seed=seed
    )  # fmt: skip
    assert max(run.active) <= 22
    assert mean(run.active[TEN_MINUTES:]) >= 14


@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_below_the_targets_everybody_goes_straight_through(no_shows: float) -> None:
    run = play(arrivals=always(3), targets=Targets(1000, 300), no_shows=always(no_shows))
    assert sum(run.waits) / len(run.waits) < 0.1
    assert max(run.waiting) <= 5


def test_a_burst_waits_in_line_and_the_site_does_not_feel_it() -> None:
    run = play(
        arrivals=lambda at: 50 if 600 <= at < 660 else 1,
        targets=Targets(600, 300),
        no_shows=always(0.3),
    )
    assert max(run.waiting) > 2000
    assert max(run.active) <= 600
    assert max(run.per_minute()) <= 360


def test_no_shows_that_suddenly_all_come_do_not_flood_the_site() -> None:
    run = play(no_shows=lambda at: 0.6 if at < 900 else 0.0)
    assert max(run.active) <= 1000


def test_an_idle_room_keeps_a_bounded_head_start() -> None:
    run = play(arrivals=always(0), targets=Targets(100_000, 300))
    assert max(run.serving) == run.serving[-1] == 100  # what the pace lets in during two ticks
    run = play(arrivals=lambda at: 0.0 if at < 900 else 100.0, targets=Targets(100_000, 300))
    assert max(run.per_minute()) <= 330


def test_it_follows_a_site_that_slows_down_and_recovers() -> None:
    run = play(
        targets=Targets(1000, 600, 30),
        site=lambda at: 400 if 1200 <= at < 2400 else 2000,
        length=3600,
    )
    assert mean(run.active[900:1200]) > 900
    assert mean(run.active[1800:2400]) < 500
    assert min(run.pace) >= 30
    assert mean(run.active[3200:]) > 850


@settings(max_examples=25, deadline=None)
@given(
    active=st.integers(5, 500),
    per_minute=st.integers(10, 900),
    no_shows=st.floats(0, 0.6),
    arrivals=st.floats(0.1, 20),
    tick=st.sampled_from([5.0, 10.0, 20.0]),
    seed=st.integers(0, 1000),
)
def test_whatever_comes_the_active_stay_near_the_target(
    active: int, per_minute: int, no_shows: float, arrivals: float, tick: float, seed: int
) -> None:
    run = play(
        arrivals=always(arrivals), targets=Targets(active, per_minute), no_shows=always(no_shows),
        tick=tick, seed=seed, length=900,
    )  # fmt: skip
    assert max(run.active) <= active + max(3, 0.05 * active)


# --- the rule itself --------------------------------------------------------------------------


def once(
    flow: ControllerState | None,
    figures: RoomMetrics,
    targets: Targets,
    now: float = 0.0,
    **options: float,
) -> Decision:
    tick = options.get("tick", 10.0)
    return decide(flow, figures, targets, Signal(), now, tick=tick, no_show_after=90.0)


@given(
    queue=st.integers(0, 10_000),
    serving=st.integers(0, 12_000),
    tokens=st.integers(0, 10_000),
    active=st.integers(0, 10_000),
    target=st.integers(1, 10_000),
    pace=st.integers(1, 100_000),
)
def test_one_decision_never_admits_more_than_is_free(
    queue: int, serving: int, tokens: int, active: int, target: int, pace: int
) -> None:
    figures = RoomMetrics(serving=serving, queue=queue, tokens=tokens, active=active)
    opened = once(None, figures, Targets(target, pace)).increment.by
    assert 0 <= opened <= max(0, target - active)
    assert opened == 0 or serving + opened <= queue + pace / 3 + 2
    assert opened <= pace / 6 + 1


def test_a_place_is_given_on_when_nobody_came_for_it() -> None:
    targets = Targets(10, 600)
    first = once(None, RoomMetrics(queue=50), targets)
    assert first.increment.by == 10
    later = first
    served = RoomMetrics(serving=10, queue=50)
    for now in range(10, 90, 10):
        later = once(later.state, served, targets, float(now))
        assert later.increment.by == 0
    assert once(later.state, served, targets, 95.0).increment.by > 0


def test_a_move_that_the_figures_do_not_show_yet_is_not_made_again() -> None:
    targets = Targets(50, 6000)
    first = once(None, RoomMetrics(queue=500), targets)
    assert first.increment.by == 50
    assert once(first.state, RoomMetrics(queue=500), targets, 10.0).increment.by == 0


def test_a_move_that_was_never_made_is_forgotten_after_a_minute() -> None:
    targets = Targets(50, 6000)
    flow = once(None, RoomMetrics(queue=500), targets).state
    assert once(flow, RoomMetrics(queue=500), targets, 61.0).increment.by > 0


def test_missed_ticks_do_not_lump() -> None:
    targets = Targets(100_000, 60)
    flow = once(None, RoomMetrics(queue=5000), targets).state
    figures = RoomMetrics(serving=10, queue=5000, tokens=10, active=10)
    assert once(flow, figures, targets, 600.0).increment.by <= 20


def test_a_reset_starts_a_new_line_and_keeps_what_was_learnt() -> None:
    flow = replace(
        once(None, RoomMetrics(queue=500), Targets(50, 600)).state, arrived=300.0, expected=500.0
    )
    fresh = once(flow, RoomMetrics(generation=2), Targets(50, 600), 10.0)
    assert fresh.state.arrival_share == pytest.approx(0.6)
    assert fresh.state.reached == 0
    assert fresh.increment.by > 0


def test_figures_of_the_line_before_a_reset_do_not_continue_the_new_one() -> None:
    flow = once(None, RoomMetrics(serving=90, queue=500, generation=2), Targets(50, 600)).state
    old = once(flow, RoomMetrics(serving=40, queue=50, generation=1), Targets(50, 600), 10.0)
    assert (old.state.generation, old.state.reached) == (1, 40 + old.increment.by)


def test_a_counter_moved_back_by_an_operator_does_not_confuse_it() -> None:
    targets = Targets(500, 60_000)
    flow = once(None, RoomMetrics(queue=5000), targets).state
    back = once(flow, RoomMetrics(serving=100, queue=5000), targets, 70.0)
    assert back.state.reached >= 100
    assert sum(group.size for group in back.state.groups) == back.state.reached


def test_the_controller_state_survives_its_row_and_an_invalid_one_starts_anew() -> None:
    flow = once(None, RoomMetrics(queue=500), Targets(50, 600)).state
    assert ControllerState.from_json(flow.to_json()) == flow
    for junk in ({}, {"groups": 3}, {"groups": [], "moves": [], "odd": 1}):
        assert ControllerState.from_json(junk) is None


# --- health -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alarm", "go", "reported", "age", "expected"),
    [
        (Alarm.NONE, True, None, 0, Signal(Health.NOT_REPORTED)),
        (Alarm.OK, True, None, 0, Signal(Health.HEALTHY)),
        (Alarm.ALARM, True, None, 0, Signal(Health.UNHEALTHY)),
        (Alarm.MISSING, True, None, 0, Signal(Health.HEALTHY)),
        (Alarm.MISSING, False, None, 0, Signal(Health.UNKNOWN)),
        (Alarm.UNREADABLE, True, None, 0, Signal(Health.UNHEALTHY)),
        (Alarm.INSUFFICIENT_DATA, True, None, 0, Signal(Health.HEALTHY)),
        (Alarm.INSUFFICIENT_DATA, False, None, 0, Signal(Health.UNKNOWN)),
        (Alarm.NONE, True, 0.5, 10, Signal(Health.HEALTHY, 0.5)),
        (Alarm.NONE, True, 1.0, 121, Signal(Health.UNHEALTHY)),
        (Alarm.ALARM, True, 1.0, 10, Signal(Health.UNHEALTHY)),
    ],
)
def test_the_worst_signal_wins(
    alarm: Alarm, go: bool, reported: float | None, age: float, expected: Signal
) -> None:
    assert health_signal(alarm, go, reported, age) == expected


@given(
    st.lists(st.tuples(st.sampled_from(Health), st.floats(0, 1), st.floats(0, 100)), max_size=30),
    st.integers(0, 50),
    st.integers(50, 500),
)
def test_the_pace_stays_between_minimum_and_maximum(
    signals: list[tuple[Health, float, float]], low: int, high: int
) -> None:
    flow, now = None, 0.0
    for health, ceiling, wait in signals:
        now += wait
        flow = decide(
            flow, RoomMetrics(), Targets(9, high, low), Signal(health, ceiling), now,
            tick=10.0, no_show_after=90.0,
        ).state  # fmt: skip
        assert low <= flow.pace <= high


def test_what_the_site_reports_sets_the_pace_at_once() -> None:
    harness = InletHarness(
        {"INLET_STRATEGY": "Automatic", "TARGET_ACTIVE": 10_000, "TARGET_PER_MINUTE": 600},
        room=CountingRoom(RoomMetrics(queue=100_000), all_come=True),
    )
    harness.inlet.run_automatic({}, lambda: 100.0)
    before = sum(harness.room.increments)
    harness.inlet.report_health(0.1)
    harness.clock.now += 10
    harness.inlet.run_automatic({}, lambda: 100.0)
    assert sum(harness.room.increments) - before <= 61
    assert before >= 500


@pytest.mark.parametrize("health", [None, "1", True, -0.1, 1.1, float("nan")])
def test_a_report_that_cannot_be_is_refused(health: object) -> None:
    harness = InletHarness({"INLET_STRATEGY": "Automatic"})
    harness.inlet.run_automatic({}, lambda: 1.0)
    with pytest.raises(InvalidInput):
        harness.inlet.report_health(health)


def test_an_operator_pauses_the_loop_and_changes_its_targets() -> None:
    harness = InletHarness(
        {"INLET_STRATEGY": "Automatic", "TICKS_PER_MINUTE": 1},
        room=CountingRoom(RoomMetrics(queue=100_000)),
    )
    control = InletControl(harness.store, time.time, change_log.record)
    harness.inlet.run_automatic({}, lambda: 100.0)
    control.change(EVENT, True, None)
    harness.clock.now += 60
    assert [one.by for one in harness.inlet.run_automatic({}, lambda: 100.0)] == [0]
    control.change(EVENT, False, {"active": 500, "per_minute": 6000})
    with pytest.raises(InvalidInput, match="min_per_minute"):
        control.change(EVENT, None, {"min_per_minute": 6001})
    harness.clock.now += 60
    assert harness.inlet.run_automatic({}, lambda: 100.0)[0].by > 100


def test_two_loops_at_once_act_as_one() -> None:
    harness = InletHarness(
        {"INLET_STRATEGY": "Automatic", "TICKS_PER_MINUTE": 1},
        room=CountingRoom(RoomMetrics(queue=100_000)),
    )
    once_alone = harness.inlet.run_automatic({}, lambda: 100.0)[0].by
    other = harness.another()
    real = harness.room.metrics

    def overtaken(event_id: str) -> RoomMetrics:
        figures = real(event_id)
        harness.room.metrics = real  # type: ignore[method-assign]
        other.run_automatic({}, lambda: 100.0)
        return figures

    harness.clock.now += 60
    harness.room.metrics = overtaken  # type: ignore[method-assign]
    assert harness.inlet.run_automatic({}, lambda: 100.0)[0].by == 0
    assert len(harness.room.increments) == 2
    assert harness.room.increments[1] <= once_alone * 1.6
