# SPDX-License-Identifier: Apache-2.0
"""The journey over HTTP against the started stack, as clients of the AWS solution make it."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from tests.support.local_stack import RunningRoom
from tests.support.servers import ROOT

pytestmark = pytest.mark.server


def admitted(room: RunningRoom) -> str:
    """A visitor whose turn has come."""
    visitor = room.join()
    place = room.position(visitor)
    standing = room.ask("/serving_num").json()["serving_counter"]
    if place > standing:
        room.serve(place - standing)
    return visitor


def soon(check: Any, seconds: float = 15) -> Any:
    """What ``check`` answers once it is true."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


def test_a_client_of_the_aws_solution_completes_the_journey(running: RunningRoom) -> None:
    running.private("POST", "/reset_initial_state")  # others may have served more than joined
    running.join()
    visitor = running.join()
    place = running.position(visitor)
    running.serve(place - 1)
    early = running.token(visitor)
    assert (early.status_code, list(early.json())) == (202, ["error"])
    assert running.serve(1) == place
    first = running.token(visitor)
    assert first.status_code == 200
    tokens = first.json()
    assert set(tokens) == {
        "access_token", "refresh_token", "id_token", "token_type", "expires_in",
    }  # fmt: skip
    key = running.ask("/public_key").json()
    claims = jwt.decode(
        tokens["access_token"],
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=running.event_id,
        issuer=running.endpoints["public_api"],
    )
    assert (claims["sub"], claims["queue_position"]) == (visitor, place)
    again = running.token(visitor).json()
    assert again["access_token"] == tokens["access_token"]
    ended = running.private("POST", "/update_session", {"request_id": visitor, "status": 1})
    assert (ended.status_code, ended.json()) == (200, {})
    assert running.token(visitor).status_code == 410


def test_the_store_opens_for_the_token_and_for_nothing_else(running: RunningRoom) -> None:
    token = running.token(admitted(running)).json()["access_token"]
    missing = running.store("/checkout")
    assert (missing.status_code, missing.json()) == (401, {"message": "Unauthorized"})
    assert running.store("/checkout", token).status_code == 200
    assert running.store("/checkout", f"Bearer {token}").status_code == 200
    head, payload, signature = token.split(".")
    turned = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert running.store("/checkout", f"{head}.{payload}.{turned}").status_code == 403
    assert running.store("/checkout", "junk").status_code == 401


def test_no_valid_token_is_refused_while_keys_rotate(running: RunningRoom) -> None:
    refused: list[str] = []
    used: set[str] = set()
    over = threading.Event()

    def shop() -> None:
        tokens: list[str] = []
        while not over.is_set():
            tokens.append(running.token(admitted(running)).json()["access_token"])
            used.add(jwt.get_unverified_header(tokens[-1])["kid"])
            for token in (tokens[0], tokens[-1]):
                seen = running.store("/search", token)
                if seen.status_code != 200:
                    refused.append(f"{seen.status_code} {seen.text}")

    shoppers = [threading.Thread(target=shop) for _ in range(3)]
    for one in shoppers:
        one.start()
    for _ in range(2):
        running.invoke("rotate_keys")
        time.sleep(6)  # the new key signs four seconds after it was published
    over.set()
    for one in shoppers:
        one.join()
    assert refused == []
    assert len(used) >= 2


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "Missing Authentication Token"),
        ({"secret": "wrong"}, "signature we calculated does not match"),
        ({"key_id": "AKIDOFSOMEBODYELSE"}, "security token included in the request is invalid"),
    ],
)
def test_the_private_api_refuses_whoever_lacks_the_key(
    running: RunningRoom, how: dict[str, str], says: str
) -> None:
    url = f"{running.endpoints['private_api']}/increment_serving_counter"
    body = '{"event_id": "Sample", "increment_by": 1}'
    headers = running.signed("POST", url, body, **how) if how else {}
    before = running.private("GET", "/metrics").json()["serving_counter"]
    answer = httpx.post(url, content=body, headers=headers)
    assert answer.status_code == 403
    assert says in answer.json()["message"]
    assert running.private("GET", "/metrics").json()["serving_counter"] == before


def test_an_old_signature_is_refused(running: RunningRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    past = datetime.now(UTC) - timedelta(minutes=6)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: past)
    answer = running.private("GET", "/metrics")
    assert answer.status_code == 403
    assert "expired" in answer.json()["message"]


def test_a_changed_body_breaks_its_signature(running: RunningRoom) -> None:
    url = f"{running.endpoints['private_api']}/increment_serving_counter"
    headers = running.signed("POST", url, '{"event_id": "Sample", "increment_by": 1}')
    changed = '{"event_id": "Sample", "increment_by": 9}'
    assert httpx.post(url, content=changed, headers=headers).status_code == 403


def test_the_origin_answers_the_edge_alone(running: RunningRoom) -> None:
    origin = running.endpoints["origin"]
    answer = httpx.get(f"{origin}/status", params={"event_id": running.event_id})
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "Forbidden", "message": "Forbidden"},
    )


def test_the_edge_keeps_what_the_answer_allows(running: RunningRoom) -> None:
    answers = [running.ask("/serving_num") for _ in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    hits = [answer for answer in answers if answer.headers["x-cache"] == "Hit from edge"]
    assert len(hits) >= 5
    waiting = running.join()
    first = running.ask("/queue_num", waiting)
    if first.status_code == 202:
        assert first.headers["cache-control"] == "no-store"
    running.position(waiting)


def test_answers_from_before_a_reset_are_gone_within_five_seconds(running: RunningRoom) -> None:
    visitor = running.join()
    running.position(visitor)
    began = time.monotonic()
    answer = running.private("POST", "/reset_initial_state", {})
    assert answer.status_code == 200
    assert time.monotonic() - began < 2
    soon(lambda: running.ask("/queue_num", visitor).status_code == 410, 5)
    assert running.ask("/status").json()["queue_counter"] == 0
    assert running.position(running.join()) >= 1


def test_a_preflight_and_a_head_request_are_answered(running: RunningRoom) -> None:
    for path in ("/assign_queue_num", "/generate_token", "/status"):
        answer = running.public("OPTIONS", path)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
    head = running.public("HEAD", "/status", params={"event_id": running.event_id})
    assert (head.status_code, head.content) == (200, b"")


def test_what_happens_comes_on_the_bus(running: RunningRoom) -> None:
    visitor = admitted(running)
    assert running.token(visitor).status_code == 200
    running.private("POST", "/update_session", {"request_id": visitor, "status": -1})

    def told() -> set[str]:
        return {
            event["detail-type"]
            for event in running.bus_events()
            if event["detail"].get("request_id") == visitor
        }

    soon(lambda: told() == {"token_generated", "session_updated"})
    kinds = {event["detail-type"] for event in running.bus_events()}
    assert {"serving_counter_changed", "waiting_room_metrics"} <= kinds


@pytest.mark.parametrize("name", ["Sample & co", "a+b=c%20d", '"quoted"', "ünïcödé ☃", "x" * 300])
def test_a_join_with_an_invalid_event_id_is_refused_at_once(
    running: RunningRoom, name: str
) -> None:
    answer = running.public("POST", "/assign_queue_num", json={"event_id": name})
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


def test_a_join_arrives_whole_whatever_else_it_carries(running: RunningRoom) -> None:
    visitor = running.join(note="a&b=c+d%20'\"ünïcödé ☃\\")
    assert running.position(visitor) > 0


def test_the_readmes_curl_journey_works_as_printed(running: RunningRoom) -> None:
    readme = (ROOT / "README.md").read_text()
    lines = re.search(r"### The journey.*?```sh\n(.*?)```", readme, re.DOTALL)
    assert lines
    script = lines[1].replace(".local/endpoints.json", str(running.folder / "endpoints.json"))
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60)
    statuses = re.findall(r"[}\]] (\d{3})$", done.stdout, re.MULTILINE)
    assert statuses == ["202", "401", "200", "410"], done.stdout + done.stderr


def test_nothing_secret_is_in_the_logs(running: RunningRoom) -> None:
    token = running.token(admitted(running)).json()["access_token"]
    running.store("/checkout", token)
    logs = running.logs()
    assert token not in logs
    assert running.endpoints["secret_access_key"] not in logs
    assert "Signature=" not in logs
    assert "Traceback" not in logs
