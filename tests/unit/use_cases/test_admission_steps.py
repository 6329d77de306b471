# SPDX-License-Identifier: Apache-2.0
"""Steps of automatic admission: when they are made, by whom, for which events, at which cost."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.support.in_memory_room import InMemoryRoom
from waiting_room.adapters.page_html import clean_html
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import InvalidInput, Unavailable, UnknownEvent
from waiting_room.domain.events.alarms import Alarm
from waiting_room.use_cases.events.admission_steps import AdmissionSteps
from waiting_room.use_cases.events.event_documents import build_event_documents

FOREVER = 1e9
ME = Actor(ActorKind.PERSON, "arn:aws:sts::1:assumed-role/me")
RATE = {"strategy": "rate", "per_minute": 60}  # ten positions a step


class Rooms(InMemoryRoom):
    """A room with several events. ``meanwhile`` is called after each pause of a worker."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        super().pause(seconds)
        self.meanwhile()

    def create(self, event_id: str, admission: object = RATE, **members: Any) -> None:
        """Create an event."""
        content = {"admission": admission, **members}
        self.event_documents.put(event_id, content, None, actor=ME)

    def act(self, event_id: str, action: str) -> None:
        """Carry out an action."""
        self.event_documents.act(event_id, action, actor=ME)
        self.room.directory.refresh()

    def line(self, event_id: str, count: int) -> None:
        """Assign positions to visitors; no visitor is admitted."""
        joins = [self.join(self.clock.now + index / 1000) for index in range(count)]
        self.clock.now += 1
        assert not self.room.workers.assignment.assign(event_id, joins).retry

    def serving(self, event_id: str) -> int:
        """Return the serving counter."""
        return self.log.read(event_id).serving

    @property
    def steps(self) -> AdmissionSteps:
        """The steps."""
        return self.room.workers.admission

    def minute(self, left: float = FOREVER) -> int:
        """Run a minute of steps."""
        end = self.clock.now + left
        return self.steps.run_minute(lambda: end - self.clock.now)


@pytest.fixture
def rooms() -> Rooms:
    made = Rooms()
    made.room.workers.setup.run()
    return made


def count_calls(rooms: Rooms) -> Counter[str]:
    """Count the calls of every store from now on."""
    calls: Counter[str] = Counter()
    stores = ("counters", "log", "positions", "outcomes", "documents", "admission")
    for name in stores:
        store = getattr(rooms, name)
        for method in (one for one in dir(store.store) if not one.startswith("_")):
            real = getattr(store.store, method)
            if callable(real):
                setattr(store.store, method, _counted(calls, f"{name}.{method}", real))
    return calls


def _counted(calls: Counter[str], name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        calls[name] += 1
        return real(*args, **options)

    return call


# --- the scheduled worker ---------------------------------------------------------------------


def test_a_minute_makes_a_step_every_ten_seconds(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    start = rooms.clock.now
    assert rooms.minute() == 70
    moves = rooms.log.moves(rooms.log.read("onsale"))
    assert [(move.at - start, move.current) for move in moves] == [
        (10 * step, 10 * (step + 1)) for step in range(7)
    ]
    assert {(move.reason, move.actor) for move in moves} == {("admission", "admission admit")}


def test_the_next_run_continues_ten_seconds_after_the_last_step(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    start = rooms.clock.now
    for minute in range(5):
        rooms.clock.now = max(rooms.clock.now, start + 60 * minute + 3 * (minute % 2))
        rooms.minute()
    moves = rooms.log.moves(rooms.log.read("onsale"))
    gaps = {later.at - earlier.at for earlier, later in pairwise(moves)}
    assert gaps == {10}
    assert {move.current - move.previous for move in moves} == {10}


@pytest.mark.parametrize("seconds", [0.5, 20, 59.5])
def test_visitors_of_a_pre_queue_are_admitted_in_the_second_of_the_opening(
    rooms: Rooms, seconds: float
) -> None:
    opens_at = int(rooms.clock.now) + 100
    rooms.create("show", schedule={"pre_queue_at": opens_at - 100, "opens_at": opens_at})
    rooms.line("show", 30)
    rooms.clock.now = opens_at - seconds
    served: dict[int, int] = {}

    def note() -> None:
        served[int(rooms.clock.now) - opens_at] = rooms.serving("show")

    rooms.meanwhile = note
    rooms.minute()
    assert served[0] == 0, "the step follows this pause"
    assert rooms.serving("show") >= 10


def test_a_run_does_not_wait_for_an_opening_of_a_later_minute(rooms: Rooms) -> None:
    opens_at = int(rooms.clock.now) + 100
    for strategy in ("rate", "manual"):
        admission = {**RATE, "strategy": strategy}
        rooms.create(strategy, admission, schedule={"opens_at": opens_at})
    began = rooms.clock.now
    rooms.minute()
    assert rooms.clock.now == began
    rooms.act("rate", "close")
    rooms.clock.now = opens_at - 30
    rooms.minute()
    assert rooms.clock.now == opens_at - 30


def test_a_run_ends_when_the_queue_is_served(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 25)
    start = rooms.clock.now
    assert rooms.minute() == 25
    assert rooms.clock.now == start + 20


def test_a_run_starts_no_step_that_it_has_no_time_for(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    assert rooms.minute(left=35) == 30


def test_a_document_that_changes_takes_effect_at_the_next_step(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 5000)
    real = rooms.clock.now

    def change() -> None:
        if rooms.clock.now == real + 20:
            content = {"admission": {"per_minute": 600}}
            rooms.event_documents.patch("onsale", content, None, actor=ME)

    rooms.meanwhile = change
    rooms.minute()
    moves = rooms.log.moves(rooms.log.read("onsale"))
    assert [move.current - move.previous for move in moves] == [10, 10, *[100] * 5]


@pytest.mark.parametrize("action", ["pause", "close"])
def test_a_pause_or_close_stops_admission_at_once(rooms: Rooms, action: str) -> None:
    """Also for a worker whose copy of the registry is older than the change."""
    rooms.create("onsale")
    rooms.line("onsale", 500)
    rooms.room.directory.all()
    other = rooms.new_room()
    build_event_documents(other, rooms.stores, rooms.clock, clean_html).act(
        "onsale", action, actor=ME
    )
    assert rooms.minute() == 0
    assert rooms.serving("onsale") == 0


@pytest.mark.parametrize(
    ("members", "admitted"),
    [
        ({"schedule": {"opens_at": 1_900_000_000}}, 0),
        ({"schedule": {"opens_at": 1_900_000_000, "pre_queue_at": 1_700_000_000}}, 0),
        ({"schedule": {"opens_at": 1_700_000_000}}, 70),
        ({"schedule": {"closes_at": 1_700_000_000}}, 0),
        ({"schedule": {"closes_at": 1_700_000_000, "after": "pass_through"}}, 500),
        ({"mode": "pass_through"}, 500),
        ({"mode": "pass_through", "admission": {"strategy": "manual"}}, 500),
        ({"admission": {"strategy": "manual"}}, 0),
    ],
)
def test_the_phase_decides(rooms: Rooms, members: dict[str, Any], admitted: int) -> None:
    rooms.create("onsale", members.pop("admission", RATE), **members)
    rooms.line("onsale", 500)
    assert rooms.minute() == admitted
    assert rooms.serving("onsale") == admitted


def test_a_draining_event_is_served(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    rooms.act("onsale", "drain")
    assert rooms.minute() == 70


def test_a_step_that_fails_stops_no_other_event(rooms: Rooms) -> None:
    for event_id in ("one", "two"):
        rooms.create(event_id)
        rooms.line(event_id, 500)
    real = rooms.admission.store.write

    def write(before: Any, after: Any) -> None:
        if after.event_id == "one":
            raise Unavailable("the table does not respond")
        real(before, after)

    rooms.admission.store.write = write
    with pytest.raises(Unavailable, match="7 admission steps failed"):
        rooms.minute()
    assert (rooms.serving("one"), rooms.serving("two")) == (0, 70)


def test_a_deleted_event_ends_its_steps(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)

    def delete() -> None:
        if "onsale" in rooms.documents.store.documents:
            rooms.act("onsale", "close")
            rooms.event_documents.delete("onsale", None, actor=ME)

    start, rooms.meanwhile = rooms.clock.now, delete
    assert rooms.minute() == 10
    assert rooms.clock.now == start + 10


# --- several workers --------------------------------------------------------------------------


def test_of_two_workers_at_once_one_makes_the_step(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    other = rooms.new_room().workers.admission
    real = rooms.admission.store.write

    def overtaken(before: Any, after: Any) -> None:
        rooms.admission.store.write = real
        assert other.run_minute(lambda: 1.0) == 10
        real(before, after)

    rooms.admission.store.write = overtaken
    assert rooms.minute(left=1.0) == 0
    assert rooms.serving("onsale") == 10


def test_a_reset_between_state_and_move_admits_nobody(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    real = rooms.admission.store.write

    def reset(before: Any, after: Any) -> None:
        real(before, after)
        rooms.room.control.reset("onsale")
        rooms.line("onsale", 5)

    rooms.admission.store.write = reset
    assert rooms.minute(left=1.0) == 0
    assert (rooms.serving("onsale"), rooms.log.read("onsale").generation) == (0, 2)


def test_an_operator_who_admits_meanwhile_does_not_lift_the_counter_above_the_queue(
    rooms: Rooms,
) -> None:
    rooms.create("onsale", {"strategy": "active", "max_active": 100})
    rooms.line("onsale", 50)
    real = rooms.admission.store.write

    def admit(before: Any, after: Any) -> None:
        real(before, after)
        rooms.room.control.increment("onsale", 45)

    rooms.admission.store.write = admit
    assert rooms.minute(left=1.0) == 5
    assert rooms.serving("onsale") == 50


# --- the join worker --------------------------------------------------------------------------


def test_a_visitor_who_joins_an_idle_event_is_admitted_by_the_join_worker(rooms: Rooms) -> None:
    rooms.create("onsale")
    for second in range(30):
        rooms.clock.now += 10 * (second % 3)
        rooms.line("onsale", 1)
        assert rooms.steps.step_after_joins("onsale") is None
        assert rooms.serving("onsale") == second + 1
    moves = rooms.log.moves(rooms.log.read("onsale"))
    assert {move.actor for move in moves} == {"admission assign_positions"}


def test_the_join_worker_says_when_the_next_step_is_due_if_visitors_wait(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 25)
    assert rooms.steps.step_after_joins("onsale") == 10
    assert rooms.serving("onsale") == 10
    rooms.line("onsale", 1)
    assert rooms.steps.step_after_joins("onsale") is None  # not due, and made by another call
    assert rooms.serving("onsale") == 10
    rooms.clock.now += 9
    assert rooms.steps.step_after_joins("onsale") == 10
    rooms.clock.now += 10
    assert rooms.steps.step_after_joins("onsale") is None
    assert rooms.serving("onsale") == 26


def test_joins_while_visitors_wait_cost_nothing_until_the_next_step(rooms: Rooms) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 500)
    rooms.steps.step_after_joins("onsale")
    calls = count_calls(rooms)
    for _ in range(5):
        rooms.clock.now += 1
        assert rooms.steps.step_after_joins("onsale") is None
    assert set(calls) <= {"documents.registry"}


def test_a_failed_step_of_the_join_worker_is_logged_only(
    rooms: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 5)

    def fail(*_: object) -> None:
        raise Unavailable("the table does not respond")

    rooms.admission.store.write = fail
    assert rooms.steps.step_after_joins("onsale") is None
    assert "a later one follows" in caplog.text


@pytest.mark.parametrize("event_id", ["unknown", "manual", "closed"])
def test_the_join_worker_makes_no_step_for_other_events(rooms: Rooms, event_id: str) -> None:
    rooms.create("manual", {"strategy": "manual"})
    rooms.create("closed")
    rooms.act("closed", "close")
    if event_id != "unknown":
        rooms.line(event_id, 5)
    calls = count_calls(rooms)
    assert rooms.steps.step_after_joins(event_id) is None
    assert set(calls) <= {"documents.registry"}


def test_pass_through_serves_each_batch(rooms: Rooms) -> None:
    rooms.create("onsale", mode="pass_through")
    rooms.line("onsale", 5)
    assert rooms.steps.step_after_joins("onsale") is None
    rooms.line("onsale", 700)
    assert rooms.steps.step_after_joins("onsale") is None
    assert rooms.serving("onsale") == 705


# --- costs ------------------------------------------------------------------------------------


def minute_calls(events: int, open_events: int) -> Counter[str]:
    """Return the calls of a minute with this many events, each with a queue."""
    rooms = Rooms()
    rooms.room.workers.setup.run()
    for number in range(events):
        rooms.create(f"event-{number}")
        rooms.line(f"event-{number}", 300)
        if number >= open_events:
            rooms.act(f"event-{number}", ("close", "pause")[number % 2])
    rooms.clock.now += 5  # the copy of the registry is old
    calls = count_calls(rooms)
    assert rooms.minute() == 70 * open_events
    return calls


def test_a_minute_of_a_hundred_events_costs_as_much_as_its_three_open_ones() -> None:
    assert minute_calls(100, 3) == minute_calls(3, 3)


def test_a_minute_without_an_open_event_is_one_read_of_the_registry() -> None:
    assert minute_calls(40, 0) == {"documents.registry": 1}


def test_a_minute_without_a_queue_reads_the_counters_of_the_open_events_once(
    rooms: Rooms,
) -> None:
    for number in range(20):
        rooms.create(f"event-{number}")
    rooms.minute()  # builds the counters
    calls, start = count_calls(rooms), rooms.clock.now
    rooms.clock.now += 60
    assert rooms.minute() == 0
    assert calls == {"documents.registry": 1, "counters.counts": 20}
    assert rooms.clock.now == start + 60


# --- the brake --------------------------------------------------------------------------------


def test_a_health_report_slows_the_next_step(rooms: Rooms) -> None:
    rooms.create("onsale", {"strategy": "rate", "per_minute": 600})
    rooms.line("onsale", 5000)
    rooms.steps.report_health("onsale", 0.1)
    assert rooms.minute(left=1) == 10
    rooms.clock.now += 301  # the report is too old
    assert rooms.minute(left=1) == 0


@pytest.mark.parametrize("health", [None, "1", True, -0.1, 1.1, float("nan")])
def test_an_invalid_health_report_is_rejected(rooms: Rooms, health: object) -> None:
    rooms.create("onsale")
    with pytest.raises(InvalidInput):
        rooms.steps.report_health("onsale", health)
    assert rooms.admission.read("onsale").health is None


def test_a_health_report_of_an_unknown_event_is_rejected(rooms: Rooms) -> None:
    with pytest.raises(UnknownEvent):
        rooms.steps.report_health("unknown", 1)


def watch(rooms: Rooms, left: float = FOREVER) -> int:
    end = rooms.clock.now + left
    return rooms.room.workers.alarm_states.run_minute(lambda: end - rooms.clock.now)


ALARMED = {"strategy": "rate", "per_minute": 600, "alarm": "cpu"}


def test_an_alarm_is_stored_and_brakes(rooms: Rooms) -> None:
    rooms.create("onsale", ALARMED)
    rooms.line("onsale", 5000)
    assert rooms.minute(left=1) == 100  # not read yet: no brake
    rooms.alarms.known["cpu"] = Alarm.ALARM
    assert watch(rooms, left=1) == 1
    rooms.clock.now += 30
    assert rooms.minute(left=1) == 50
    rooms.alarms.known["cpu"] = Alarm.OK
    assert watch(rooms, left=1) == 1
    rooms.clock.now += 60
    assert rooms.minute(left=1) == 70


def test_alarms_are_read_every_ten_seconds_while_visitors_wait(rooms: Rooms) -> None:
    rooms.create("onsale", ALARMED)
    rooms.create("quiet", ALARMED)
    rooms.create("other", {**ALARMED, "alarm": "disk"})
    rooms.create("closed", {**ALARMED, "alarm": "network"})
    rooms.act("closed", "close")
    rooms.alarms.known = {"cpu": Alarm.OK, "disk": Alarm.ALARM}
    start = rooms.clock.now
    assert watch(rooms) == 3
    assert (rooms.alarms.calls, rooms.clock.now) == ([["cpu", "disk"]], start)
    rooms.line("onsale", 5000)
    rooms.minute(left=1)
    start = rooms.clock.now
    watch(rooms)
    assert (len(rooms.alarms.calls), rooms.clock.now) == (7, start + 50)
    assert rooms.admission.read("other").alarm_state is Alarm.ALARM


def test_the_alarm_of_an_event_is_known_when_it_opens(rooms: Rooms) -> None:
    opens_at = int(rooms.clock.now) + 100
    schedule = {"pre_queue_at": opens_at - 100, "opens_at": opens_at}
    rooms.create("show", {**RATE, "alarm": "site"}, schedule=schedule)
    rooms.alarms.known["site"] = Alarm.ALARM
    rooms.line("show", 30)
    rooms.clock.now = opens_at - 30
    assert watch(rooms) == 1
    rooms.minute(left=41)  # until after the first step
    assert rooms.clock.now >= opens_at
    assert rooms.serving("show") == 0, "the alarm holds admission"


def test_an_unchanged_alarm_is_written_once_a_minute(rooms: Rooms) -> None:
    rooms.create("onsale", ALARMED)
    rooms.line("onsale", 5000)
    rooms.minute(left=1)
    rooms.alarms.known = {"cpu": Alarm.OK}
    calls = count_calls(rooms)
    watch(rooms)
    assert calls["admission.report_alarm"] == 1
    rooms.clock.now += 10
    watch(rooms)
    assert calls["admission.report_alarm"] == 2


def test_a_missing_alarm_is_logged_and_an_unreadable_one_brakes(
    rooms: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    rooms.create("onsale", ALARMED)
    watch(rooms)
    assert rooms.admission.read("onsale").alarm_state is Alarm.MISSING
    assert "1 alarms of admission.alarm do not exist" in caplog.text
    assert "on_insufficient_data decides: cpu" in caplog.text
    rooms.alarms.fails = True
    watch(rooms)
    assert rooms.admission.read("onsale").alarm_state is Alarm.UNREADABLE


def test_without_an_alarm_the_alarm_reader_calls_nothing_but_the_tables(rooms: Rooms) -> None:
    rooms.create("onsale")
    assert watch(rooms) == 0
    assert rooms.alarms.calls == []


def test_the_change_log_names_admission(rooms: Rooms, caplog: pytest.LogCaptureFixture) -> None:
    rooms.create("onsale")
    rooms.line("onsale", 5)
    with caplog.at_level(logging.INFO, "waiting_room.changes"):
        rooms.steps.step_after_joins("onsale")
    line = json.loads(caplog.records[-1].message)
    assert (line["kind"], line["who"], line["before"], line["after"]) == (
        "admission", "assign_positions", 0, 5,
    )  # fmt: skip
