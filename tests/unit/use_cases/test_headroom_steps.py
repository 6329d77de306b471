# SPDX-License-Identifier: Apache-2.0
"""Workers of an event behind a gate: headroom by ``active``, ``line``, a ``shut`` that was left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fakes.entrance import entrance_of
from tests.support.in_memory_room import START, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.gate.straight_through import LATE, LINE_AGE
from waiting_room.domain.records import EventState, Join, Segment
from waiting_room.domain.serving_counter import without_headroom

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
ACTIVE = {"strategy": "active", "max_active": 5}


def room_with(**document: Any) -> InMemoryRoom:
    """A room with the event ``sale``, which is behind a gate."""
    room = InMemoryRoom()
    room.event_documents.put("sale", {"protect": [{"path": "/"}], **document}, None, actor=ADA)
    room.room.directory.refresh()
    return room


def state(room: InMemoryRoom) -> EventState:
    found: EventState = room.log.store.read("sale")
    return found


def arrive(room: InMemoryRoom, count: int) -> list[int]:
    """Positions of visitors who arrive; 0 for one who has to wait."""
    door = entrance_of(room.stores, room.clock, lambda _: None)
    found = [door.go("sale") for _ in range(count)]
    return [one.position if isinstance(one, GateSession) else 0 for one in found]


def stream(room: InMemoryRoom) -> None:
    """Deliver the outcomes to the consumer of their stream."""
    rows = list(room.outcomes.store.in_range("sale", 1, 1, 100))
    room.room.publisher.publish_outcomes(rows)


def minute(room: InMemoryRoom) -> list[str]:
    """Run ``admit`` once; return the events of the messages that it sends."""
    sent: list[str] = []
    room.room.workers.admission.run_minute(lambda: 0.0, sent.append)
    return sent


def join(room: InMemoryRoom, age: float = 0.0) -> Join:
    return room.join(room.clock() - age)


def test_active_opens_the_free_capacity_and_no_more() -> None:
    room = room_with(admission=ACTIVE)
    assert arrive(room, 1) == [0]
    room.log.store.remove_line(state(room))
    minute(room)
    assert arrive(room, 6) == [1, 2, 3, 4, 5, 0]


@pytest.mark.parametrize("counted", [False, True])
def test_visitors_on_the_site_hold_their_capacity(counted: bool) -> None:
    """Before the stream counts a token, its position holds the capacity."""
    room = room_with(admission=ACTIVE)
    minute(room)
    arrive(room, 3)
    if counted:
        stream(room)
    minute(room)
    assert state(room).serving == 5
    room.clock.now += 901  # the sessions are over
    stream(room)
    minute(room)
    assert state(room).serving == 8


def test_headroom_is_opened_once() -> None:
    room = room_with(admission=ACTIVE)
    other = room.new_room()
    for one in (room.room, other, room.room):
        one.workers.admission.run_minute(lambda: 0.0)
    assert state(room).serving == 5


@pytest.mark.parametrize(
    "document",
    [
        {"admission": {"strategy": "rate", "per_minute": 60}},
        {"admission": {"strategy": "manual"}},
        {"admission": ACTIVE, "protect": []},
        {"admission": ACTIVE, "join": {"client_secret": "required"}},
        {"admission": ACTIVE, "schedule": {"opens_at": START + 600}},
    ],
)
def test_no_other_event_gets_headroom_from_the_worker(document: dict[str, Any]) -> None:
    room = room_with(**document)
    minute(room)
    assert state(room).serving == 0


@pytest.mark.parametrize("stop", ["line", "shut"])
def test_no_headroom_while_line_or_shut_is_set(stop: str) -> None:
    room = room_with(admission=ACTIVE)
    state(room)
    if stop == "line":
        room.log.store.set_line("sale", 1, START, 10)
    else:
        room.log.store.shut("sale", START * 1_000_000)
    minute(room)
    assert state(room).serving == 0


def test_a_message_is_sent_when_line_may_be_removed() -> None:
    room = room_with()
    arrive(room, 1)
    room.clock.now += LINE_AGE - 1
    assert minute(room) == []
    room.clock.now += 1
    assert minute(room) == ["sale"]
    room.room.workers.assignment.assign("sale", [join(room)])
    assert minute(room) == []  # a position is not served


def test_steps_go_on_while_line_is_set() -> None:
    room = room_with()
    arrive(room, 1)
    sent: list[str] = []
    room.room.workers.admission.run_minute(lambda: 1e9, sent.append)
    assert room.clock.now >= START + 60
    assert len(sent) >= 3


def test_a_message_without_delay_removes_line() -> None:
    room = room_with()
    arrive(room, 1)
    line = room.room.workers.line
    room.clock.now += LINE_AGE
    for age in (LATE + 0.1, -LATE - 0.1, 1e9):
        assert not line.message_received("sale", room.clock() - age)
    assert not line.message_received("unknown", room.clock())
    assert line.message_received("sale", room.clock() - LATE)
    assert state(room).line == 0
    assert not line.message_received("sale", room.clock())


def test_line_stays_before_its_age() -> None:
    room = room_with()
    arrive(room, 1)
    room.clock.now += LINE_AGE - 1
    assert not room.room.workers.line.message_received("sale", room.clock())
    assert state(room).line


def test_a_late_join_sets_line_once_in_ten_seconds() -> None:
    room = room_with()
    line = room.room.workers.line
    line.joins_received("sale", [join(room, LATE)])
    assert state(room).line == 0
    line.joins_received("sale", [join(room), join(room, LATE + 0.1)])
    assert state(room).line == START
    room.log.calls.clear()
    room.clock.now += 9
    line.joins_received("sale", [join(room, 60)])
    assert room.log.calls == []
    room.clock.now += 1
    line.joins_received("sale", [join(room, 60)])
    assert state(room).line == START + 10


def test_a_late_join_of_an_event_without_a_gate_sets_nothing() -> None:
    room = room_with(protect=[])
    room.room.workers.line.joins_received("sale", [join(room, 60)])
    assert state(room).line == 0


def test_joins_do_not_depend_on_line() -> None:
    room = room_with()
    room.log.fail("set_line", "before")
    room.room.workers.line.joins_received("sale", [join(room, 60)])
    room.log.fail("read", "before")
    assert not room.room.workers.line.message_received("sale", room.clock())


def test_a_shut_that_an_action_left_is_removed_after_a_minute() -> None:
    room = room_with(admission=ACTIVE)
    room.documents.fail("write", "before")
    with pytest.raises(Unavailable):
        room.event_documents.act("sale", "pause", actor=ADA)
    minute(room)
    assert state(room).shut
    room.clock.now += 61
    minute(room)
    assert not state(room).shut


def test_a_paused_event_stays_shut() -> None:
    room = room_with(admission=ACTIVE)
    room.event_documents.act("sale", "pause", actor=ADA)
    for _ in range(3):
        room.clock.now += 61
        minute(room)
    assert state(room).shut


def test_rates_are_those_of_visitors() -> None:
    room = room_with()
    room.room.control.increment("sale", 600, actor=ADA)
    arrive(room, 60)
    room.room.counters.follow(state(room))
    shown = room.room.metrics.status_page("sale")
    assert shown["serving_counter"] == 600
    assert shown["admission_rate_per_minute"] == 60.0
    counts = room.room.counters.counts("sale", int(room.clock()))
    found = without_headroom(counts)
    assert found.latest == (Segment(1, 60, START),)
    assert (found.admitted_recently, found.admitted_shortly) == (60, 60)
