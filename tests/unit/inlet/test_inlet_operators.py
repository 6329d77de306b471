# SPDX-License-Identifier: Apache-2.0
"""Settings of the inlets, and what operators change."""

from __future__ import annotations

import time

import pytest

from tests.support.fakes.inlet import MemoryInlet
from tests.support.inlet_room import (
    EVENT,
    START,
    InletHarness,
    inlet_settings,
)
from waiting_room.domain.errors import InvalidInput, SettingsError, UnknownRequest
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.strategies import InletRecord, Strategy
from waiting_room.use_cases import change_log


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"INLET_STRATEGY": "Random"}, "INLET_STRATEGY must be one of Periodic, MaxSize"),
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
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(env: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        inlet_settings(**env)


def test_an_operator_pauses_and_resumes() -> None:
    harness = InletHarness()
    control = InletControl(harness.store, time.time, change_log.record)
    with pytest.raises(UnknownRequest):
        control.show(EVENT)
    harness.periodic()
    assert control.show(EVENT) == {
        "strategy": "Periodic",
        "paused": False,
        "targets": {"increment_by": 10},
        "last": {"at": START, "increment": 10, "reason": "10 per minute"},
        "alarm": None,
    }
    assert control.change(EVENT, True, None)["paused"] is True
    assert harness.periodic() == [0]
    assert harness.last == (0, "paused by an operator")
    control.change(EVENT, False, {"increment_by": 3})
    assert harness.periodic() == [3]


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
    harness = InletHarness(env, alarm=lambda: alarm)
    control = InletControl(harness.store, harness.clock, change_log.record)
    harness.periodic()
    seen = {"name": "SiteErrors", "state": alarm.value, "brakes": brakes}
    assert control.show(EVENT)["alarm"] == seen
    control.change(EVENT, True, None)
    harness.periodic()
    assert control.show(EVENT)["alarm"] == {**seen, "state": None, "brakes": False}


@pytest.mark.parametrize(
    ("paused", "targets"),
    [
        (None, None), ("yes", None), (1, None), (None, []), (None, {"increment_by": 0}),
        (None, {"increment_by": True}), (None, {"increment_by": 10_000_000}),
        (None, {"increment_by": "5"}), (None, {"max_size": 5}),
    ],
)  # fmt: skip
def test_an_operators_invalid_input_is_rejected(paused: object, targets: object) -> None:
    harness = InletHarness()
    harness.periodic()
    with pytest.raises(InvalidInput):
        InletControl(harness.store, time.time, change_log.record).change(EVENT, paused, targets)
    assert harness.periodic() == [10]


def test_a_new_deployment_sets_the_targets_anew_and_keeps_the_pause() -> None:
    harness = InletHarness()
    harness.periodic()
    InletControl(harness.store, time.time, change_log.record).change(
        EVENT, True, {"increment_by": 3}
    )
    harness.periodic()
    assert InletControl(harness.store, time.time, change_log.record).show(EVENT)["targets"] == {
        "increment_by": 3
    }
    harness.another(INCREMENT_BY=20).run_periodic({}, lambda: 100)
    shown = InletControl(harness.store, time.time, change_log.record).show(EVENT)
    assert (shown["targets"], shown["paused"]) == ({"increment_by": 20}, True)


def test_another_strategy_starts_with_its_own_targets() -> None:
    harness = InletHarness()
    harness.periodic()
    harness.another(INLET_STRATEGY="MaxSize").run_max_size({})
    shown = InletControl(harness.store, time.time, change_log.record).show(EVENT)
    assert (shown["strategy"], shown["targets"]) == ("MaxSize", {"max_size": 100})


def test_an_inlet_that_has_not_run_yet_has_no_last_decision() -> None:
    store = MemoryInlet()
    targets = {"increment_by": 10}
    store.write(None, InletRecord(EVENT, Strategy.PERIODIC, targets, targets, version=1))
    assert InletControl(store, time.time, change_log.record).show(EVENT)["last"] is None
