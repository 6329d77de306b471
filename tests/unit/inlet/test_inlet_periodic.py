# SPDX-License-Identifier: Apache-2.0
"""The Periodic inlet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.inlet_room import (
    START,
    InletWorld,
)
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.strategies import InletRecord, Window, tick_share


def test_the_periodic_inlet_opens_its_number_each_minute() -> None:
    world = InletWorld({"INCREMENT_BY": 25})
    assert world.periodic() == [25]
    assert world.periodic() == [25]
    assert world.room.increments == [25, 25]


@given(st.integers(1, 1_000_000), st.integers(1, 20))
def test_a_minute_split_into_ticks_is_even_and_loses_nothing(total: int, ticks: int) -> None:
    parts = [tick_share(total, tick, ticks) for tick in range(ticks)]
    assert sum(parts) == total
    assert max(parts) - min(parts) <= 1


def test_six_ticks_a_minute_flow_evenly_instead_of_in_one_lump() -> None:
    world = InletWorld({"INCREMENT_BY": 10, "TICKS_PER_MINUTE": 6})
    assert world.periodic() == [1, 2, 2, 1, 2, 2]
    assert world.clock.now == START + 50


def test_fewer_places_than_ticks_calls_the_room_only_when_there_is_one() -> None:
    world = InletWorld({"INCREMENT_BY": 1, "TICKS_PER_MINUTE": 6})
    assert sum(world.periodic()) == 1
    assert world.room.increments == [1]


def test_missed_ticks_do_not_come_as_a_lump() -> None:
    world = InletWorld({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6})
    slow = world.room.increment

    def answers_late(event_id: str, by: int, call_id: str) -> int:
        world.clock.now += 25 if not world.room.increments else 0
        return slow(event_id, by, call_id)

    world.room.increment = answers_late  # type: ignore[method-assign]
    opened = world.periodic()
    assert opened == [10] * 5
    assert world.clock.now == START + 50


def test_ticks_stay_within_the_time_of_the_function() -> None:
    world = InletWorld({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6})
    assert world.periodic(left=35) == [10, 10, 10]
    assert world.clock.now < START + 35


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
    world = InletWorld(
        {"CLOUDWATCH_ALARM_NAME": "Slow", "ON_INSUFFICIENT_DATA": on_insufficient},
        alarm=lambda: alarm,
    )
    assert world.periodic() == [10 if opens else 0]
    assert world.room.increments == ([10] if opens else [])


def test_an_alarm_that_cannot_be_read_holds() -> None:
    def unreadable() -> Alarm:
        raise Unavailable("CloudWatch did not answer")

    world = InletWorld({"CLOUDWATCH_ALARM_NAME": "Slow"}, alarm=unreadable)
    assert world.periodic() == [0]
    assert world.last == (0, "the alarm cannot be read")


@pytest.mark.parametrize("strategy", ["Periodic", "MaxSize", "Automatic"])
def test_an_alarm_that_does_not_exist_is_logged(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = InletWorld(
        {"INLET_STRATEGY": strategy, "CLOUDWATCH_ALARM_NAME": "Gone", "TICKS_PER_MINUTE": 1},
        alarm=lambda: Alarm.MISSING,
    )
    if strategy == "Periodic":
        world.periodic()
    elif strategy == "MaxSize":
        world.inlet.run_max_size({})
    else:
        world.inlet.run_automatic({}, lambda: 60.0)
    assert sum(world.room.increments) > 0
    assert world.last[1].endswith("; the alarm does not exist")
    assert "no alarm has the name in CLOUDWATCH_ALARM_NAME" in caplog.text


def test_without_an_alarm_nobody_asks_for_one() -> None:
    def never() -> Alarm:
        raise AssertionError

    assert InletWorld(alarm=never).periodic() == [10]


def test_the_alarm_brakes_in_the_middle_of_a_minute() -> None:
    states = iter([Alarm.OK, Alarm.OK, Alarm.ALARM, Alarm.ALARM, Alarm.OK, Alarm.OK])
    world = InletWorld(
        {"CLOUDWATCH_ALARM_NAME": "Slow", "INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6},
        alarm=lambda: next(states),
    )
    assert world.periodic() == [10, 10, 0, 0, 10, 10]


@pytest.mark.parametrize(
    ("now", "works"), [(START - 1, False), (START, True), (START + 59, True), (START + 60, False)]
)
def test_the_inlet_works_from_its_start_until_its_end(now: int, works: bool) -> None:
    world = InletWorld({"START_TIME": START, "END_TIME": START + 60})
    world.clock.now = now
    assert world.periodic() == [10 if works else 0]


def test_an_end_of_zero_is_for_ever() -> None:
    assert Window(0, 0).closed_reason(1e12) == ""


def test_a_minute_delivered_twice_opens_once() -> None:
    world = InletWorld()
    assert world.periodic({"id": "tick-1"}) == [10]
    assert world.periodic({"id": "tick-1"}) == []
    assert world.periodic({"id": "tick-2"}) == [10]


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
    world = InletWorld(SIX)
    world.room.plan = list(plan)
    missed = 60 - sum(made)
    if missed:
        with pytest.raises(Unavailable, match=f"{missed // 10} of 6 ticks were not done"):
            world.periodic({"id": "tick-1"})
    else:
        world.periodic({"id": "tick-1"})
    assert world.room.increments == made
    assert world.clock.now == START + 50


def test_an_increment_without_a_response_is_logged_at_the_end_of_the_minute() -> None:
    world = InletWorld(SIX)
    world.room.plan = [""] * 5 + ["lost"]
    with pytest.raises(Unavailable, match="1 of 6 ticks were not done"):
        world.periodic({"id": "tick-1"})
    assert world.room.increments == [10] * 6


def test_a_retry_does_the_ticks_that_are_left_and_no_other() -> None:
    world = InletWorld(SIX)
    world.periodic({"id": "tick-1"}, left=35)  # the function's time ends
    begun = len(world.room.increments)
    assert 0 < begun < 6
    world.periodic({"id": "tick-1"})
    assert world.room.increments == [10] * 6
    world.periodic({"id": "tick-1"})
    assert world.room.increments == [10] * 6


def test_a_store_that_fails_in_one_tick_is_asked_again_by_the_retry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = InletWorld(SIX)
    write, calls = world.store.write, []

    def fails_once(before: InletRecord | None, after: InletRecord) -> None:
        calls.append(after)
        if len(calls) == 3:
            raise Unavailable("the store is away")
        write(before, after)

    monkeypatch.setattr(world.store, "write", fails_once)
    with pytest.raises(Unavailable, match="1 of 6 ticks were not done"):
        world.periodic({"id": "tick-1"})
    assert world.room.increments == [10] * 5
    world.periodic({"id": "tick-1"})
    assert world.room.increments == [10] * 6


def test_two_deliveries_of_one_minute_at_once_open_each_tick_once() -> None:
    world = InletWorld(SIX)
    other, pause = world.another(), world.pause

    def meanwhile(seconds: float) -> None:
        world.inlet._pause = other._pause = pause
        other.run_periodic({"id": "tick-1"}, lambda: 100.0)
        pause(seconds)

    world.inlet._pause = meanwhile
    world.periodic({"id": "tick-1"})
    assert world.room.increments == [10] * 6


def test_an_increment_without_a_response_is_logged_and_not_repeated() -> None:
    world = InletWorld()
    world.room.fail = True
    with pytest.raises(Unavailable):
        world.periodic()
    assert world.last == (0, "the private API timed out or failed")
