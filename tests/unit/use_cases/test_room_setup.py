# SPDX-License-Identifier: Apache-2.0
"""Set-up of a deployment: its parameters create the first version of their event, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.faults import FaultInjector, WrappedPort
from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
FIRST = {
    "QUEUE_POSITION_EXPIRY_PERIOD": "100", "VALIDITY_PERIOD": "200",
    "ADMISSION_STRATEGY": "rate", "TARGET_PER_MINUTE": "300",
}  # fmt: skip
UPDATED = {  # each parameter that first_document reads has another value
    "ENABLE_QUEUE_POSITION_EXPIRY": "false", "VALIDITY_PERIOD": "900",
    "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true", "REQUIRE_CLIENT_SECRET": "true",
    "ADMISSION_STRATEGY": "both", "TARGET_PER_MINUTE": "901", "TARGET_ACTIVE": "902",
}  # fmt: skip


def set_up(**parameters: str) -> InMemoryRoom:
    made = InMemoryRoom(parameters)
    made.room.workers.setup.run()
    return made


def update(made: InMemoryRoom, parameters: dict[str, str]) -> None:
    """Run the set-up of a stack update with other parameters, in a new process."""
    made.options = parameters
    made.room = made.new_room()
    made.room.workers.setup.run()


def everything(made: InMemoryRoom, event_id: str = EVENT) -> Any:
    """Return document, registry entries, audit log and bus events."""
    store = made.documents.store
    return (
        made.event_documents.show(event_id), dict(store.entries), list(store.audit[event_id]),
        list(made.published),
    )  # fmt: skip


def test_the_parameters_create_the_first_version() -> None:
    shown = set_up(**FIRST).event_documents.show(EVENT)
    assert (shown["version"], shown["turn"]["expires_after"], shown["token"]) == (
        1, 100, {"valid_for": 200},
    )  # fmt: skip
    assert (shown["admission"]["strategy"], shown["admission"]["per_minute"]) == ("rate", 300)
    shown = set_up(**UPDATED).event_documents.show(EVENT)
    assert (shown["turn"]["expires_after"], shown["join"]["client_secret"]) == (0, "required")


@pytest.mark.parametrize(
    "patch", [{"turn": {"expires_after": 60}}, {"title": "Changed", "token": None}, None]
)
def test_a_stack_update_never_overwrites_the_document(patch: dict[str, Any] | None) -> None:
    made = set_up(**FIRST)
    if patch:
        made.event_documents.patch(EVENT, patch, None, actor=ADA)
    before = everything(made)
    update(made, UPDATED)
    assert everything(made) == before


@pytest.mark.parametrize("action", ["close", "pause", "drain", "pass_through"])
def test_a_stack_update_never_changes_a_phase(action: str) -> None:
    made = set_up(**FIRST)
    made.event_documents.act(EVENT, action, actor=ADA)
    before = everything(made)
    update(made, UPDATED)
    assert everything(made) == before


def test_the_functions_follow_the_document_after_a_stack_update() -> None:
    made = set_up(**FIRST)
    made.event_documents.patch(EVENT, {"token": {"valid_for": 50}}, None, actor=ADA)
    update(made, UPDATED)
    visitor = made.visitors(1)[0]
    made.serve(1)
    assert made.token(visitor)["expires_in"] == 50


def test_another_event_id_creates_another_event_and_keeps_the_first() -> None:
    made = set_up(**FIRST)
    made.event_documents.patch(EVENT, {"title": "Changed"}, None, actor=ADA)
    before = everything(made)[0]
    update(made, {**UPDATED, "EVENT_ID": "Other"})
    assert made.event_documents.show("Other")["token"] == {"valid_for": 900}
    assert made.event_documents.show(EVENT) == before


def test_a_document_that_another_set_up_created_meanwhile_stays() -> None:
    made = InMemoryRoom(FIRST)
    store = made.documents.store

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "write":
            made.documents = FaultInjector(store)
            made.new_room().workers.setup.run()
            made.event_documents.patch(EVENT, {"title": "Changed"}, None, actor=ADA)
        return call()

    made.documents = WrappedPort(store, around)
    made.new_room().workers.setup.run()
    assert made.event_documents.show(EVENT)["title"] == "Changed"
