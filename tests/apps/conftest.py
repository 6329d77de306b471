# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the apps' tests."""

from __future__ import annotations

import pytest

import apps.private_api.app
import apps.public_api.app
import apps.workers.app
from tests.support.in_memory_room import InMemoryRoom, settings
from tests.support.openid_room import OpenId, install
from waiting_room.use_cases.events.room_alarms import RoomAlarms


@pytest.fixture
def openid(monkeypatch: pytest.MonkeyPatch) -> OpenId:
    """The OpenID provider in front of a room in memory."""
    return install(monkeypatch, OpenId())


@pytest.fixture
def served_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    """A room in memory behind the public and the private API, after its set-up."""
    made = InMemoryRoom()
    made.room.workers.setup.run()
    for module in (apps.public_api.app, apps.private_api.app):
        monkeypatch.setattr(module, "room", lambda: made.room)
    for module in (apps.private_api.app, apps.workers.app):
        monkeypatch.setattr(module, "settings", settings)
    monkeypatch.setattr(apps.private_api.app, "event_documents", lambda: made.event_documents)
    monkeypatch.setattr(apps.private_api.app, "event_records", lambda: made.event_records)
    alarms = RoomAlarms(made.alarms, made.edge_alarms, made.admission, "WaitingRoom", made.clock)
    monkeypatch.setattr(apps.private_api.app, "room_alarms", lambda: alarms)
    monkeypatch.setattr(apps.private_api.app, "gate_sources", lambda: made.gate_sources)
    return made
