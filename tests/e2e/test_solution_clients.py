# SPDX-License-Identifier: Apache-2.0
"""The clients of the AWS solution, header by header and body by body, against the running room."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx
import pytest

from tests.support.local_stack import RunningRoom
from tests.support.solution_clients import Sent, asked_first, calls, one_of, send

pytestmark = pytest.mark.server
TYPES = (
    "application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    "application/octet-stream", "multipart/form-data; boundary=x", "",
)  # fmt: skip


def read(sent: Sent, answer: httpx.Response) -> dict[str, object]:
    """The answer's members, when it is the one that the client waits for."""
    assert (sent.path, answer.status_code) == (sent.path, sent.answers), answer.text
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert not set(sent.reads) - set(content), (sent, content)
    return content if isinstance(content, dict) else {}


def until(sent: Sent, ask: Callable[[], httpx.Response], seconds: float = 20) -> httpx.Response:
    """What is answered in the end, by asking again as the page does."""
    end, pause = time.monotonic() + seconds, 0.1
    while (answer := ask()).status_code != sent.answers:
        assert time.monotonic() < end, answer.text
        time.sleep(pause)
        pause *= 2
    return answer


def test_the_two_pages_complete_a_visit_and_control_the_room(running: RunningRoom) -> None:
    event = running.event_id
    told: set[str] = set()

    def call(client: str, path: str, **more: str) -> dict[str, object]:
        sent = one_of(client, path)
        told.add(repr(sent))
        return read(sent, until(sent, lambda: send(running, sent, event=event, **more)))

    page, panel = "waiting page", "control panel"
    assert running.private("POST", "/reset_initial_state").status_code == 200  # the room is shared
    visitor = str(call(page, "/assign_queue_num")["api_request_id"])
    place = call(page, "/queue_num", visitor=visitor)["queue_number"]
    assert isinstance(place, int)
    end = time.monotonic() + 10  # the edge keeps the figure for a second
    while call(page, "/waiting_num")["waiting_num"] != place:
        assert time.monotonic() < end
        time.sleep(0.2)
    early = one_of(page, "/generate_token")
    assert send(running, early, event=event, visitor=visitor).status_code == 202
    if place > 1:
        running.serve(place - 1)
    assert call(panel, "/increment_serving_counter")["serving_num"] == place
    end = time.monotonic() + 10  # the edge keeps the counter for a second
    while call(page, "/serving_num")["serving_counter"] != place:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert call(panel, "/serving_num")["serving_counter"] == place
    token = str(call(page, "/generate_token", visitor=visitor)["access_token"])
    call(page, "/checkout", token=token)
    active = call(panel, "/num_active_tokens")["active_tokens"]
    assert isinstance(active, int)
    assert active >= 1
    call(panel, "/waiting_num")
    call(panel, "/expired_tokens")
    expired = send(running, one_of(panel, "/expired_tokens"), event=event).json()
    assert isinstance(expired, list)
    call(panel, "/reset_initial_state")
    end = time.monotonic() + 10  # the edge keeps a number for some seconds
    sent = one_of(page, "/queue_num")
    while (lost := send(running, sent, event=event, visitor=visitor)).status_code == 200:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert (lost.status_code, lost.json()["reason"]) == (410, "reset")
    assert told == {repr(one) for one in calls() if one.client in (page, panel)}


def test_the_inlet_of_the_solution_ends_a_session_once(running: RunningRoom) -> None:
    sent = one_of("waiting page", "/assign_queue_num")
    visitor = str(read(sent, send(running, sent, event=running.event_id))["api_request_id"])
    place = running.position(visitor)
    standing = running.ask("/serving_num").json()["serving_counter"]
    running.serve(max(1, place - standing))
    assert running.token(visitor).status_code == 200
    for path in ("/num_active_tokens", "/update_session", "/increment_serving_counter"):
        one = one_of("inlet", path)
        read(one, send(running, one, event=running.event_id, visitor=visitor))
    again = send(
        running, one_of("inlet", "/update_session"), event=running.event_id, visitor=visitor
    )
    assert (again.status_code, again.json()["reason"]) == (404, "already_set")


@pytest.mark.parametrize("client", ["curl --aws-sigv4 -d", "node aws4"])
def test_command_lines_let_visitors_in(running: RunningRoom, client: str) -> None:
    (sent,) = calls(client)
    before = running.private("GET", "/metrics").json()["serving_counter"]
    answer = read(sent, send(running, sent, event=running.event_id))
    assert answer["serving_num"] == before + 1


def test_a_browser_may_send_what_the_pages_send(running: RunningRoom) -> None:
    asked = [sent for sent in calls() if sent.preflight]
    assert len(asked) == 7
    for sent in asked:
        answer = asked_first(running, sent)
        allowed = answer.headers["access-control-allow-headers"].lower().replace(" ", "")
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert set(sent.preflight.split(",")) <= set(allowed.split(",")), sent
        assert sent.method in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("kind", TYPES)
def test_a_body_is_json_whatever_its_type_says(running: RunningRoom, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    unknown = "00000000-0000-4000-8000-000000000000"
    event = {"event_id": running.event_id}
    ask = {**event, "request_id": unknown}
    url = running.endpoints["public_api"]
    token = httpx.post(f"{url}/generate_token", content=json.dumps(ask), headers=headers)
    assert (token.status_code, token.json()["error"]) == (
        404, "no position belongs to this request id",
    )  # fmt: skip
    for path, body, status in (
        ("/increment_serving_counter", {**event, "increment_by": 1}, 200),
        ("/generate_token", ask, 404),
        ("/update_session", {**ask, "status": -1}, 404),
        ("/update_message", {**event, "message": "Hi"}, 200),
        ("/inlet", {**event, "paused": True}, 404),
    ):
        for signs in (("host", "x-amz-date"), ("content-type", "host", "x-amz-date")):
            if "content-type" in signs and not kind:
                continue
            sent = Sent(
                "any", "", "POST", "private", path, headers, status, (), json.dumps(body), signs
            )
            answer = send(running, sent)
            assert (path, answer.status_code) == (path, status), answer.text
    running.private("POST", "/update_message", {"message": ""})
