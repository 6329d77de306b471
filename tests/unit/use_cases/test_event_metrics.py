# SPDX-License-Identifier: Apache-2.0
"""Metrics, status of the waiting page and minute report of an event."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, START, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import InvalidInput, Unavailable
from waiting_room.use_cases.events.directory import REGISTRY_CACHE, UNREADABLE
from waiting_room.use_cases.room import Room

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


def test_the_waiting_number_counts_those_who_wait(in_memory_room: InMemoryRoom) -> None:
    visitors = in_memory_room.visitors(5)
    assert in_memory_room.waiting() == 5
    in_memory_room.serve(2)
    assert in_memory_room.waiting() == 5
    in_memory_room.token(visitors[0])
    assert in_memory_room.waiting() == 4


def test_the_status_is_all_a_page_needs(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.visitors(100)
    in_memory_room.serve(50)
    in_memory_room.room.control.set_message(EVENT, "Doors open at ten")
    assert in_memory_room.room.metrics.status_page(EVENT) == {
        "event_id": EVENT, "serving_counter": 50, "waiting_num": 100, "queue_counter": 100,
        "admission_rate_per_minute": 50.0, "poll_after_seconds": 2,
        "message": "Doors open at ten", "now": START + 1, "optimistic_rate_per_minute": 50.0,
        "moved_at": START + 1, "first_moved_at": START + 1, "every": None,
        "phase": "open", "pre_queue_at": None, "opens_at": None, "closes_at": None,
    }  # fmt: skip
    assert in_memory_room.room.control.set_message(EVENT, "") == ""
    assert in_memory_room.room.metrics.status_page(EVENT)["message"] == ""


def test_the_rate_of_a_room_that_has_just_opened_is_not_spread_over_the_time_before(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.visitors(1_000)
    rates = []
    for _ in range(12):  # ten a second, told every ten seconds, for two minutes
        in_memory_room.serve(100)
        in_memory_room.clock.now += 10
        rates.append(in_memory_room.room.metrics.status_page(EVENT)["admission_rate_per_minute"])
    assert rates[5:] == [600.0] * 7
    in_memory_room.clock.now += 400
    assert in_memory_room.room.metrics.status_page(EVENT)["admission_rate_per_minute"] == 0.0


def test_a_page_learns_when_the_line_moved_and_when_it_will(in_memory_room: InMemoryRoom) -> None:
    def told() -> tuple[object, ...]:
        status = in_memory_room.room.metrics.status_page(EVENT)
        names = ("optimistic_rate_per_minute", "moved_at", "first_moved_at", "every", "now")
        return tuple(status[name] for name in names)

    in_memory_room.visitors(1_000)
    in_memory_room.clock.now = START + 0.126
    assert told() == (0.0, None, None, None, START + 0.13)
    for _ in range(4):
        in_memory_room.clock.now += 20
        in_memory_room.serve(100)
    assert told() == (300.0, START + 80, START + 20, 20, START + 80.13)
    in_memory_room.clock.now += 4_000  # a pause changes nothing but the time
    assert told() == (300.0, START + 80, START + 20, 20, START + 4_080.13)
    in_memory_room.room.control.reset(EVENT)
    assert told()[:4] == (0.0, None, None, None)


def test_what_the_sweep_lets_in_counts_as_moves() -> None:
    in_memory_room = InMemoryRoom({"INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"})
    in_memory_room.room.workers.setup.run()
    in_memory_room.visitors(20)
    in_memory_room.serve(4)
    for seconds in (91, 91, 901):
        in_memory_room.minute(seconds)
    status = in_memory_room.room.metrics.status_page(EVENT)
    assert (status["serving_counter"], status["moved_at"]) == (8, START + 1 + 1083)
    assert (status["first_moved_at"], status["every"]) == (START + 1, 1083)
    assert status["optimistic_rate_per_minute"] == 0.8


def test_the_minute_report_carries_the_contracts_fields(in_memory_room: InMemoryRoom) -> None:
    visitors = in_memory_room.visitors(3)
    in_memory_room.serve(2)
    in_memory_room.token(visitors[0])
    in_memory_room.room.metrics.report(EVENT)
    assert in_memory_room.published[-1] == (
        "waiting_room_metrics",
        {
            "event_id": EVENT, "num_active_tokens": 1, "total_num_tokens": 1, "queue_counter": 3,
            "serving_number": 2, "completed_sessions": 0, "abandoned_sessions": 0,
        },
    )  # fmt: skip


def phase_and_times(room: Room, event_id: str) -> tuple[object, ...]:
    status = room.metrics.status_page(event_id)
    assert status["event_id"] == event_id
    return status["phase"], status["opens_at"], status["closes_at"]


def test_the_status_has_the_phase_of_each_second(in_memory_room: InMemoryRoom) -> None:
    opens, closes = START + 100, START + 200
    schedule = {"pre_queue_at": START + 50, "opens_at": opens, "closes_at": closes}
    in_memory_room.event_documents.put("sale", {"schedule": schedule}, None, actor=ADA)
    seen = {}
    for second in (0, 49, 50, 99, 100, 199, 200):
        in_memory_room.clock.now = START + second
        seen[second], *times = phase_and_times(in_memory_room.room, "sale")
        assert times == [opens, closes]
    assert list(seen.values()) == [
        "scheduled", "scheduled", "pre_queue", "pre_queue", "open", "open", "closed",
    ]  # fmt: skip
    assert phase_and_times(in_memory_room.room, EVENT) == ("open", None, None)


def test_the_status_has_the_actions_of_operators(in_memory_room: InMemoryRoom) -> None:
    documents = in_memory_room.event_documents
    for action, phase in (
        ("pause", "paused"), ("resume", "open"), ("drain", "draining"), ("close", "closed"),
        ("open", "open"), ("pass_through", "pass_through"), ("queue", "open"),
    ):  # fmt: skip
        documents.act(EVENT, action, actor=ADA)
        assert in_memory_room.room.metrics.status_page(EVENT)["phase"] == phase
        assert in_memory_room.room.metrics.panel(EVENT)["phase"] == phase


def test_another_function_shows_a_change_within_two_seconds(in_memory_room: InMemoryRoom) -> None:
    other = in_memory_room.new_room()
    assert other.metrics.status_page(EVENT)["phase"] == "open"
    in_memory_room.event_documents.act(EVENT, "pause", actor=ADA)
    in_memory_room.clock.now += REGISTRY_CACHE
    assert other.metrics.status_page(EVENT)["phase"] == "paused"


def test_the_status_needs_no_registry(in_memory_room: InMemoryRoom) -> None:
    """It shows the last copy, waits for no second failure, and shows no phase that it guesses."""
    room, registry = in_memory_room.room, in_memory_room.documents
    in_memory_room.event_documents.act(EVENT, "pause", actor=ADA)
    cold = in_memory_room.new_room()
    for function, phase in ((room, "paused"), (cold, None)):
        in_memory_room.clock.now += 60
        registry.fail("registry", "before")
        calls = len(registry.calls)
        assert phase_and_times(function, EVENT) == (phase, None, None)
        in_memory_room.clock.now += UNREADABLE - 0.1
        assert phase_and_times(function, EVENT) == (phase, None, None)
        assert len(registry.calls) == calls + 1
        in_memory_room.clock.now += 0.1
        assert phase_and_times(function, EVENT) == ("paused", None, None)
    in_memory_room.event_documents.put("sale", {}, None, actor=ADA)
    cold = in_memory_room.new_room()
    registry.fail("registry", "before")
    with pytest.raises(Unavailable):
        cold.metrics.status_page("sale")
    in_memory_room.clock.now += UNREADABLE
    assert phase_and_times(cold, "sale") == ("open", None, None)
    with pytest.raises(InvalidInput):
        cold.metrics.status_page("unknown")
