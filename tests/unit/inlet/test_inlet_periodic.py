# SPDX-License-Identifier: Apache-2.0
"""The Periodic inlet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.inlet_room import (
    START,
    InletHarness,
)
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.strategies import InletRecord, Window, tick_share


def test_the_periodic_inlet_opens_its_number_each_minute() -> None:
    harness = InletHarness({"INCREMENT_BY": 25})
    assert harness.periodic() == [25]
    assert harness.periodic() == [25]
    assert harness.room.increments == [25, 25]


@given(st.integers(1, 1_000_000), st.integers(1, 20))
def test_a_minute_split_into_ticks_is_even_and_loses_nothing(total: int, ticks: int) -> None:
    parts = [tick_share(total, tick, ticks) for tick in range(ticks)]
    assert sum(parts) == total
    assert max(parts) - min(parts) <= 1


def test_six_ticks_a_minute_flow_evenly_instead_of_in_one_lump() -> None:
    harness = InletHarness({"INCREMENT_BY": 10, "TICKS_PER_MINUTE": 6})
    assert harness.periodic() == [1, 2, 2, 1, 2, 2]
    assert harness.clock.now == START + 50


def test_fewer_places_than_ticks_calls_the_room_only_when_there_is_one() -> None:
    harness = InletHarness({"INCREMENT_BY": 1, "TICKS_PER_MINUTE": 6})
    assert sum(harness.periodic()) == 1
    assert harness.room.increments == [1]


def test_missed_ticks_do_not_come_as_a_lump() -> None:
    harness = InletHarness({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6})
    slow = harness.room.increment

    def answers_late(event_id: str, by: int, call_id: str) -> int:
        harness.clock.now += 25 if not harness.room.increments else 0
        return slow(event_id, by, call_id)

    harness.room.increment = answers_late  # type: ignore[method-assign]
    opened = harness.periodic()
    assert opened == [10] * 5
    assert harness.clock.now == START + 50


@given(st.integers(-130, 130), st.integers(-130, 130), st.integers(1, 20))
def test_a_run_sleeps_only_if_a_later_tick_works(first: int, last: int, ticks: int) -> None:
    """The same visitors are admitted as by a run that sleeps through its minute."""
    end = START + last if START + last > START + first else 0
    harness = InletHarness({
        "INCREMENT_BY": 60, "TICKS_PER_MINUTE": ticks, "START_TIME": int(START) + first,
        "END_TIME": int(end),
    })  # fmt: skip
    opened = harness.periodic()
    due = [START + tick * 60 / ticks for tick in range(ticks)]
    works = [START + first <= at and (not end or at < end) for at in due]
    wanted = [tick_share(60, tick, ticks) if works[tick] else 0 for tick in range(ticks)]
    assert opened == wanted[: len(opened)]
    assert not any(wanted[len(opened) :])
    if not any(works) and (first > 60 or (end and last <= 0)):
        assert harness.clock.now == START, "it does not sleep"


def test_ticks_stay_within_the_time_of_the_function() -> None:
    harness = InletHarness({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6})
    assert harness.periodic(left=35) == [10, 10, 10]
    assert harness.clock.now < START + 35


@pytest.mark.parametrize(
    ("alarm", "on_insufficient", "opens"),
    [
        (Alarm.OK, "hold", True),
        (Alarm.ALARM, "go", False),
        (Alarm.MISSING, "go", True),
        (Alarm.MISSING, "hold", False),
        (Alarm.UNREADABLE, "go", False),
        (Alarm.INSUFFICIENT_DATA, "go", True),
        (Alarm.INSUFFICIENT_DATA, "hold", False),
    ],
)
def test_the_alarm_is_a_brake(alarm: Alarm, on_insufficient: str, opens: bool) -> None:
    harness = InletHarness(
        {"CLOUDWATCH_ALARM_NAME": "Slow", "ON_INSUFFICIENT_DATA": on_insufficient},
        alarm=lambda: alarm,
    )
    assert harness.periodic() == [10 if opens else 0]
    assert harness.room.increments == ([10] if opens else [])


def test_an_alarm_that_cannot_be_read_holds() -> None:
    def unreadable() -> Alarm:
        raise Unavailable("CloudWatch did not answer")

    harness = InletHarness({"CLOUDWATCH_ALARM_NAME": "Slow"}, alarm=unreadable)
    assert harness.periodic() == [0]
    assert harness.last == (0, "the alarm cannot be read")


@pytest.mark.parametrize("strategy", ["Periodic", "MaxSize"])
def test_an_alarm_that_does_not_exist_is_logged(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    harness = InletHarness(
        {"INLET_STRATEGY": strategy, "CLOUDWATCH_ALARM_NAME": "Gone", "TICKS_PER_MINUTE": 1},
        alarm=lambda: Alarm.MISSING,
    )
    if strategy == "Periodic":
        harness.periodic()
    else:
        harness.inlet.run_max_size({})
    assert sum(harness.room.increments) > 0
    assert harness.last[1].endswith("; the alarm does not exist")
    assert "of CLOUDWATCH_ALARM_NAME does not exist, ON_INSUFFICIENT_DATA decides" in caplog.text


def test_without_an_alarm_nobody_asks_for_one() -> None:
    def never() -> Alarm:
        raise AssertionError

    assert InletHarness(alarm=never).periodic() == [10]


def test_the_alarm_brakes_in_the_middle_of_a_minute() -> None:
    states = iter([Alarm.OK, Alarm.OK, Alarm.ALARM, Alarm.ALARM, Alarm.OK, Alarm.OK])
    harness = InletHarness(
        {"CLOUDWATCH_ALARM_NAME": "Slow", "INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6},
        alarm=lambda: next(states),
    )
    assert harness.periodic() == [10, 10, 0, 0, 10, 10]


@pytest.mark.parametrize(
    ("now", "works"), [(START - 1, False), (START, True), (START + 59, True), (START + 60, False)]
)
def test_the_inlet_works_from_its_start_until_its_end(now: int, works: bool) -> None:
    harness = InletHarness({"START_TIME": START, "END_TIME": START + 60})
    harness.clock.now = now
    assert harness.periodic() == [10 if works else 0]


def test_an_end_of_zero_is_for_ever() -> None:
    assert Window(0, 0).closed_reason(1e12) == ""


def test_a_minute_delivered_twice_opens_once() -> None:
    harness = InletHarness()
    assert harness.periodic({"id": "tick-1"}) == [10]
    assert harness.periodic({"id": "tick-1"}) == []
    assert harness.periodic({"id": "tick-2"}) == [10]


SIX = {"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6}


@pytest.mark.parametrize(
    ("plan", "made"),
    [
        (["", "lost"], [10] * 6),
        (["", "failed"], [10] * 6),
        (["", "lost", "lost", "lost"], [10] * 4),  # the ticks of the two lost repeats are missed
        (["", "failed", "failed"], [10] * 5),
        (["lost", "", "", "lost"], [10] * 6),
    ],
)
def test_an_unanswered_increment_stops_no_other_tick_and_is_made_once(
    plan: list[str], made: list[int]
) -> None:
    harness = InletHarness(SIX)
    harness.room.plan = list(plan)
    missed = 60 - sum(made)
    if missed:
        with pytest.raises(Unavailable, match=f"{missed // 10} of 6 ticks were not done"):
            harness.periodic({"id": "tick-1"})
    else:
        harness.periodic({"id": "tick-1"})
    assert harness.room.increments == made
    assert harness.clock.now == START + 50


def test_an_increment_without_a_response_is_logged_at_the_end_of_the_minute() -> None:
    harness = InletHarness(SIX)
    harness.room.plan = [""] * 5 + ["lost"]
    with pytest.raises(Unavailable, match="1 of 6 ticks were not done"):
        harness.periodic({"id": "tick-1"})
    assert harness.room.increments == [10] * 6


def test_a_retry_does_the_ticks_that_are_left_and_no_other() -> None:
    harness = InletHarness(SIX)
    harness.periodic({"id": "tick-1"}, left=35)  # the function's time ends
    begun = len(harness.room.increments)
    assert 0 < begun < 6
    harness.periodic({"id": "tick-1"})
    assert harness.room.increments == [10] * 6
    harness.periodic({"id": "tick-1"})
    assert harness.room.increments == [10] * 6


def test_a_store_that_fails_in_one_tick_is_asked_again_by_the_retry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = InletHarness(SIX)
    write, calls = harness.store.write, []

    def fails_once(before: InletRecord | None, after: InletRecord) -> None:
        calls.append(after)
        if len(calls) == 3:
            raise Unavailable("the store is away")
        write(before, after)

    monkeypatch.setattr(harness.store, "write", fails_once)
    with pytest.raises(Unavailable, match="1 of 6 ticks were not done"):
        harness.periodic({"id": "tick-1"})
    assert harness.room.increments == [10] * 5
    harness.periodic({"id": "tick-1"})
    assert harness.room.increments == [10] * 6


def test_two_deliveries_of_one_minute_at_once_open_each_tick_once() -> None:
    harness = InletHarness(SIX)
    other, pause = harness.another(), harness.pause

    def meanwhile(seconds: float) -> None:
        harness.inlet._pause = other._pause = pause
        other.run_periodic({"id": "tick-1"}, lambda: 100.0)
        pause(seconds)

    harness.inlet._pause = meanwhile
    harness.periodic({"id": "tick-1"})
    assert harness.room.increments == [10] * 6


def test_an_increment_without_a_response_is_logged_and_not_repeated() -> None:
    harness = InletHarness()
    harness.room.fail = True
    with pytest.raises(Unavailable):
        harness.periodic()
    assert harness.last == (0, "the private API timed out or failed")
