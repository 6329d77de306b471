# SPDX-License-Identifier: Apache-2.0
"""Visitors who go straight through: positions, refills, ``line``, copies, lost responses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fakes.entrance import entrance_of
from tests.support.in_memory_room import START, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Conflict, Unavailable, UnknownEvent
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.records import EventState, OutcomeKind
from waiting_room.use_cases.gate.entrance import (
    PAUSE,
    STATE_CACHE,
    WAITS,
    Entrance,
    Entry,
    Way,
)

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
RATE = {"strategy": "rate", "per_minute": 120}  # a burst of 20 positions, half of it ahead


def room_with(**document: Any) -> InMemoryRoom:
    """A room with the event ``sale``, which is behind a gate."""
    room = InMemoryRoom()
    room.event_documents.put("sale", {"protect": [{"path": "/"}], **document}, None, actor=ADA)
    return room


def entrance(room: InMemoryRoom) -> Entrance:
    return entrance_of(room.stores, room.clock, lambda _: None)


def state(room: InMemoryRoom) -> EventState:
    found: EventState = room.log.store.read("sale")
    return found


def position(found: GateSession | Entry) -> int:
    return found.position if isinstance(found, GateSession) else 0


def test_a_visitor_gets_position_token_and_session() -> None:
    room = room_with(admission=RATE)
    found = entrance(room).go("sale")
    assert found == GateSession("sale", 1, 1, START, START + 900)
    outcome = room.outcomes.store.get("sale", 1, 1)
    assert (outcome.kind, outcome.at, outcome.expires_at) == (
        OutcomeKind.TOKEN,
        START,
        START + 3600,
    )
    assert outcome.session_until == START + 900
    row = room.positions.store.get("sale", outcome.request_id)
    assert (row.position, row.entry_time, row.generation) == (1, START, 1)


def test_writes_are_in_the_order_that_a_crash_needs() -> None:
    room = room_with(admission=RATE)
    for store in (room.log, room.positions, room.outcomes):
        store.calls.clear()
    entrance(room).go("sale")
    assert room.log.calls[-1] == "take"
    assert (room.positions.calls, room.outcomes.calls) == (["insert"], ["put_if_absent"])
    room.positions.fail("insert", "before")
    with pytest.raises(Unavailable):
        entrance(room).go("sale")
    assert room.outcomes.store.get("sale", 1, 2) is None


def test_a_rate_serves_half_its_burst_ahead_and_then_its_quota() -> None:
    room = room_with(admission=RATE)
    door = entrance(room)
    assert [position(door.go("sale")) for _ in range(11)] == [*range(1, 11), 0]
    assert state(room).line == START
    moves = room.log.store.moves(state(room))
    assert [(move.current, move.reason, move.actor) for move in moves] == [
        (10, "admission", "admission entrance")
    ]


def test_a_quota_of_one_second_serves_two_visitors() -> None:
    room = room_with(admission=RATE)
    door = entrance(room)
    for _ in range(10):
        door.go("sale")
    room.clock.now += 1
    assert door.enter("sale").way is Way.GO
    assert [position(door.go("sale")) for _ in range(3)] == [11, 12, 0]


def test_after_a_pause_at_most_the_burst_goes_through_at_once() -> None:
    room = room_with(admission=RATE)
    door = entrance(room)
    assert position(door.go("sale")) == 1
    room.clock.now += 3_600
    found = [position(door.go("sale")) for _ in range(30)]
    assert found.count(0) == 30 - 19  # 9 of the first hour are left, and 10 more


def test_visitors_below_the_rate_never_wait() -> None:
    """Two entrances, 120 arrivals a minute in groups of four: refills come in time."""
    room = room_with(admission=RATE)
    doors = [entrance(room), entrance(room)]
    for _ in range(300):
        found = [position(door.go("sale")) for door in doors * 2]
        assert 0 not in found
        room.clock.now += 2
    assert state(room).line == 0


def test_refills_before_the_last_position_are_a_second_apart() -> None:
    room = room_with(admission=RATE)
    door = entrance(room)
    for _ in range(7):
        door.go("sale")
    room.admission.calls.clear()
    for _ in range(3):
        door.go("sale")
    assert room.admission.calls == []
    room.clock.now += 1
    room.admission.fail("read", "before")
    door = entrance(room)
    room.room.control.increment("sale", 3, actor=ADA)
    assert position(door.go("sale")) == 11  # the failed refill does not fail the visitor


def test_a_caller_waits_for_the_refill_of_another_one() -> None:
    room = room_with(admission=RATE)
    states, pauses = room.admission.store, []
    write = states.write

    def lost(before: Any, after: Any) -> None:
        states.write = write
        write(before, after)  # another caller's
        raise Conflict

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        room.room.control.increment("sale", 10, actor=ADA)  # now it moves the counter

    states.write = lost
    assert position(entrance_of(room.stores, room.clock, pause).go("sale")) == 1
    assert pauses == [PAUSE]


def test_a_visitor_waits_half_a_second_for_a_refill_that_does_not_come() -> None:
    room, pauses = room_with(admission=RATE), []
    door = entrance_of(room.stores, room.clock, pauses.append)
    for _ in range(10):
        door.go("sale")
    assert position(door.go("sale")) == 0
    assert pauses == [PAUSE] * WAITS


def test_enter_sends_visitors_on_while_another_caller_makes_a_refill() -> None:
    room = room_with(admission=RATE)
    writes = room.log.store.write
    ways: list[Way] = []

    def write(before: EventState, after: EventState) -> None:
        ways.append(entrance(room).enter("sale").way)  # the quota is spent, the move not written
        writes(before, after)

    room.log.store.write = write
    assert position(entrance(room).go("sale")) == 1
    assert ways == [Way.GO]
    assert state(room).line == 0


def test_one_of_two_entrances_spends_the_quota() -> None:
    room = room_with(admission=RATE)
    first, second = entrance(room), entrance(room)
    found = [position(door.go("sale")) for door in (first, second) * 6]
    assert sorted(found) == [0, 0, *range(1, 11)]


@pytest.mark.parametrize("strategy", ["manual", "active", "both"])
def test_other_strategies_refill_nothing(strategy: str) -> None:
    room = room_with(admission={"strategy": strategy})
    assert entrance(room).enter("sale").way is Way.WAIT
    assert position(entrance(room).go("sale")) == 0
    assert state(room).serving == 0


def test_positions_that_an_operator_serves_are_headroom() -> None:
    room = room_with()
    room.room.control.increment("sale", 2, actor=ADA)
    door = entrance(room)
    assert door.enter("sale").way is Way.GO
    assert [position(door.go("sale")) for _ in range(3)] == [1, 2, 0]


@pytest.mark.parametrize(
    "document",
    [
        {"control": "pause"},
        {"schedule": {"opens_at": START + 60}},
        {"schedule": {"pre_queue_at": START, "opens_at": START + 60}},
        {"mode": "pass_through"},
        {"join": {"client_secret": "required"}},
    ],
)
def test_visitors_wait_where_the_event_demands_more(document: dict[str, Any]) -> None:
    action = document.pop("control", None)
    room = room_with(admission=RATE, **document)
    if action:
        room.event_documents.act("sale", action, actor=ADA)
    door = entrance(room)
    assert door.enter("sale").way is Way.WAIT
    assert position(door.go("sale")) == 0
    assert state(room).queue == 0


def test_a_programs_next_call_is_at_the_opening() -> None:
    for opens_in, expected in ((5, 10), (60, 60), (3600, 600)):
        room = room_with(schedule={"opens_at": START + opens_in})
        assert entrance(room).enter("sale") == Entry(Way.WAIT, expected)


def test_line_is_set_once_in_ten_seconds_in_phases_with_joins() -> None:
    room = room_with()
    doors = [entrance(room), entrance(room)]
    for _ in range(25):
        for door in doors:
            door.enter("sale")
        room.clock.now += 1
    assert room.log.calls.count("set_line") <= 2 * len(doors) + 2
    assert START + 15 <= state(room).line <= START + 25
    closed = room_with(schedule={"opens_at": START + 60})
    entrance(closed).enter("sale")
    assert state(closed).line == 0


def test_a_request_that_is_no_visitors_sets_no_line() -> None:
    room = room_with()
    assert entrance(room).enter("sale", counts=False).way is Way.WAIT
    assert state(room).line == 0


def test_visitors_wait_while_line_or_shut_is_set() -> None:
    for attribute in ("line", "shut"):
        room = room_with()
        room.room.control.increment("sale", 9, actor=ADA)
        if attribute == "line":
            room.log.store.set_line("sale", 1, START, 10)
        else:
            room.log.store.shut("sale", START * 1_000_000)
        assert entrance(room).enter("sale").way is Way.WAIT
        assert position(entrance(room).go("sale")) == 0


def test_a_copy_of_the_state_is_used_for_a_second() -> None:
    room = room_with()
    room.room.control.increment("sale", 9, actor=ADA)
    door = entrance(room)
    room.log.calls.clear()
    for _ in range(5):
        door.enter("sale")
    assert room.log.calls == ["read"]
    room.clock.now += STATE_CACHE
    door.enter("sale")
    assert room.log.calls == ["read", "read"]


def test_a_copy_that_lacks_a_reset_costs_one_more_attempt() -> None:
    room = room_with()
    room.room.control.increment("sale", 9, actor=ADA)
    door = entrance(room)
    assert position(door.go("sale")) == 1
    room.room.control.reset("sale", actor=ADA)
    room.room.control.increment("sale", 1, actor=ADA)
    found = door.go("sale")
    assert isinstance(found, GateSession)
    assert (found.generation, found.position) == (2, 1)


def test_a_copy_that_lacks_line_or_shut_takes_nothing() -> None:
    room = room_with()
    room.room.control.increment("sale", 9, actor=ADA)
    door = entrance(room)
    door.enter("sale")
    room.event_documents.act("sale", "pause", actor=ADA)
    assert position(door.go("sale")) == 0  # the copies still show an open event
    assert state(room).queue == 0


def test_a_lost_response_leaves_an_unused_position() -> None:
    room = room_with()
    room.room.control.increment("sale", 9, actor=ADA)
    room.log.fail("take", "after")
    with pytest.raises(Unavailable):
        entrance(room).go("sale")
    assert position(entrance(room).go("sale")) == 2
    for _ in range(3):
        room.clock.now += 91
        room.room.workers.reconciliation.run("sale")
    assert state(room).holes == 1


def test_a_lost_response_to_the_move_of_a_refill_moves_once() -> None:
    room = room_with(admission=RATE)
    writes: list[int] = []
    write = room.log.store.write

    def lost_once(before: EventState, after: EventState) -> None:
        write(before, after)  # the AWS client repeats it, and finds its own write
        writes.append(after.serving)
        if len(writes) == 1:
            write(before, after)

    room.log.store.write = lost_once
    found = [position(entrance(room).go("sale")) for _ in range(12)]
    assert found == [*range(1, 11), 0, 0]
    assert writes == [10]


def test_a_refill_that_loses_to_another_move_is_decided_again() -> None:
    room = room_with(admission=RATE)
    write, times = room.log.store.write, [0]

    def interrupted(before: EventState, after: EventState) -> None:
        times[0] += 1
        if times[0] == 1:
            room.log.store.write = write
            room.room.control.increment("sale", 1, actor=ADA)
            room.log.store.write = interrupted
        write(before, after)

    room.log.store.write = interrupted
    found = [position(entrance(room).go("sale")) for _ in range(12)]
    assert found == [*range(1, 12), 0]


def test_a_refill_moves_nothing_once_a_visitor_waits() -> None:
    room = room_with(admission=RATE)
    states = room.admission.store
    write = states.write

    def interrupted(before: Any, after: Any) -> None:
        write(before, after)
        room.log.store.set_line("sale", 1, START, 10)

    states.write = interrupted
    assert position(entrance(room).go("sale")) == 0
    assert state(room).serving == 0


def test_an_unhealthy_site_slows_refills() -> None:
    room = room_with(admission=RATE)
    room.room.workers.admission.report_health("sale", 0.0)
    assert position(entrance(room).go("sale")) == 0


def test_an_event_without_a_gate_has_no_entrance() -> None:
    room = InMemoryRoom()
    room.event_documents.put("api", {}, None, actor=ADA)
    for call in (entrance(room).enter, entrance(room).go):
        with pytest.raises(UnknownEvent):
            call("api")
