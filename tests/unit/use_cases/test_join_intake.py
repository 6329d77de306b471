# SPDX-License-Identifier: Apache-2.0
"""Joins of many events in one batch: positions, refusals, isolation."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from tests.support.in_memory_room import EVENT, START, InMemoryRoom
from waiting_room.domain.actors import UNKNOWN
from waiting_room.domain.errors import (
    JoinRefused,
    NotAssignedYet,
    NotServedYet,
    RoomError,
    Unavailable,
)
from waiting_room.domain.records import Join
from waiting_room.use_cases.room import Room


@pytest.fixture
def room(in_memory_room: InMemoryRoom) -> InMemoryRoom:
    """A room with the events ``open``, ``later``, ``secret`` and ``shut``."""
    documents = in_memory_room.event_documents
    for event_id, content in {
        "open": {},
        "later": {"schedule": {"pre_queue_at": START + 60, "opens_at": START + 120}},
        "secret": {"join": {"client_secret": "required"}},
        "shut": {},
    }.items():
        documents.put(event_id, content, None, actor=UNKNOWN)
    documents.act("shut", "close", actor=UNKNOWN)
    return in_memory_room


def join(event_id: str, at: float = START + 1, secret_hash: str = "") -> Join:
    return Join(str(uuid.uuid4()), at, str(uuid.uuid4()), secret_hash, event_id)


def process(room: Room, joins: Sequence[Join]) -> frozenset[str]:
    """Process joins as the worker does; return the messages to deliver again."""
    found = room.workers.intake.sort(joins)
    retry = set(room.workers.intake.refuse(found))
    for event_id, mine in found.accepted.items():
        try:
            retry |= room.workers.assignment.assign(event_id, mine).retry
        except Unavailable:
            retry |= {one.message_id for one in mine}
    return frozenset(retry)


def reason(room: InMemoryRoom, one: Join) -> object:
    """Return the position of a join, or the reason for which it has none."""
    try:
        return room.room.positions.queue_number(one.event_id, one.request_id).position
    except JoinRefused as refused:
        return refused.members["reason"]
    except RoomError as error:
        return type(error)


def test_a_batch_of_many_events_gives_each_its_own_queue(room: InMemoryRoom) -> None:
    joins = [join("open", START + 1 + n / 10) for n in range(3)]
    mine = [join(EVENT, START + 1 + n / 10) for n in range(2)]
    refused = [join("later"), join("secret"), join("shut"), join("none")]
    room.clock.now += 2
    mixed = [joins[2], refused[0], mine[1], joins[0], *refused[1:], mine[0], joins[1]]
    assert process(room.room, mixed) == frozenset()
    assert [reason(room, one) for one in joins] == [1, 2, 3]
    assert [reason(room, one) for one in mine] == [1, 2]
    assert [reason(room, one) for one in refused] == [
        "not_open", "client_secret", "closed", "unknown_event",
    ]  # fmt: skip
    assert room.log.read("shut").queue == room.log.read("later").queue == 0
    assert room.log.read("none").queue == 0


def test_a_join_is_judged_by_the_time_at_which_the_queue_accepted_it(room: InMemoryRoom) -> None:
    early, late = join("open", START + 9.9), join("open", START + 10)
    room.clock.now = START + 10
    room.event_documents.act("open", "close", actor=UNKNOWN)
    room.clock.now = START + 500
    process(room.room, [late, early])
    assert (reason(room, early), reason(room, late)) == (1, "closed")
    before, after = join("later", START + 59.9), join("later", START + 60)
    process(room.room, [before, after])
    assert (reason(room, before), reason(room, after)) == ("not_open", 1)


def test_every_phase_that_refuses_joins_has_its_reason(room: InMemoryRoom) -> None:
    room.event_documents.act("open", "drain", actor=UNKNOWN)
    one = join("open", START)
    process(room.room, [one])
    assert reason(room, one) == "draining"
    for method in (room.room.tokens.issue, room.room.tokens.time_to_expiry):
        with pytest.raises(JoinRefused) as refused:
            method("open", one.request_id)
        assert refused.value.members == {"reason": "draining"}


def test_a_position_is_never_replaced_by_a_refusal(room: InMemoryRoom) -> None:
    one = join("open")
    process(room.room, [one])
    again = Join(one.request_id, START - 5, one.message_id, "", "open")
    room.event_documents.act("open", "close", actor=UNKNOWN)
    late = Join(one.request_id, START + 99, one.message_id, "", "open")
    room.clock.now += 100
    process(room.room, [late, again])
    assert reason(room, one) == 1


def test_an_event_whose_stores_fail_delays_only_its_own_joins(room: InMemoryRoom) -> None:
    joins = [join("open"), join(EVENT)]
    real = room.log.store.reserve

    def reserve(event_id: str, *rest: object) -> object:
        if event_id == "open":
            raise Unavailable("throttled")
        return real(event_id, *rest)

    room.log.store.reserve = reserve
    assert process(room.room, joins) == {joins[0].message_id}
    assert reason(room, joins[1]) == 1
    room.log.store.reserve = real
    assert process(room.room, joins[:1]) == frozenset()
    assert reason(room, joins[0]) == 1


def test_a_refusal_that_is_not_stored_is_delivered_again(room: InMemoryRoom) -> None:
    one = join("shut")
    room.positions.fail("insert", "before")
    assert process(room.room, [one]) == {one.message_id}
    assert reason(room, one) is NotAssignedYet
    assert process(room.room, [one]) == frozenset()
    assert reason(room, one) == "closed"


def test_a_join_of_an_event_that_was_just_created_is_accepted(room: InMemoryRoom) -> None:
    worker = room.new_room()
    worker.directory.all()
    room.event_documents.put("new", {}, None, actor=UNKNOWN)
    one = join("new")
    process(worker, [one])
    assert reason(room, one) == 1


def test_a_flood_of_made_up_events_costs_one_read_a_batch_and_no_row(room: InMemoryRoom) -> None:
    reads = room.documents.store.registry_reads
    process(room.room, [join(f"made-up-{n}") for n in range(100)])
    assert room.documents.store.registry_reads <= reads + 2
    assert room.positions.store.get_many("made-up-1", []) == {}


def test_a_closed_event_issues_no_token_and_keeps_those_it_issued(room: InMemoryRoom) -> None:
    first, second = join("open"), join("open", START + 2)
    process(room.room, [first, second])
    room.room.control.increment("open", 2)
    token = room.room.tokens.issue("open", first.request_id)
    room.event_documents.act("open", "close", actor=UNKNOWN)
    assert room.room.tokens.issue("open", first.request_id)["id_token"].count(".") == 2
    assert token["expires_in"] > 0
    with pytest.raises(JoinRefused) as refused:
        room.room.tokens.issue("open", second.request_id)
    assert refused.value.members == {"reason": "closed"}
    with pytest.raises(NotServedYet):
        room.room.tokens.issue(EVENT, room.visitors(1)[0])


def test_the_minute_workers_visit_the_events_that_can_still_change(room: InMemoryRoom) -> None:
    assert room.room.directory.with_minute_work() == sorted([EVENT, "open", "secret", "shut"])
    room.clock.now = START + 900 + 3600 + 3600
    assert room.room.directory.with_minute_work() == sorted([EVENT, "later", "open", "secret"])
