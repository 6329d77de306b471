# SPDX-License-Identifier: Apache-2.0
"""The rules and runs of the periodic and the max-size inlet."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.inlet import MemoryInlet
from tests.support.inlet_room import (
    EVENT,
    FOREVER,
    START,
    CountingRoom,
    InletWorld,
    inlet_settings,
    sns,
)
from waiting_room.domain.errors import InvalidInput, SettingsError, Unavailable, UnknownRequest
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import (
    Alarm,
    ExitNotice,
    InletRecord,
    RoomMetrics,
    Strategy,
    Window,
    max_size,
    parse_exit_notice,
    tick_share,
)
from waiting_room.use_cases import change_log

counts = st.integers(0, 100_000)


def ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def max_size_world(size: int = 100, **figures: int) -> InletWorld:
    return InletWorld(
        {"INLET_STRATEGY": "MaxSize", "MAX_SIZE": size}, room=CountingRoom(RoomMetrics(**figures))
    )


# --- Periodic ---------------------------------------------------------------------------------


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
def test_an_alarm_that_does_not_exist_is_told(
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
    assert "no alarm has the name that CLOUDWATCH_ALARM_NAME gives" in caplog.text


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


def test_an_increment_that_stays_unanswered_is_told_at_the_end_of_the_minute() -> None:
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


def test_an_increment_without_an_answer_is_told_and_not_repeated() -> None:
    world = InletWorld()
    world.room.fail = True
    with pytest.raises(Unavailable):
        world.periodic()
    assert world.last == (0, "the private API did not answer")


# --- MaxSize ----------------------------------------------------------------------------------


def test_each_departure_makes_room_for_one() -> None:
    left = ids(3)
    world = max_size_world(serving=100, queue=300, tokens=100, active=100)
    world.room.sessions = set(left)
    event = sns({"completed": left[:2]}, {"abandoned": left[2:]})
    assert world.inlet.run_max_size(event).by == 3


def test_every_record_of_an_event_is_handled() -> None:
    world = max_size_world(serving=50, queue=90, tokens=50, active=50)
    event = sns({"exited": 1}, {"exited": 2}, {"exited": 4})
    assert world.inlet.run_max_size(event).by == 7


def test_warm_calls_do_not_add_up() -> None:
    world = max_size_world(serving=50, queue=90, tokens=50, active=50)
    assert world.inlet.run_max_size(sns({"exited": 3})).by == 3
    assert world.inlet.run_max_size(sns({"exited": 1})).by == 1


def test_over_capacity_nothing_is_sent() -> None:
    world = max_size_world(100, serving=130, queue=200, tokens=130, active=130)
    assert world.inlet.run_max_size(sns({"exited": 1})).by == 0
    assert world.room.increments == []


def test_an_empty_room_opens_by_itself() -> None:
    world = max_size_world(100)
    assert world.inlet.run_max_size({"source": "aws.events"}).by == 100
    assert world.inlet.run_max_size({"source": "aws.events"}).by == 0


def test_a_room_that_emptied_opens_by_a_message_alone() -> None:
    world = max_size_world(100, serving=40, queue=40, tokens=40, active=0)
    assert world.inlet.run_max_size(sns({"exited": 0})).by == 100


def test_the_schedule_gives_on_the_places_of_those_who_never_came() -> None:
    world = max_size_world(100, serving=100, queue=400, tokens=60, active=60)
    assert world.inlet.run_max_size({}).by == 0
    world.room.figures_now = RoomMetrics(serving=100, queue=400, tokens=60, active=60, expired=40)
    assert world.inlet.run_max_size({}).by == 40


def test_a_message_delivered_twice_raises_once() -> None:
    left = ids(5)
    world = max_size_world(serving=100, queue=300, tokens=100, active=100)
    world.room.sessions = set(left)
    event = sns({"completed": left}, ids=["m-1"])
    assert world.inlet.run_max_size(event).by == 5
    assert world.inlet.run_max_size(event).by == 0
    exited = sns({"exited": 5}, ids=["m-2"])
    world.room.figures_now = RoomMetrics(serving=105, queue=300, tokens=105, active=95)
    assert world.inlet.run_max_size(exited).by == 5
    assert world.inlet.run_max_size(exited).by == 0


@pytest.mark.parametrize("failing", [1, 2])
def test_a_message_whose_run_failed_counts_each_visitor_once_at_its_retry(
    monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    left = ids(6)
    world = max_size_world(serving=100, queue=300, tokens=100, active=100)
    world.room.sessions = set(left)
    end, calls = world.room.end_sessions, []

    def unanswered(*args: Any) -> int:
        calls.append(args)
        answer = end(*args)
        if len(calls) == failing:
            raise Unavailable("no answer")
        return answer

    monkeypatch.setattr(world.room, "end_sessions", unanswered)
    event = sns({"completed": left[:3], "abandoned": left[3:]}, ids=["m-1"])
    with pytest.raises(Unavailable):
        world.inlet.run_max_size(event)
    assert world.room.increments == []
    assert world.inlet.run_max_size(event).by == 6
    assert world.inlet.run_max_size(event).by == 0
    assert world.room.increments == [6]


def test_one_message_delivered_to_two_runs_at_once_counts_once() -> None:
    left = ids(10)
    world = max_size_world(50, serving=100, queue=300, tokens=100, active=50)
    world.room.sessions = set(left)
    both = threading.Barrier(2)
    event = sns({"completed": left}, ids=["m-1"])
    runs = [
        threading.Thread(target=lambda: (both.wait(), world.another().run_max_size(event)))
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sum(world.room.increments) == 10


def test_an_id_sent_again_in_another_message_is_not_counted() -> None:
    left = ids(5)
    world = max_size_world(serving=100, queue=300, tokens=100, active=100)
    world.room.sessions = set(left)
    assert world.inlet.run_max_size(sns({"completed": left}, ids=["m-1"])).by == 5
    assert world.inlet.run_max_size(sns({"completed": left}, ids=["m-2"])).by == 0


@pytest.mark.parametrize(
    "message",
    [
        "", "{", "[]", "3", '"x"', "null", "[" * 100_000, '{"exited": NaN}',
        '{"exited": 1, "exited": 2}',
    ],
)  # fmt: skip
def test_a_bad_message_is_left_out_and_the_others_count(message: str) -> None:
    world = max_size_world(serving=50, queue=90, tokens=50, active=50)
    with pytest.raises(InvalidInput):
        parse_exit_notice(message)
    assert world.inlet.run_max_size(sns(message, {"exited": 2})).by == 2


@pytest.mark.parametrize(
    ("exited", "counted"),
    [
        ("3", 3), ("3.0", 3), ('"3"', 3), ('" 3 "', 3), ("null", 0), ("0", 0), ('"1000000"', 10**6),
    ],
)  # fmt: skip
def test_a_number_may_be_a_text(exited: str, counted: int) -> None:
    assert parse_exit_notice(f'{{"exited": {exited}}}') == ExitNotice(counted)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("exited", value, "exited must be a whole number from 0 to 1000000")
        for value in ("-1", "true", "1.5", "10000000", '"ten"', '"-1"', '"1.5"', "[]", "{}", '""')
    ]
    + [
        (name, value, f"{name} must be a list of request ids")
        for name in ("completed", "abandoned")
        for value in ('"secret-id"', "3", "{}", "true")
    ],
)
def test_a_member_that_cannot_be_meant_leaves_itself_out_alone(
    name: str, value: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    left = ids(2)
    good: dict[str, object] = {"exited": 2, "completed": left[:1], "abandoned": left[1:]}
    del good[name]
    message = json.dumps(good)[:-1] + f', "{name}": {value}}}'
    assert parse_exit_notice(message).faults == (fault,)
    world = max_size_world(serving=100, queue=300, tokens=100, active=100)
    world.room.sessions = set(left)
    opened = world.inlet.run_max_size(sns(message)).by
    assert opened == (2 if name == "exited" else 1)
    assert fault in caplog.text
    assert "secret-id" not in caplog.text


def test_who_is_named_is_among_those_who_exited() -> None:
    left = ids(3)
    world = max_size_world(serving=50, queue=300, tokens=50, active=50)
    world.room.sessions = set(left)
    assert world.inlet.run_max_size(sns({"exited": 5, "completed": left})).by == 5
    world.clock.now += 61
    more = ids(2)
    world.room.sessions = set(more)
    assert world.inlet.run_max_size(sns({"exited": 1, "abandoned": more})).by == 2


def test_ids_that_cannot_be_are_left_out() -> None:
    good = ids(2)
    sent = '{"completed": ["%s", 7, null, "../x", "%s"], "abandoned": ["%s", "%s"]}'
    found = parse_exit_notice(sent % (good[0], good[0], good[0], good[1]))
    assert (found.completed, found.abandoned) == ((good[0],), (good[1],))
    assert found.faults == ("3 of completed are no request ids",)
    upper = parse_exit_notice(f'{{"completed": ["{good[0].upper()}", "{good[0]}"]}}')
    assert upper == ExitNotice(completed=(good[0],))


@given(st.integers(1, 10_000), counts, counts, counts, counts, counts, st.booleans())
def test_max_size_never_goes_above_what_is_free(
    size: int, active: int, outstanding: int, exited: int, ended: int, queue: int, fill: bool
) -> None:
    figures = RoomMetrics(serving=active + outstanding, tokens=active, active=active, queue=queue)
    increment = max_size(size, figures, exited + ended, exited, fill=fill).by
    assert 0 <= increment <= max(0, size - active)
    assert increment == 0 or active - exited + outstanding + increment <= size


def test_two_messages_at_once_open_what_both_freed() -> None:
    left = ids(40)
    world = max_size_world(100, serving=100, queue=300, tokens=100, active=100)
    world.room.sessions = set(left)
    both = threading.Barrier(2)
    runs = [
        threading.Thread(target=lambda part=part: (both.wait(), world.another().run_max_size(
            sns({"completed": part}))))
        for part in (left[:20], left[20:])
    ]  # fmt: skip
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sum(world.room.increments) == 40


# --- settings and operators -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"INLET_STRATEGY": "Random"}, "INLET_STRATEGY must be one of Periodic, MaxSize, Autom"),
        ({"INCREMENT_BY": "ten"}, "INCREMENT_BY must be a whole number"),
        ({"INCREMENT_BY": 0}, "INCREMENT_BY must be between 1"),
        ({"START_TIME": 100, "END_TIME": 50}, "END_TIME must be 0 or after START_TIME"),
        (
            {"PRIVATE_API_ENDPOINT": "private.example"},
            "PRIVATE_API_ENDPOINT must be an https address",
        ),
        ({"ON_INSUFFICIENT_DATA": "maybe"}, "ON_INSUFFICIENT_DATA must be go or hold"),
        ({"TICKS_PER_MINUTE": 100}, "TICKS_PER_MINUTE must be between 1 and 20"),
        ({"SERVING_LOG_TABLE": ""}, "SERVING_LOG_TABLE is missing"),
        (
            {"INLET_STRATEGY": "Automatic", "MIN_PER_MINUTE": 9, "TARGET_PER_MINUTE": 3},
            "MIN_PER_MINUTE must not be above TARGET_PER_MINUTE",
        ),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(env: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        inlet_settings(**env)


def test_an_operator_pauses_and_resumes() -> None:
    world = InletWorld()
    control = InletControl(world.store, time.time, change_log.record)
    with pytest.raises(UnknownRequest):
        control.show(EVENT)
    world.periodic()
    assert control.show(EVENT) == {
        "strategy": "Periodic",
        "paused": False,
        "targets": {"increment_by": 10},
        "last": {"at": START, "increment": 10, "reason": "10 a minute"},
        "alarm": None,
        "pace_per_minute": None,
        "health": None,
    }
    assert control.change(EVENT, True, None)["paused"] is True
    assert world.periodic() == [0]
    assert world.last == (0, "paused by an operator")
    control.change(EVENT, False, {"increment_by": 3})
    assert world.periodic() == [3]


@pytest.mark.parametrize(
    ("alarm", "insufficient", "brakes"),
    [
        (Alarm.OK, "hold", False),
        (Alarm.ALARM, "go", True),
        (Alarm.MISSING, "go", False),
        (Alarm.MISSING, "hold", True),
        (Alarm.UNREADABLE, "go", True),
        (Alarm.INSUFFICIENT_DATA, "go", False),
        (Alarm.INSUFFICIENT_DATA, "hold", True),
    ],
)
def test_an_operator_sees_how_the_last_run_found_the_alarm(
    alarm: Alarm, insufficient: str, brakes: bool
) -> None:
    env = {"CLOUDWATCH_ALARM_NAME": "SiteErrors", "ON_INSUFFICIENT_DATA": insufficient}
    world = InletWorld(env, alarm=lambda: alarm)
    control = InletControl(world.store, world.clock, change_log.record)
    world.periodic()
    seen = {"name": "SiteErrors", "state": alarm.value, "brakes": brakes}
    assert control.show(EVENT)["alarm"] == seen
    control.change(EVENT, True, None)
    world.periodic()
    assert control.show(EVENT)["alarm"] == {**seen, "state": None, "brakes": False}


def test_an_operator_sees_the_pace_of_an_automatic_inlet_and_what_the_site_reported() -> None:
    env = {"INLET_STRATEGY": "Automatic", "CLOUDWATCH_ALARM_NAME": "SiteErrors"}
    world = InletWorld({**env, "TARGET_ACTIVE": 400, "TARGET_PER_MINUTE": 60, "MIN_PER_MINUTE": 5})
    control = InletControl(world.store, world.clock, change_log.record)
    world.inlet.run_automatic({}, lambda: FOREVER)
    assert control.show(EVENT)["pace_per_minute"] == 60
    world.inlet.report_health(0.5)
    shown = control.show(EVENT)
    assert shown["health"] == {"value": 0.5, "at": int(world.clock.now)}
    world.alarm = lambda: Alarm.ALARM
    for _ in range(10):
        world.another().run_automatic({}, lambda: FOREVER)
    shown = control.show(EVENT)
    assert (shown["pace_per_minute"], shown["alarm"]["brakes"]) == (5, True)


@pytest.mark.parametrize(
    ("paused", "targets"),
    [
        (None, None), ("yes", None), (1, None), (None, []), (None, {"increment_by": 0}),
        (None, {"increment_by": True}), (None, {"increment_by": 10_000_000}),
        (None, {"increment_by": "5"}), (None, {"max_size": 5}),
    ],
)  # fmt: skip
def test_an_operator_who_mistypes_is_told(paused: object, targets: object) -> None:
    world = InletWorld()
    world.periodic()
    with pytest.raises(InvalidInput):
        InletControl(world.store, time.time, change_log.record).change(EVENT, paused, targets)
    assert world.periodic() == [10]


def test_a_new_deployment_sets_the_targets_anew_and_keeps_the_pause() -> None:
    world = InletWorld()
    world.periodic()
    InletControl(world.store, time.time, change_log.record).change(EVENT, True, {"increment_by": 3})
    world.periodic()
    assert InletControl(world.store, time.time, change_log.record).show(EVENT)["targets"] == {
        "increment_by": 3
    }
    world.another(INCREMENT_BY=20).run_periodic({}, lambda: 100)
    shown = InletControl(world.store, time.time, change_log.record).show(EVENT)
    assert (shown["targets"], shown["paused"]) == ({"increment_by": 20}, True)


def test_another_strategy_starts_with_its_own_targets() -> None:
    world = InletWorld()
    world.periodic()
    world.another(INLET_STRATEGY="MaxSize").run_max_size({})
    shown = InletControl(world.store, time.time, change_log.record).show(EVENT)
    assert (shown["strategy"], shown["targets"]) == ("MaxSize", {"max_size": 100})


def test_an_inlet_that_has_not_run_yet_has_no_last_decision() -> None:
    store = MemoryInlet()
    targets = {"increment_by": 10}
    store.write(None, InletRecord(EVENT, Strategy.PERIODIC, targets, targets, version=1))
    assert InletControl(store, time.time, change_log.record).show(EVENT)["last"] is None
