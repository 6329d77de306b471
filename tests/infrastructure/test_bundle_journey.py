# SPDX-License-Identifier: Apache-2.0
"""The whole journey, run by nothing but what Lambda would get: each app's unpacked bundle."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.gateway_event import proxy_event
from tests.lambda_process import ENV, Raised, Start
from tests.lambda_room import CLIENT_SECRET, LambdaRoom
from tests.servers import Valkey

pytestmark = pytest.mark.server
METHOD = "arn:aws:execute-api:eu-central-1:123456789012:abc/api/GET/checkout"


@pytest.fixture(scope="module")
def room(start: Start, moto_url: str, valkey: Valkey) -> Iterator[LambdaRoom]:
    made = LambdaRoom(start, moto_url, valkey.port)
    assert made("workers", "set_up", {}) == {"status": "ready"}
    yield made
    made.close()


def join(room: LambdaRoom) -> str:
    """One visitor's join, as SQS hands it to the worker."""
    request_id = str(uuid.uuid4())
    record = {
        "messageId": str(uuid.uuid4()),
        "body": json.dumps({"event_id": room.event_id}),
        "attributes": {"SentTimestamp": str(int(time.time() * 1000))},
        "messageAttributes": {"apigw_request_id": {"stringValue": request_id}},
    }
    assert room("workers", "assign_positions", {"Records": [record]}) == {"batchItemFailures": []}
    return request_id


def admit(room: LambdaRoom) -> str:
    """A visitor who has waited until the inlet opened."""
    request_id = join(room)
    assert room("inlet", "periodic_inlet", {}) == {"opened": 10}
    return request_id


def token(room: LambdaRoom, request_id: str) -> tuple[int, Any]:
    sent = {"event_id": room.event_id, "request_id": request_id}
    return room.http("public_api", "POST", "/generate_token", body=sent)


def test_a_visitor_joins_waits_is_let_in_and_shops(room: LambdaRoom) -> None:
    request_id = join(room)
    who = {"event_id": room.event_id, "request_id": request_id}
    status, place = room.http("public_api", "GET", "/queue_num", query=who)
    assert status == 200
    assert token(room, request_id)[0] == 202

    increment = {"event_id": room.event_id, "increment_by": place["queue_number"]}
    served = room.http("private_api", "POST", "/increment_serving_counter", body=increment)
    assert served[0] == 200
    status, tokens = token(room, request_id)
    assert status == 200

    event = {"type": "TOKEN", "methodArn": METHOD, "authorizationToken": tokens["access_token"]}
    decided = room("token_authorizer", "token_authorizer", event)
    assert decided["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    shop = proxy_event("GET", "/checkout", authorizer=decided["context"])
    order = json.loads(room("sample_store", "app", shop)["body"])
    assert order["visitor"]["request_id"] == request_id

    ended = room.http("private_api", "POST", "/update_session", body={**who, "status": 1})
    assert ended[0] == 200
    assert token(room, request_id)[0] == 410


def test_the_authorizer_denies_a_token_of_another_room(room: LambdaRoom) -> None:
    part = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (
        {"alg": "RS256", "kid": "other"}, {"sub": "x", "token_use": "access"})]  # fmt: skip
    event = {"type": "TOKEN", "methodArn": METHOD, "authorizationToken": ".".join([*part, "AAAA"])}
    decided = room("token_authorizer", "token_authorizer", event)
    assert decided["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    with pytest.raises(Raised, match=r"^Unauthorized: Unauthorized$"):
        room("token_authorizer", "token_authorizer", {**event, "authorizationToken": "junk"})


def test_the_minute_jobs_run(room: LambdaRoom) -> None:
    admit(room)
    assert room("workers", "sweep_positions", {}) == {"swept": 0}
    assert room("workers", "report_metrics", {})["QueuePositions"] >= 1
    assert len(room("workers", "rotate_keys", {})["key_ids"]) == 2
    image = {
        "event_id": {"S": room.event_id}, "generation": {"N": "1"}, "position": {"N": "1"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "1"},
        "expires_at": {"N": "1800003600"}, "session_status": {"S": "open"},
    }  # fmt: skip
    stream = {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": image}}]}
    assert room("workers", "publish_events", stream) == {"batchItemFailures": []}


def test_each_read_only_route_answers_200(room: LambdaRoom) -> None:
    who = {"event_id": room.event_id, "request_id": admit(room)}
    event = {"event_id": room.event_id}
    for path in ("/serving_num", "/waiting_num", "/status", "/public_key", "/ended_sessions"):
        assert room.http("public_api", "GET", path, query=event)[0] == 200, path
    assert room.http("public_api", "GET", "/queue_pos_expiry", query=who)[0] == 200
    for path in ("/num_active_tokens", "/metrics", "/expired_tokens", "/inlet"):
        assert room.http("private_api", "GET", path, query=event)[0] == 200, path
    assert room.http("private_api", "GET", "/request_status", query=who)[0] == 200
    message = {**event, "message": "soon"}
    assert room.http("private_api", "POST", "/update_message", body=message)[0] == 200


def test_openid_logs_an_admitted_visitor_in(room: LambdaRoom) -> None:
    callback = ENV["OPENID_REDIRECT_URIS"]
    asked = {
        "client_id": room.event_id, "redirect_uri": callback, "response_type": "code",
        "scope": "openid", "state": "s", "nonce": "n",
    }  # fmt: skip
    sent = room("openid", "app", proxy_event("GET", "/authorize", query=asked))
    page = urlsplit(sent["headers"]["Location"])
    assert page.netloc == "wait.example"
    transaction = parse_qs(page.query)["transaction"][0]

    back = form(room, "/authorize/continue", transaction=transaction, request_id=admit(room))
    assert back["headers"]["Location"].startswith(callback)
    code = parse_qs(urlsplit(back["headers"]["Location"]).query)["code"][0]
    answer = form(
        room, "/token", grant_type="authorization_code", code=code, redirect_uri=callback,
        client_id=room.event_id, client_secret=CLIENT_SECRET,
    )  # fmt: skip
    assert answer["statusCode"] == 200, answer["body"]
    assert {"access_token", "id_token"} <= set(json.loads(answer["body"]))
    assert room.http("openid", "GET", "/.well-known/jwks.json")[1]["keys"]


def form(room: LambdaRoom, path: str, **fields: str) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return room("openid", "app", proxy_event("POST", path, raw=urlencode(fields), headers=headers))


def test_a_reset_starts_a_new_line(room: LambdaRoom) -> None:
    body = {"event_id": room.event_id}
    status, said = room.http("private_api", "POST", "/reset_initial_state", body=body)
    assert status == 200
    assert re.fullmatch(r"The waiting room was reset; line \d+ starts now\.", said["message"])
