# SPDX-License-Identifier: Apache-2.0
"""Each rule of the inlets and of their runs by itself."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from tests.support.inlet_room import EVENT, START, CountingRoom, InletHarness, sns
from waiting_room.domain.errors import Conflict, InvalidInput, Unavailable
from waiting_room.domain.events.alarms import Alarm, alarm_hold_reason
from waiting_room.inlet.control import InletControl
from waiting_room.inlet.exit_notices import ExitNotice, parse_exit_notice
from waiting_room.inlet.runner import MAX_HANDLED_IDS
from waiting_room.inlet.settings import check_targets
from waiting_room.inlet.strategies import (
    METRICS,
    IncrementDecision,
    InletRecord,
    RoomMetrics,
    Strategy,
    Window,
    max_size,
    periodic,
)
from waiting_room.use_cases import change_log

SHOWN = dict.fromkeys(METRICS.values(), 0)
ID = "00000000-0000-4000-8000-{:012d}".format


# --- the rules --------------------------------------------------------------------------------


def test_figures_of_a_room_that_begins_are_counts() -> None:
    assert RoomMetrics.from_metrics(SHOWN) == RoomMetrics(generation=0)
    assert RoomMetrics() == RoomMetrics(1, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("value", [-1, 1.5, True, "3", None])
def test_a_figure_that_is_no_count_is_named(shown: str, value: object) -> None:
    with pytest.raises(ValueError, match=shown):
        RoomMetrics.from_metrics({**SHOWN, shown: value})


def test_places_open_are_those_served_that_are_neither_used_nor_lost() -> None:
    assert RoomMetrics(serving=20, tokens=5, expired=3, holes=2).outstanding == 10
    assert RoomMetrics(serving=20, tokens=5, expired=13, holes=2).outstanding == 0
    assert RoomMetrics(serving=20, tokens=5, expired=14, holes=2).outstanding == 0


@pytest.mark.parametrize(
    ("start", "end", "now", "closed"),
    [
        (10, 20, 9.5, "the start time is in the future"),
        (10, 20, 10, ""),
        (10, 20, 19.5, ""),
        (10, 20, 20, "the end time is in the past"),
        (10, 0, 10, ""),
        (0, 1, 1, "the end time is in the past"),
    ],
)
def test_a_window_is_open_from_its_start_until_before_its_end(
    start: int, end: int, now: float, closed: str
) -> None:
    assert Window(start, end).closed_reason(now) == closed
    assert Window() == Window(0, 0)


@pytest.mark.parametrize(
    ("alarm", "go", "hold"),
    [
        (Alarm.NONE, "", ""),
        (Alarm.OK, "", ""),
        (Alarm.ALARM, "the alarm is in ALARM", "the alarm is in ALARM"),
        (Alarm.MISSING, "", "the alarm does not exist"),
        (Alarm.UNREADABLE, *["the alarm cannot be read"] * 2),
        (Alarm.INSUFFICIENT_DATA, "", "the alarm has insufficient data"),
    ],
)
def test_the_alarm_says_why_it_holds(alarm: Alarm, go: str, hold: str) -> None:
    assert (alarm_hold_reason(alarm, True), alarm_hold_reason(alarm, False)) == (go, hold)


@pytest.mark.parametrize(("tick", "opened"), [(0, 3), (1, 3), (2, 4)])
def test_the_parts_of_a_minute_differ_by_one(tick: int, opened: int) -> None:
    assert periodic(10, tick, 3) == IncrementDecision(opened, "10 per minute")


@pytest.mark.parametrize(
    ("figures", "left", "exited", "fill", "opened"),
    [
        # 70 active, 10 places open: 20 are free
        ((80, 70, 70), 5, 0, False, 5),
        ((80, 70, 70), 25, 0, False, 20),
        ((80, 70, 70), 0, 0, True, 20),
        ((80, 70, 70), 0, 0, False, 0),
        ((80, 70, 70), 25, 4, False, 24),  # who exited is still active by the figures
        ((80, 70, 70), 40, 15, False, 30),  # and yet no more than are not active
        ((160, 92, 2), 40, 40, False, 32),  # more exited than are active: some tokens had expired
        ((100, 0, 0), 3, 3, False, 0),
        ((0, 0, 0), 0, 0, False, 100),  # an empty site
        ((10, 0, 0), 0, 0, False, 0),  # nobody active, but ten on their way
        ((50, 50, 0), 0, 0, False, 100),
        ((51, 50, 0), 0, 0, False, 0),
        ((51, 50, 1), 0, 0, False, 0),
        ((110, 100, 110), 50, 50, False, 0),  # more active than the size
        ((120, 60, 60), 9, 0, True, 0),  # everything free is spoken for
    ],
)
def test_max_size_replaces_who_left_and_fills_what_is_empty(
    figures: tuple[int, int, int], left: int, exited: int, fill: bool, opened: int
) -> None:
    serving, tokens, active = figures
    room = RoomMetrics(serving=serving, tokens=tokens, active=active)
    told = max_size(100, room, left, exited, fill=fill)
    assert told.by == opened
    coming = f"{active} of 100 active, {serving - tokens} served without a token"
    assert told.reason == (f"{left} left; {coming}" if left else coming)


@pytest.mark.parametrize(("exited", "good"), [(0, True), (1_000_000, True), (1_000_001, False)])
def test_a_message_tells_of_a_million_departures_at_most(exited: int, good: bool) -> None:
    if good:
        assert parse_exit_notice(f'{{"exited": {exited}}}') == ExitNotice(exited)
        return
    told = parse_exit_notice(f'{{"exited": {exited}}}')
    assert (told.exited, len(told.faults)) == (0, 1)


def test_a_message_that_tells_nothing_tells_of_nobody() -> None:
    assert parse_exit_notice("{}") == ExitNotice(0, (), ())
    assert ExitNotice() == ExitNotice(0, (), ())


def test_a_record_before_any_run() -> None:
    record = InletRecord(EVENT, Strategy.PERIODIC, {}, {})
    assert (record.paused, record.version) == (False, 0)
    assert (record.last_at, record.last_increment, record.handled_ids) == (0, 0, ())


@pytest.mark.parametrize(
    ("strategy", "name", "low"),
    [
        (Strategy.PERIODIC, "increment_by", 1),
        (Strategy.MAX_SIZE, "max_size", 1),
    ],
)
def test_a_target_has_limits(strategy: Strategy, name: str, low: int) -> None:
    was: dict[str, int] = {}
    for value in (low, 1_000_000):
        assert check_targets(strategy, was, {name: value})[name] == value
    for wrong in (low - 1, 1_000_001, True, "5", 5.0, None):
        with pytest.raises(InvalidInput, match=name):
            check_targets(strategy, was, {name: wrong})


# --- runs -------------------------------------------------------------------------------------


def test_a_tick_whose_time_is_over_is_missed_and_one_that_is_late_is_made() -> None:
    """Ticks come every ten seconds; one that would start when the next is due is missed."""
    for late, made in ((9.5, 6), (20.0, 5), (20.5, 5), (30.0, 4)):
        harness = InletHarness({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6})
        told: list[int] = []
        real = harness.room.increment

        def slow(event_id: str, by: int, call_id: str, late: float = late) -> int:
            harness.clock.now += 0 if told else late  # noqa: B023
            told.append(by)  # noqa: B023
            return real(event_id, by, call_id)  # noqa: B023

        harness.room.increment = slow  # type: ignore[method-assign]
        assert len(harness.periodic()) == made, late


@pytest.mark.parametrize(
    ("left", "ticks"), [(0.0, 1), (21.9, 1), (22.0, 2), (31.9, 2), (32.0, 3), (61.9, 5), (62.0, 6)]
)
def test_a_tick_is_begun_only_with_twelve_seconds_left_for_it_and_the_first_one_always(
    left: float, ticks: int
) -> None:
    harness = InletHarness({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 6})
    assert len(harness.periodic(left=left)) == ticks
    assert harness.clock.now == START + 10 * (ticks - 1)


def test_an_event_that_names_no_id_is_done_each_time() -> None:
    harness = InletHarness()
    for event in ({}, {"id": ""}, {"id": None}):
        assert harness.periodic(event) == [10]
    record = harness.store.read(EVENT)
    assert record
    assert record.handled_ids == ()


def test_ticks_are_marked_one_by_one_and_the_oldest_marks_leave() -> None:
    harness = InletHarness({"INCREMENT_BY": 60, "TICKS_PER_MINUTE": 20})
    for minute in range(7):
        harness.periodic({"id": f"minute-{minute}"})
        harness.clock.now += 3
    record = harness.store.read(EVENT)
    assert record
    assert len(record.handled_ids) == MAX_HANDLED_IDS
    assert record.handled_ids[0] == "minute-1#0"
    assert record.handled_ids[-1] == "minute-6#19"
    assert harness.periodic({"id": "minute-6"}) == []


def test_a_lost_increment_is_repeated_with_its_own_id_and_number() -> None:
    harness = InletHarness({"INCREMENT_BY": 61, "TICKS_PER_MINUTE": 6})
    harness.room.plan = ["lost"]
    calls: list[tuple[int, str]] = []
    real = harness.room.increment

    def noted(event_id: str, by: int, call_id: str) -> int:
        calls.append((by, call_id))
        return real(event_id, by, call_id)

    harness.room.increment = noted  # type: ignore[method-assign]
    harness.periodic({"id": "m"})
    assert calls[0] == calls[1]
    assert len({call_id for _, call_id in calls}) == len(calls) - 1 == 6
    assert sum(harness.room.increments) == 61


class Contended:
    """A row that another run writes first, so many times."""

    def __init__(self, harness: InletHarness, conflicts: int) -> None:
        self.left = conflicts
        self._write = harness.store.write
        harness.store.write = self.write  # type: ignore[method-assign]

    def write(self, before: InletRecord | None, after: InletRecord) -> None:
        if self.left:
            self.left -= 1
            raise Conflict
        self._write(before, after)


@pytest.mark.parametrize(("conflicts", "opened"), [(0, 10), (7, 10), (8, 0)])
def test_a_step_that_others_overtake_is_decided_again_eight_times(
    conflicts: int, opened: int
) -> None:
    harness = InletHarness()
    Contended(harness, conflicts)
    assert harness.periodic() == [opened]
    assert sum(harness.room.increments) == opened


def test_what_a_run_did_is_in_the_row() -> None:
    harness = InletHarness()
    harness.periodic({"id": "m"})
    record = harness.store.read(EVENT)
    assert record
    assert (record.version, record.last_at, record.last_increment) == (1, START, 10)
    assert (record.last_reason, record.handled_ids) == ("10 per minute", ("m#0",))


def test_an_unanswered_increment_is_noted_and_another_run_may_write_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness = InletHarness()
    harness.room.fail = True
    writes = harness.store.write

    def conflict_at_the_second(before: InletRecord | None, after: InletRecord) -> None:
        if after.version > 1:
            raise Conflict
        writes(before, after)

    harness.store.write = conflict_at_the_second  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable):
        harness.periodic()
    assert "failed increment not recorded: Conflict" in caplog.text
    assert harness.last == (10, "10 per minute")


# --- MaxSize runs -----------------------------------------------------------------------------


def max_size_harness(**figures: int) -> InletHarness:
    return InletHarness({"INLET_STRATEGY": "MaxSize"}, room=CountingRoom(RoomMetrics(**figures)))


@pytest.mark.parametrize(("later", "opened"), [(0, 0), (59, 0), (60, 10)])
def test_a_move_that_the_figures_do_not_show_counts_for_a_minute(later: int, opened: int) -> None:
    before = RoomMetrics(serving=90, queue=300, tokens=90, active=90)
    harness = max_size_harness(serving=90, queue=300, tokens=90, active=90)
    assert harness.inlet.run_max_size({}).by == 10
    harness.room.metrics_now = before  # late figures
    harness.clock.now += later
    assert harness.inlet.run_max_size({}).by == opened


def test_a_move_of_the_line_before_a_reset_does_not_count() -> None:
    harness = max_size_harness(serving=90, queue=300, tokens=90, active=90)
    assert harness.inlet.run_max_size({}).by == 10
    harness.room.metrics_now = RoomMetrics(generation=2)
    assert harness.inlet.run_max_size({}).by == 100


def test_figures_that_are_ahead_of_the_own_move_are_taken_as_they_are() -> None:
    harness = max_size_harness(serving=90, queue=300, tokens=90, active=90)
    harness.inlet.run_max_size({})
    harness.room.metrics_now = RoomMetrics(serving=140, queue=300, tokens=90, active=40)
    assert harness.inlet.run_max_size({}).by == 10  # 50 places are open


@pytest.mark.parametrize("paused", [True, False])
def test_a_paused_inlet_replaces_nobody(paused: bool) -> None:
    harness = max_size_harness(serving=50, queue=90, tokens=50, active=50)
    harness.inlet.run_max_size({})
    harness.room.metrics_now = RoomMetrics(serving=50, queue=90, tokens=50, active=50)
    harness.clock.now += 60
    InletControl(harness.store, time.time, change_log.record).change(EVENT, paused, None)
    assert harness.inlet.run_max_size(sns({"exited": 3})).by == (0 if paused else 3)


def test_a_visitor_of_two_messages_leaves_once_and_a_completed_one_is_not_abandoned() -> None:
    harness = max_size_harness(serving=100, queue=300, tokens=100, active=100)
    harness.room.sessions = {ID(1), ID(2), ID(3)}
    calls: list[tuple[tuple[str, ...], int]] = []
    real = harness.room.end_sessions

    def noted(event_id: str, request_ids: Any, status: int, call_id: str) -> int:
        calls.append((tuple(request_ids), status))
        return real(event_id, request_ids, status, call_id)

    harness.room.end_sessions = noted  # type: ignore[method-assign]
    told = harness.inlet.run_max_size(
        sns({"abandoned": [ID(1), ID(2)]}, {"completed": [ID(1), ID(3)]}, {"completed": [ID(3)]})
    )
    assert told.by == 3
    assert calls == [((ID(2),), -1), ((ID(1), ID(3)), 1)]


@pytest.mark.parametrize(
    "record",
    [
        None, [], "x", {}, {"Sns": None}, {"Sns": []}, {"Sns": {}}, {"Sns": {"MessageId": "m"}},
        {"Sns": {"MessageId": 5, "Message": '{"exited": 9}'}},
        {"Sns": {"MessageId": "m", "Message": {"exited": 9}}},
        {"Sns": {"MessageId": "m", "Message": None}},
    ],
)  # fmt: skip
def test_a_record_that_is_no_message_is_left_out_and_the_others_count(
    record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    harness = max_size_harness(serving=50, queue=90, tokens=50, active=50)
    event = sns({"exited": 2})
    event["Records"].insert(0, record)
    with caplog.at_level(logging.WARNING):
        assert harness.inlet.run_max_size(event).by == 2
    assert "a record that is not an SNS message" in caplog.text


def test_messages_without_an_id_are_all_counted_and_one_named_twice_counts_once() -> None:
    harness = max_size_harness(serving=50, queue=90, tokens=50, active=50)
    assert harness.inlet.run_max_size(sns({"exited": 1}, {"exited": 2}, ids=["", ""])).by == 3
    again = sns({"exited": 4}, {"exited": 4}, {"exited": 1}, ids=["a", "a", "b"])
    harness.clock.now += 61
    assert harness.inlet.run_max_size(again).by == 5
