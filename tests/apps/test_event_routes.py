# SPDX-License-Identifier: Apache-2.0
"""The event routes of the private API: responses, versions, errors."""

from __future__ import annotations

from typing import Any

import pytest

import apps.private_api.app
import apps.public_api.app
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.lambda_proxy_events import Answer, call


@pytest.fixture(autouse=True)
def in_memory_room(served_room: InMemoryRoom) -> InMemoryRoom:
    return served_room


def ask(method: str, path: str, body: Any = None, version: str | None = None) -> Answer:
    headers = {"If-Match": version} if version else None
    return call(apps.private_api.app.app, method, path, body=body, headers=headers)


def test_an_event_is_created_shown_changed_and_deleted() -> None:
    made = ask("PUT", "/events/onsale", {"title": "On sale"})
    assert (made.status, made.json["version"], made.json["phase"]) == (201, 1, "open")
    shown = ask("GET", "/events/onsale")
    assert (shown.status, shown.json) == (200, {**made.json, "message": ""})
    replaced = ask("PUT", "/events/onsale", {"title": "Two"}, '"1"')
    assert (replaced.status, replaced.json["version"]) == (200, 2)
    patched = ask("PATCH", "/events/onsale", {"token": {"valid_for": 60}})
    assert (patched.json["version"], patched.json["title"]) == (3, "Two")
    listed = ask("GET", "/events")
    assert [row["event_id"] for row in listed.json["events"]] == [EVENT, "onsale"]
    assert "next_token" not in listed.json
    assert ask("POST", "/events/onsale/actions/close").json["phase"] == "closed"
    gone = ask("DELETE", "/events/onsale", version='"4"')
    assert (gone.status, gone.json) == (200, {"event_id": "onsale", "phase": "deleted"})
    assert ask("GET", "/events/onsale").status == 404


def test_a_stale_version_gets_the_current_document() -> None:
    ask("PUT", "/events/a", {"title": "One"})
    for refused in (
        ask("PUT", "/events/a", {}),
        ask("PUT", "/events/a", {}, '"7"'),
        ask("PATCH", "/events/a", {}, '"7"'),
        ask("DELETE", "/events/a", version='"7"'),
    ):
        assert refused.status == 409
        assert refused.json["version"] == 1
        assert refused.json["current"]["title"] == "One"


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("PUT", "/events/-a", {}, "event_id must be"),
        ("PUT", "/events/a b", {}, "event_id must be"),
        ("PUT", "/events/a", {"mode": "x"}, "mode must be one of"),
        ("PUT", "/events/a", [], "the body must be a JSON object"),
        (
            "PATCH",
            f"/events/{EVENT}",
            {"turn": {"expires_after": -1}},
            "turn.expires_after must be",
        ),
        ("POST", f"/events/{EVENT}/actions/explode", None, "action must be one of"),
        ("POST", f"/events/{EVENT}/actions/admit", {}, "by"),
        ("POST", f"/events/{EVENT}/actions/end_session", {"status": 1}, "request_id"),
        ("POST", f"/events/{EVENT}/actions/end_session", {"session": "x", "status": 1}, "session"),
        ("POST", f"/events/{EVENT}/actions/end_session", {"session": f"{EVENT}:1:1"}, "status"),
        (
            "POST",
            f"/events/{EVENT}/actions/end_session",
            {"session": f"{EVENT}:1:1", "request_id": "x", "status": 1},
            "either",
        ),
    ],
)
def test_invalid_input_is_named(method: str, path: str, body: Any, text: str) -> None:
    refused = ask(method, path, body)
    assert refused.status == 400
    assert text in refused.json["error"]


@pytest.mark.parametrize("given", ["x", '"0"', '"-1"', "W/1", '"1"; "2"', "9" * 30])
def test_an_invalid_version_is_refused(given: str) -> None:
    refused = ask("PATCH", f"/events/{EVENT}", {}, given)
    assert (refused.status, "If-Match must be" in refused.json["error"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/events/none"), ("PATCH", "/events/none"), ("DELETE", "/events/none"),
        ("POST", "/events/none/actions/open"), ("POST", "/events/none/actions/reset"),
        ("POST", "/events/none/actions/admit"),
    ],
)  # fmt: skip
def test_an_unknown_event_is_404_below_events(method: str, path: str) -> None:
    assert ask(method, path, {"by": 1}).status == 404


def test_a_phase_that_forbids_an_action_is_its_reason() -> None:
    refused = ask("POST", f"/events/{EVENT}/actions/resume")
    assert (refused.status, refused.json["reason"]) == (409, "open")


def test_operations_of_the_original_have_a_path_of_their_own(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.visitors(2)
    admitted = ask("POST", f"/events/{EVENT}/actions/admit", {"by": 2})
    assert (admitted.status, admitted.json["event_id"]) == (200, EVENT)
    assert in_memory_room.room.metrics.counts(EVENT).serving == 2
    assert ask("POST", f"/events/{EVENT}/actions/reset", {"generation": 9}).status == 409
    assert ask("POST", f"/events/{EVENT}/actions/reset", {"generation": 1}).status == 200
    assert in_memory_room.room.metrics.counts(EVENT).serving == 0


def test_a_session_ends_by_its_id(in_memory_room: InMemoryRoom) -> None:
    (visitor,) = in_memory_room.visitors(1)
    in_memory_room.serve(1)
    in_memory_room.token(visitor)
    ending = {"session": f"{EVENT}:1:1", "status": 1, "call_id": "one"}
    for _ in range(2):  # the second is a repetition
        ended = ask("POST", f"/events/{EVENT}/actions/end_session", ending)
        assert (ended.status, ended.json["event_id"]) == (200, EVENT)
    again = ask("POST", f"/events/{EVENT}/actions/end_session", {**ending, "call_id": "two"})
    assert (again.status, again.json["reason"]) == (404, "already_set")
    assert in_memory_room.room.metrics.counts(EVENT).completed == 1


def test_a_page_mark_that_the_list_did_not_return_is_refused() -> None:
    refused = call(apps.private_api.app.app, "GET", "/events", query={"next_token": "!"})
    assert (refused.status, "next_token" in refused.json["error"]) == (400, True)
