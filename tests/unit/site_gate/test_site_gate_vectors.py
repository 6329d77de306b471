# SPDX-License-Identifier: Apache-2.0
"""Both middlewares give the responses of the vectors that the edge has to pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.gate_vectors import FILE
from tests.unit.site_gate.site import (
    PLAIN,
    SECURE,
    Answer,
    Fixed,
    by_asgi,
    by_wsgi,
    environ_of,
    scope_of,
)
from waiting_room.domain.gate.configuration import GateConfiguration, GateView
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.rules import decode_rules
from waiting_room.site_gate import SiteGate

DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))


def view_of(room: dict[str, Any]) -> GateView:
    """The configurations of a room of the vectors: three events share one state."""
    states = {}
    for event_id in ("sale", "vip", "mobile") if room["event"] else ():
        body = {"version": 1, "rules": [], "state": room["event"], "keys": room["keys"]}
        states[event_id] = GateConfiguration.from_json(event_id, body)
    return GateView(decode_rules(room["rules"]), states)


VIEWS = [view_of(room) for room in DOCUMENT["rooms"]]


def request_of(vector: dict[str, Any]) -> GateRequest:
    one = vector["request"]
    return GateRequest(
        one["method"], one["host"], one["path"], one.get("query"), one["headers"], one["cookies"]
    )


def check(vector: dict[str, Any], found: Answer) -> None:
    """The response is that of the vector, as this server sends it."""
    expected, name = vector["expected"], vector["name"]
    if expected["pass"]:
        if expected["reason"] == "room":  # no setting leads to the room
            assert (found.status, found.site) == (404, None), name
            return
        assert found.site is not None, name
        assert found.site.get("x-waiting-room-session", "") == expected["session"], name
        assert "waiting-room" not in found.site.get("cookie", ""), name
        return
    assert found.site is None, name
    assert found.status == expected["status"], name
    for header, value in expected["headers"].items():
        assert found.header(header) == value, name
    pairs = [cookie.partition(";")[0] for cookie in found.cookies]
    assert pairs == [f"{cookie}={value}" for cookie, value, _ in expected["cookies"]], name
    if vector["request"]["method"] != "HEAD":
        assert (json.loads(found.body) if found.body else None) == expected["body"], name


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_the_middleware_gives_the_responses_of_the_vectors(server: str) -> None:
    count = 0
    for vector in DOCUMENT["vectors"]:
        request = request_of(vector)
        settings = SECURE if vector["secure"] else PLAIN
        gate = SiteGate(settings, Fixed(VIEWS[vector["room"]]), lambda at=vector["now"]: at)  # type: ignore[arg-type, misc]
        try:
            if server == "wsgi":
                found = by_wsgi(gate, environ_of(request))
            elif request.query == "":
                continue  # a scope does not tell an empty query from none
            else:
                found = by_asgi(gate, scope_of(request))
        except UnicodeEncodeError:
            continue  # a character that no request line can hold
        check(vector, found)
        count += 1
    assert count >= len(DOCUMENT["vectors"]) - 5
