# SPDX-License-Identifier: Apache-2.0
"""Automatic admission reaches its limits, does not exceed them, and follows the site."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.admission_simulation.simulation import Run, Scenario, admission, simulate
from waiting_room.domain.events.admission import (
    STEP,
    AdmissionRecord,
    AdmissionState,
    AdmissionStep,
    burst,
    seconds_until_step,
    site_signal,
    step,
)
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.brake import NO_SIGNAL, Health, Signal
from waiting_room.domain.events.no_shows import MAX_GROUPS, Group, NoShows
from waiting_room.domain.records import Counts

NO_SHOWS = (0.0, 0.2, 0.4, 0.6)
TEN_MINUTES = 600
UNHEALTHY = Signal(Health.UNHEALTHY)


def always(value: float) -> Callable[[float], float]:
    return lambda _: value


def play(**options: Any) -> Run:
    return simulate(replace(Scenario(always(20), admission("both")), **options))


def mean(values: list[int]) -> float:
    return sum(values) / len(values)


def counts(queue: int = 0, serving: int = 0, **others: int) -> Counts:
    names = ("holes", "tokens", "expired", "active", "completed", "abandoned")
    return Counts(
        others.get("generation", 1), queue, serving, *(others.get(name, 0) for name in names), 0, 0
    )


# --- simulated runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["active", "both"])
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_the_active_visitors_reach_their_target_and_stay_below_it(
    no_shows: float, strategy: str
) -> None:
    run = play(admission=admission(strategy), no_shows=always(no_shows))
    assert max(run.active) <= 1000
    assert mean(run.active[TEN_MINUTES:]) >= 870
    assert run.share[-1] == pytest.approx(1 - no_shows, abs=0.06)


@pytest.mark.parametrize("lag", [2, 5])
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_counts_that_lag_admit_no_more_than_the_target(no_shows: float, lag: int) -> None:
    """A token that is not counted yet is a visitor who is served and about to arrive."""
    run = play(admission=admission("active"), no_shows=always(no_shows), lag=lag)
    assert max(run.active) <= 1000
    assert mean(run.active[TEN_MINUTES:]) >= 870


@pytest.mark.parametrize("strategy", ["rate", "both"])
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_the_admitted_positions_per_minute_reach_their_limit(
    no_shows: float, strategy: str
) -> None:
    rule = admission(strategy, per_minute=300, max_active=100_000)
    run = play(admission=rule, no_shows=always(no_shows))
    assert set(run.admitted_per_minute()[TEN_MINUTES:]) == {300}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_a_small_site_is_filled(no_shows: float, seed: int) -> None:
    rule = admission("both", max_active=20, per_minute=60)
    run = play(arrivals=always(2), admission=rule, no_shows=always(no_shows), seed=seed)
    assert max(run.active) <= 22
    assert mean(run.active[TEN_MINUTES:]) >= 14


@pytest.mark.parametrize("strategy", ["rate", "active", "both"])
@pytest.mark.parametrize("no_shows", NO_SHOWS)
def test_visitors_below_the_limits_do_not_wait(no_shows: float, strategy: str) -> None:
    rule = admission(strategy, per_minute=300)
    run = play(arrivals=always(3), admission=rule, no_shows=always(no_shows))
    assert sum(run.waits) / len(run.waits) < 0.1
    assert max(run.waits) <= STEP


def test_a_peak_waits_in_the_queue_and_does_not_reach_the_site() -> None:
    run = play(
        arrivals=lambda at: 50 if 600 <= at < 660 else 1,
        admission=admission("both", max_active=600, per_minute=300),
        no_shows=always(0.3),
    )
    assert max(run.waiting) > 2000
    assert max(run.active) <= 600
    assert max(run.admitted_per_minute()) <= 350


def test_no_shows_that_suddenly_arrive_do_not_overload_the_site() -> None:
    run = play(no_shows=lambda at: 0.6 if at < 900 else 0.0)
    assert max(run.active) <= 1000


@pytest.mark.parametrize("strategy", ["active", "both"])
def test_admission_follows_a_site_that_slows_down_and_recovers(strategy: str) -> None:
    run = play(
        admission=admission(strategy, min_per_minute=30),
        site=lambda at: 400 if 1200 <= at < 2400 else 2000,
        length=3600,
    )
    assert mean(run.active[900:1200]) > 900
    assert mean(run.active[1800:2400]) < 500
    assert mean(run.active[3200:]) > 850


@settings(max_examples=25, deadline=None)
@given(
    active=st.integers(5, 500),
    per_minute=st.integers(10, 900),
    strategy=st.sampled_from(["active", "both"]),
    no_shows=st.floats(0, 0.6),
    arrivals=st.floats(0.1, 20),
    seed=st.integers(0, 1000),
)
def test_the_active_visitors_stay_near_the_target(
    active: int, per_minute: int, strategy: str, no_shows: float, arrivals: float, seed: int
) -> None:
    rule = admission(strategy, max_active=active, per_minute=per_minute)
    run = play(
        arrivals=always(arrivals), admission=rule, no_shows=always(no_shows), seed=seed, length=900
    )
    assert max(run.active) <= active + max(3, 0.05 * active)


# --- limits that no sequence of steps exceeds -------------------------------------------------

moments = st.tuples(
    st.floats(0, 120),  # seconds since the step before
    st.integers(0, 400),  # joins since then
    st.floats(0, 1),  # share of the missing visitors who request a token
    st.floats(0, 1),  # share of the active visitors who leave
    st.sampled_from([NO_SIGNAL, UNHEALTHY, Signal(Health.HEALTHY, 0.5), Signal(Health.UNKNOWN)]),
)


def run_steps(
    rule: dict[str, Any], script: list[tuple[float, int, float, float, Signal]]
) -> tuple[list[tuple[float, int]], list[int]]:
    """Run a step at each moment; return (time, admitted) of each, and the most active at each.

    The most active are the active visitors and the admitted visitors who may still arrive.
    """
    state: AdmissionState | None = None
    now, queue, serving, tokens, active = 1000.0, 0, 0, 0, 0
    admitted: list[tuple[float, int]] = []
    most_active: list[int] = []
    for wait, joins, come, leave, signal in script:
        now, queue = now + wait, queue + joins
        new = int((serving - tokens) * come)
        tokens += new
        active += new - int(active * leave)
        done = step(rule, state, counts(queue, serving, tokens=tokens, active=active), signal, now)
        state = AdmissionState.from_json(json.loads(json.dumps(done.state.to_json())))
        assert 0 <= done.increment <= queue - serving
        serving += done.increment
        assert done.state.waiting == (queue > serving)
        admitted.append((now, done.increment))
        most_active.append(active + serving - tokens)
    return admitted, most_active


@settings(deadline=None)
@given(
    script=st.lists(moments, max_size=40),
    per_minute=st.integers(0, 2000),
    limit=st.one_of(st.none(), st.integers(0, 500)),
    strategy=st.sampled_from(["rate", "both"]),
    least=st.integers(0, 3000),
)
def test_no_window_admits_more_than_its_quota_and_the_burst(
    script: list[tuple[float, int, float, float, Signal]],
    per_minute: int,
    limit: int | None,
    strategy: str,
    least: int,
) -> None:
    rule = admission(strategy, per_minute=per_minute, burst=limit, min_per_minute=least)
    admitted, _ = run_steps(rule, script)
    most = burst(rule, per_minute)
    assert most == max(limit or 0, per_minute / 6, 1)
    for first, (start, _) in enumerate(admitted):
        total = 0
        for end, number in admitted[first:]:
            total += number
            assert total <= per_minute * (end - start) / 60 + most + 0.01


@settings(deadline=None)
@given(
    script=st.lists(moments, max_size=40),
    most=st.integers(0, 300),
    strategy=st.sampled_from(["active", "both"]),
)
def test_the_most_active_visitors_exceed_the_target_by_no_shows_only(
    script: list[tuple[float, int, float, float, Signal]], most: int, strategy: str
) -> None:
    """Without no-shows: everyone requests a token before the next step, and nobody leaves."""
    sure = [(wait, joins, 1.0, leave, signal) for wait, joins, _, leave, signal in script]
    rule = admission(strategy, max_active=most, no_show_after=3600)
    _, active = run_steps(rule, sure)
    assert max(active, default=0) <= most


@given(st.lists(moments, max_size=10))
def test_manual_admission_admits_nobody(
    script: list[tuple[float, int, float, float, Signal]],
) -> None:
    admitted, _ = run_steps(admission("manual"), script)
    assert not any(number for _, number in admitted)


# --- single steps -----------------------------------------------------------------------------


def state(**values: Any) -> AdmissionState:
    basis = AdmissionState(1, 0.0, 0.0)
    return replace(basis, **values)


def once(
    rule: dict[str, Any], before: AdmissionState | None, found: Counts, **more: Any
) -> AdmissionStep:
    return step(rule, before, found, more.get("signal", NO_SIGNAL), more.get("now", 10.0))


@pytest.mark.parametrize(
    ("members", "admitted"),
    [
        ({"per_minute": 600}, 100),  # the quota of a step
        ({"per_minute": 600, "burst": 250}, 250),
        ({"per_minute": 600, "burst": 30}, 100),  # a burst below a step's quota slows nothing
        ({"per_minute": 600, "burst": 0}, 100),
        ({"per_minute": 1}, 1),  # one position at least
        ({"per_minute": 0, "burst": 250}, 0),
        ({"per_minute": 7}, 1),
    ],
)
def test_the_first_step_admits_the_burst(members: dict[str, Any], admitted: int) -> None:
    assert once(admission("rate", **members), None, counts(500)).increment == admitted


@pytest.mark.parametrize(
    ("idle", "admitted"), [(10.0, 100), (5.0, 50), (25.0, 250), (60.0, 300), (86_400.0, 300)]
)
def test_a_quota_accumulates_up_to_the_burst(idle: float, admitted: int) -> None:
    rule = admission("rate", per_minute=600, burst=300)
    assert once(rule, state(), counts(500), now=idle).increment == admitted


def test_a_rate_below_one_position_a_step_keeps_its_fraction() -> None:
    rule = admission("rate", per_minute=2)
    first = once(rule, state(credit=0.5), counts(9))
    assert (first.increment, first.state.credit) == (0, pytest.approx(0.8333, abs=1e-3))
    second = once(rule, first.state, counts(9), now=20.0)
    assert (second.increment, second.reason) == (1, "2 per minute")


@pytest.mark.parametrize(("active", "admitted"), [(97, 3), (99, 1), (100, 0), (101, 0), (200, 0)])
def test_exactly_the_free_capacity_is_filled_when_everybody_arrives(
    active: int, admitted: int
) -> None:
    found = once(admission("active", max_active=100), state(), counts(500, active=active))
    assert found.increment == admitted
    assert found.reason == f"{active} of 100 active, 0 expected to arrive"


def test_both_admits_what_both_limits_allow() -> None:
    rule = admission("both", max_active=100, per_minute=60)
    assert once(rule, None, counts(500)).reason == "60 per minute"
    assert once(rule, None, counts(500, active=95)).increment == 5
    assert once(rule, None, counts(3)).reason == "every position is served"


def test_the_serving_counter_never_passes_the_queue_counter() -> None:
    for strategy in ("rate", "active", "both"):
        assert once(admission(strategy), None, counts(7, 3)).increment == 4
        assert once(admission(strategy), None, counts(7, 30)).increment == 0


def test_capacity_is_given_on_when_nobody_came_for_it() -> None:
    rule = admission("active", max_active=10)
    found = once(rule, None, counts(50), now=0.0)
    assert found.increment == 10
    for now in range(10, 90, 10):
        found = once(rule, found.state, counts(50, 10), now=float(now))
        assert found.increment == 0
    assert once(rule, found.state, counts(50, 10), now=96.0).increment > 0


def test_a_step_whose_move_was_never_made_is_made_again() -> None:
    rule = admission("active", max_active=50)
    found = once(rule, None, counts(500), now=0.0)
    assert once(rule, found.state, counts(500)).increment == 50


def test_a_reset_keeps_quota_brake_and_learned_share() -> None:
    before = state(credit=20.0, brake=0.5, no_shows=NoShows(70, 50, (Group(5.0, 20),), 50.0, 200.0))
    rule = admission("rate", burst=1000)
    new = once(rule, before, counts(generation=2), signal=Signal(Health.UNKNOWN)).state
    assert (new.generation, new.credit, new.brake) == (2, 70.0, 0.5)
    assert new.no_shows == NoShows(0, 0, (), 50.0, 200.0)


def test_a_clock_that_steps_back_earns_nothing_twice() -> None:
    rule = admission("rate", per_minute=600)
    first = once(rule, state(at=100.0), counts(5000), now=99.0)
    assert (first.increment, first.state.at) == (0, 100.0)
    assert once(rule, first.state, counts(5000), now=105.0).increment == 50
    far = once(rule, state(at=1e9), counts(5000), now=99.0).state
    assert far.at == 99.0  # a clock that was far ahead is corrected


# --- the brake --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "admitted"),
    [({}, 0), ({"min_per_minute": 60}, 10), ({"min_per_minute": 9_000}, 100)],
)
@pytest.mark.parametrize("strategy", ["rate", "both"])
def test_a_stopped_rate_keeps_the_minimum(
    members: dict[str, Any], admitted: int, strategy: str
) -> None:
    rule = admission(strategy, **members)
    assert once(rule, None, counts(500), signal=UNHEALTHY).increment == admitted


@pytest.mark.parametrize(
    ("members", "active", "admitted"),
    [
        ({}, 0, 0),
        ({"min_per_minute": 60}, 0, 10),
        ({"min_per_minute": 60}, 995, 5),  # and never above max_active
        ({"min_per_minute": 60}, 1000, 0),
    ],
)
def test_a_stopped_target_keeps_the_minimum(
    members: dict[str, Any], active: int, admitted: int
) -> None:
    found = once(admission("active", **members), None, counts(500, active=active), signal=UNHEALTHY)
    assert found.increment == admitted
    assert found.reason.endswith("brake at 0%: the site is unhealthy")


def test_the_brake_lowers_the_target_of_active_and_the_rate_of_rate() -> None:
    half = Signal(Health.HEALTHY, 0.5)
    assert once(admission("active"), None, counts(5000), signal=half).increment == 500
    found = once(admission("rate", min_per_minute=200), None, counts(5000), signal=half)
    assert (found.increment, found.reason) == (
        66,
        "400 per minute; brake at 50%: the site recovers",
    )


@pytest.mark.parametrize(
    ("members", "stored", "expected"),
    [
        ({}, {}, NO_SIGNAL),
        ({"alarm": "cpu"}, {}, Signal(Health.UNKNOWN)),  # not read yet
        ({"alarm": "cpu"}, {"alarm": "other", "alarm_state": Alarm.ALARM}, Signal(Health.UNKNOWN)),
        ({"alarm": "cpu"}, {"alarm": "cpu", "alarm_state": Alarm.OK}, Signal(Health.HEALTHY)),
        ({"alarm": "cpu"}, {"alarm": "cpu", "alarm_state": Alarm.ALARM}, UNHEALTHY),
        (
            {"alarm": "cpu"},
            {"alarm": "cpu", "alarm_state": Alarm.OK, "alarm_at": 819},
            UNHEALTHY,  # read too long ago
        ),
        (
            {"alarm": "cpu", "on_insufficient_data": "hold"},
            {"alarm": "cpu", "alarm_state": Alarm.INSUFFICIENT_DATA},
            Signal(Health.UNKNOWN),
        ),
        (
            {"alarm": "cpu"},
            {"alarm": "cpu", "alarm_state": Alarm.INSUFFICIENT_DATA},
            Signal(Health.HEALTHY),
        ),
        ({}, {"alarm": "cpu", "alarm_state": Alarm.ALARM}, NO_SIGNAL),  # no longer configured
        ({}, {"health": 0.25, "health_at": 990}, Signal(Health.HEALTHY, 0.25)),
        ({}, {"health": 1.0, "health_at": 879}, UNHEALTHY),
        (
            {"alarm": "cpu"},
            {"alarm": "cpu", "alarm_state": Alarm.OK, "health": 0.5, "health_at": 1000},
            Signal(Health.HEALTHY, 0.5),
        ),
    ],
)
def test_the_signal_comes_from_the_alarm_and_the_site(
    members: dict[str, Any], stored: dict[str, Any], expected: Signal
) -> None:
    record = AdmissionRecord("Sample", **{"alarm_at": 1000, **stored})
    assert site_signal(admission("rate", **members), record, 1000.0) == expected


# --- the stored state -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "seconds"),
    [
        (None, 5.0, 0.0),
        (state(at=100.0, waiting=True), 103.0, 7.0),
        (state(at=100.0, waiting=True), 110.0, 0.0),
        (state(at=100.0, waiting=True), 900.0, 0.0),
        (state(at=100.0, waiting=True), 3.0, 10.0),  # the clock stepped back
        (state(at=100.0, waiting=False), 100.0, 0.0),
    ],
)
def test_steps_are_ten_seconds_apart_while_visitors_wait(
    before: AdmissionState | None, now: float, seconds: float
) -> None:
    assert seconds_until_step(before, now) == seconds


@pytest.mark.parametrize("no_show_after", [10, 90, 3600])
def test_the_stored_state_is_small_and_survives(no_show_after: int) -> None:
    rule = admission("both", max_active=1_000_000, per_minute=1_000_000, burst=1_000_000,
                     no_show_after=no_show_after)  # fmt: skip
    now, serving, found = 1_796_000_000.123, 0, None
    for index in range(720):
        seen = counts(10**9, serving, tokens=serving * 2 // 3, active=index * 7)
        found = step(rule, found, seen, UNHEALTHY if index % 7 else NO_SIGNAL, now).state
        serving, now = serving + 100_000, now + 10.2
        text = json.dumps(found.to_json(), separators=(",", ":"))
        assert len(text) < 800
        assert len(found.no_shows.groups) <= MAX_GROUPS
        again = AdmissionState.from_json(json.loads(text))
        assert again is not None
        assert again.to_json() == found.to_json()
        found = again


@pytest.mark.parametrize("other", [None, 3, "", {}, {"groups": 3}, {"learned": [1, 2, 3]}])
def test_an_invalid_state_starts_afresh(other: object) -> None:
    assert AdmissionState.from_json(other) is None
