# SPDX-License-Identifier: Apache-2.0
"""Configuration of a gate outside CloudFront: ``GET /events/{event_id}/gate``."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import apps.private_api.app
from tests.support.fakes.gate_keys import ROOT_KEYS
from tests.support.in_memory_room import EVENT, START, InMemoryRoom
from tests.support.lambda_proxy_events import Answer, call
from waiting_room.domain.gate.configuration import GateConfiguration
from waiting_room.domain.gate.root_keys import RootKeys

PROTECT = [{"path": "/checkout"}, {"host": "vip.example", "path": "/"}]


@pytest.fixture(autouse=True)
def in_memory_room(served_room: InMemoryRoom) -> InMemoryRoom:
    served_room.gate_keys.store.root = ROOT_KEYS
    return served_room


def ask(method: str, path: str, body: Any = None) -> Answer:
    return call(apps.private_api.app.app, method, path, body=body)


def test_a_gate_reads_rules_state_and_keys(in_memory_room: InMemoryRoom) -> None:
    bypass = [{"path": "/checkout/help"}]
    ask("PATCH", f"/events/{EVENT}", {"protect": PROTECT, "bypass": bypass})
    shown = ask("GET", f"/events/{EVENT}/gate")
    keys = in_memory_room.gate_keys.keys(EVENT)
    assert (shown.status, shown.json) == (200, {
        "version": 2,
        "rules": [
            [EVENT, 0, "/", "vip.example"], [EVENT, 1, "/checkout/help"], [EVENT, 0, "/checkout"],
        ],
        "state": {"g": 1, "r": 300},
        "keys": {"signing": "new", "keys": dict(keys.keys)},
    })  # fmt: skip
    assert shown.headers["cache-control"] == "no-store"
    assert GateConfiguration.from_json(EVENT, shown.json).keys == keys


def test_a_change_of_the_event_is_in_the_state(in_memory_room: InMemoryRoom) -> None:
    ask("PATCH", f"/events/{EVENT}", {"protect": PROTECT})
    in_memory_room.clock.now += 10
    ask("POST", f"/events/{EVENT}/actions/pass_through")
    assert ask("GET", f"/events/{EVENT}/gate").json["state"]["p"] == START + 10
    in_memory_room.clock.now += 10
    ask("PATCH", f"/events/{EVENT}", {"title": "Another title"})
    ask("POST", f"/events/{EVENT}/actions/reset")
    assert ask("GET", f"/events/{EVENT}/gate").json["state"] == {
        "g": 2, "r": 300, "p": START + 10,
    }  # fmt: skip
    ask("POST", f"/events/{EVENT}/actions/close")
    assert ask("GET", f"/events/{EVENT}/gate").json["state"] == {"g": 2, "r": 300, "x": 1}


def test_each_event_has_keys_of_its_own() -> None:
    ask("PUT", "/events/other", {"mode": "pass_through"})
    shown = ask("GET", "/events/other/gate").json
    assert (shown["rules"], shown["state"]) == ([], {"g": 1, "r": 300, "p": 1})
    own = ask("GET", f"/events/{EVENT}/gate").json
    assert not set(shown["keys"]["keys"].values()) & set(own["keys"]["keys"].values())


@pytest.mark.parametrize(("event_id", "status"), [("none", 404), ("-", 400), ("a b", 400)])
def test_another_event_has_no_configuration(event_id: str, status: int) -> None:
    refused = ask("GET", f"/events/{event_id}/gate")
    assert refused.status == status
    assert "keys" not in refused.json


def test_without_keys_the_gate_is_told_to_ask_again(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.gate_keys.store.root = RootKeys()
    assert ask("GET", f"/events/{EVENT}/gate").status == 503


def test_no_key_is_logged(in_memory_room: InMemoryRoom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ask("GET", f"/events/{EVENT}/gate")
    secrets = [*shown.json["keys"]["keys"].values(), *(key.secret for key in ROOT_KEYS.keys)]
    assert not [secret for secret in secrets if secret in caplog.text]
