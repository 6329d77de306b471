# SPDX-License-Identifier: Apache-2.0
"""``shut`` of the state row is at least as strict as the document, at every call and crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.faults import Crash, WrappedPort
from tests.support.in_memory_room import START, InMemoryRoom
from waiting_room.adapters.page_html import clean_html
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import PhaseForbids, UnknownEvent
from waiting_room.domain.gate.straight_through import is_shut
from waiting_room.use_cases.events.event_documents import EventDocuments, build_event_documents

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
ACTIONS = ("open", "pause", "resume", "drain", "close", "pass_through", "queue")
STRICT = ("pause", "drain", "close")


class Steps:
    """Calls ``before`` with the number of each call of a store, and lets a second pass."""

    def __init__(self, room: InMemoryRoom, before: Callable[[int], None]) -> None:
        self.room, self.before, self.count = room, before, 0

    def documents(self) -> EventDocuments:
        """The use case, whose stores count their calls."""
        stores = self.room.stores
        wrapped = {
            name: WrappedPort(getattr(stores, name), self._around)
            for name in ("documents", "log", "straight_through")
        }
        return build_event_documents(
            self.room.room,
            replace(stores, **wrapped),  # type: ignore[arg-type]
            self.room.clock,
            clean_html,
        )

    def _around(self, _name: str, call: Callable[[], Any]) -> Any:
        self.count += 1
        self.room.clock.now += 1
        self.before(self.count)
        return call()


def room_after(*actions: str) -> InMemoryRoom:
    room = InMemoryRoom()
    room.event_documents.put("sale", {}, None, actor=ADA)
    for action in actions:
        room.clock.now += 1
        room.event_documents.act("sale", action, actor=ADA)
    return room


def check(room: InMemoryRoom, *, exact: bool = False) -> None:
    stored = room.documents.store.documents["sale"]
    shut = room.log.store.read("sale").shut
    assert shut or not is_shut(stored.document)
    assert not exact or bool(shut) == is_shut(stored.document)


def act(documents: EventDocuments, action: str) -> bool:
    try:
        documents.act("sale", action, actor=ADA)
    except PhaseForbids:
        return False
    return True


PATHS = [(), ("pause",), ("drain",), ("close",), ("pause", "pass_through"), ("pass_through",)]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_leaves_shut_as_the_document_is(path: tuple[str, ...], action: str) -> None:
    room = room_after(*path)
    act(room.event_documents, action)
    check(room, exact=True)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_crash_at_any_call_leaves_shut_at_least_as_strict(
    path: tuple[str, ...], action: str
) -> None:
    crashes = 0
    for number in range(1, 20):
        room = room_after(*path)

        def crash(count: int, at: int = number) -> None:
            if count == at:
                raise Crash

        try:
            act(Steps(room, crash).documents(), action)
        except Crash:
            crashes += 1
            check(room)
        else:
            break
    assert crashes


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("other", ACTIONS)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_in_the_middle_of_another_one_leaves_shut_as_strict(
    path: tuple[str, ...], action: str, other: str
) -> None:
    """For each call of ``action``: ``other`` takes place just before it."""
    for number in range(1, 20):
        room = room_after(*path)

        def interrupt(count: int, at: int = number, room: InMemoryRoom = room) -> None:
            if count == at:
                room.clock.now += 1
                act(room.event_documents, other)

        steps = Steps(room, interrupt)
        act(steps.documents(), action)
        check(room)
        if steps.count < number:
            break


@pytest.mark.parametrize("action", STRICT)
def test_a_strict_action_shuts_before_it_writes_the_document(action: str) -> None:
    room = room_after()
    states: list[int] = []
    write = room.documents.store.write

    def recorded(*given: Any) -> None:
        states.append(room.log.store.read("sale").shut)
        write(*given)

    room.documents.store.write = recorded
    room.event_documents.act("sale", action, actor=ADA)
    assert states[0] > START


def test_a_removal_that_fails_does_not_fail_the_action() -> None:
    room = room_after("pause")
    room.log.fail("reopen", "before")
    assert room.event_documents.act("sale", "resume", actor=ADA)["phase"] == "open"
    assert room.log.store.read("sale").shut


def test_an_action_that_the_phase_forbids_shuts_nothing() -> None:
    room = room_after("pass_through")
    with pytest.raises(PhaseForbids):
        room.event_documents.act("sale", "pause", actor=ADA)
    with pytest.raises(UnknownEvent):
        room.event_documents.act("none", "pause", actor=ADA)
    assert not room.log.store.read("sale").shut


def test_a_reset_keeps_shut_and_a_new_event_with_a_used_id_is_not_shut() -> None:
    room = room_after("close")
    room.room.control.reset("sale", actor=ADA)
    assert room.log.store.read("sale").shut
    room.event_documents.delete("sale", None, actor=ADA)
    room.event_documents.put("sale", {}, None, actor=ADA)
    check(room, exact=True)
