# SPDX-License-Identifier: Apache-2.0
"""Knowing another visitor's request id is not enough to take their token, if they wanted it so."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any

import airspeed
import pytest
from jsonschema import Draft4Validator

import apps.private_api.app
import apps.public_api.app
from deployment.local.gateway import server
from deployment.local.gateway.join_integration import render
from deployment.local.gateway.proxy_events import Call
from infrastructure.blueprint.join_integration import request_model, request_template
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from tests.support.lambda_proxy_events import Answer, call
from tests.support.openid_room import CALLBACK, OpenId, install
from waiting_room.runtime.lambda_events import read_joins

SECRET = "kept-by-the-browser"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
WRONG: list[object] = [None, "", "x", HASH, SECRET + " ", SECRET.upper(), "s" * 256]


SENT = json.dumps({"SendMessageResponse": {"SendMessageResult": {"MessageId": str(uuid.uuid4())}}})


def install_room(monkeypatch: pytest.MonkeyPatch, in_memory_room: InMemoryRoom) -> InMemoryRoom:
    for module in (apps.public_api.app, apps.private_api.app):
        monkeypatch.setattr(module, "room", lambda: in_memory_room.room)
    monkeypatch.setattr(apps.private_api.app, "settings", settings)
    return in_memory_room


@pytest.fixture
def in_memory_room(monkeypatch: pytest.MonkeyPatch) -> InMemoryRoom:
    return install_room(monkeypatch, InMemoryRoom())


def join(in_memory_room: InMemoryRoom, content: dict[str, Any]) -> str:
    """A join as the queue hands it to the worker; answers its request id."""
    request_id = str(uuid.uuid4())
    message = {
        "messageId": request_id,
        "body": json.dumps(content),
        "attributes": {"SentTimestamp": str(int(in_memory_room.clock.now * 1000))},
    }
    joins, dead = read_joins({"Records": [message]}, EVENT)
    assert not dead
    in_memory_room.room.workers.assignment.assign(EVENT, joins)
    return request_id


def ask_token(request_id: str, **more: object) -> Answer:
    asked = {"event_id": EVENT, "request_id": request_id, **more}
    return call(apps.public_api.app.app, "POST", "/generate_token", body=asked)


def test_a_thief_with_the_request_id_alone_gets_nothing_and_spoils_nothing(
    in_memory_room: InMemoryRoom,
) -> None:
    mine = join(in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    in_memory_room.serve(1)
    before = (
        in_memory_room.room.metrics.panel(EVENT),
        in_memory_room.log.read(EVENT),
        dict(in_memory_room.outcomes.store._rows),
    )
    for wrong in WRONG:
        answer = ask_token(mine, client_secret=wrong)
        assert (answer.status, set(answer.json)) == (403, {"error"}), wrong
        assert HASH not in answer.text
        assert SECRET not in answer.text
    assert ask_token(mine).status == 403
    half = ask_token(mine, client_secret="\ud800")
    assert (half.status, half.json) == (
        400, {"error": "client_secret must not contain an unpaired surrogate"},
    )  # fmt: skip
    assert (
        in_memory_room.room.metrics.panel(EVENT),
        in_memory_room.log.read(EVENT),
        in_memory_room.outcomes.store._rows,
    ) == before
    token = ask_token(mine, client_secret=SECRET)
    assert token.status == 200
    assert ask_token(mine).status == 403  # an issued token is not given to a thief either
    assert ask_token(mine, client_secret=SECRET).json == token.json


def test_a_thief_learns_nothing_of_the_turn(in_memory_room: InMemoryRoom) -> None:
    mine = join(in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    early = ask_token(mine, client_secret="x").text
    in_memory_room.serve(1)
    assert ask_token(mine, client_secret="x").text == early
    ask_token(mine, client_secret=SECRET)
    assert ask_token(mine, client_secret="x").text == early
    in_memory_room.clock.now += 10_000
    assert ask_token(mine, client_secret="x").text == early


@pytest.mark.parametrize("path", ["/queue_num", "/queue_pos_expiry", "/status", "/ended_sessions"])
def test_no_answer_shows_a_hash(in_memory_room: InMemoryRoom, path: str) -> None:
    mine = join(in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    in_memory_room.serve(1)
    ask_token(mine, client_secret=SECRET)
    query = {"event_id": EVENT, "request_id": mine}
    assert HASH not in call(apps.public_api.app.app, "GET", path, query=query).text
    shown = call(apps.private_api.app.app, "GET", "/request_status", query=query).text
    assert HASH not in shown


def test_clients_that_know_nothing_of_secrets_work_as_before(in_memory_room: InMemoryRoom) -> None:
    mine = join(in_memory_room, {"event_id": EVENT})
    in_memory_room.serve(1)
    assert ask_token(mine).status == 200
    assert ask_token(mine, client_secret="never asked for").status == 200


def test_an_operator_needs_no_secret_of_the_visitor(in_memory_room: InMemoryRoom) -> None:
    mine = join(in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    in_memory_room.serve(1)
    asked = {"event_id": EVENT, "request_id": mine}
    assert call(apps.private_api.app.app, "POST", "/generate_token", body=asked).status == 200


def test_where_secrets_are_compulsory_every_token_needs_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_memory_room = install_room(monkeypatch, InMemoryRoom({"REQUIRE_CLIENT_SECRET": "true"}))
    bare = join(in_memory_room, {"event_id": EVENT})  # one that came before the setting did
    mine = join(in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    in_memory_room.serve(2)
    for secret in (None, "", SECRET):
        assert ask_token(bare, client_secret=secret).status == 403
    assert ask_token(mine).status == 403
    assert ask_token(mine, client_secret=SECRET).status == 200


@pytest.mark.parametrize("required", [False, True])
def test_the_join_is_refused_before_it_costs_a_place(required: bool) -> None:
    model = Draft4Validator(request_model(EVENT, required))
    assert model.is_valid({"event_id": EVENT, "client_secret_hash": HASH})
    assert model.is_valid({"event_id": EVENT}) is not required
    assert model.is_valid({"event_id": "another"}), "its document decides"
    for wrong in (None, "", "x", HASH.upper(), HASH + "0", HASH[:-1], HASH + "\n", 1, [HASH]):
        assert not model.is_valid({"event_id": EVENT, "client_secret_hash": wrong}), wrong


def test_the_setting_reaches_the_join_on_one_machine() -> None:
    for setting, event_id, status in (
        ("false", EVENT, 200), ("true", EVENT, 400), ("true", "another", 200)
    ):  # fmt: skip
        body = json.dumps({"event_id": event_id}).encode()
        call_ = Call("POST", "/assign_queue_num", "", "", {}, {}, body, "127.0.0.1")
        join = server._join({"EVENT_ID": EVENT, "REQUIRE_CLIENT_SECRET": setting})
        join._send = lambda _: (200, SENT)  # type: ignore[method-assign]
        assert join(call_).status == status


@pytest.mark.parametrize("required", [False, True])
def test_the_mapping_template_requires_the_secret_too(required: bool) -> None:
    """Its JSON parser may differ from that of the request model."""
    template = airspeed.Template(request_template(EVENT, required))

    def sends(**content: str) -> bool:
        return "MessageBody" in render(template, "{}", content)

    assert sends(event_id=EVENT, client_secret_hash=HASH)
    assert sends(event_id=EVENT) is not required
    assert sends(event_id="another")
    assert not sends(event_id="another", client_secret_hash="x")
    assert not sends(event_id="another\n")


def test_secrets_are_compared_in_constant_time(
    in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    mine = join(in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    ask_token(mine, client_secret="x")
    assert compared == [(hashlib.sha256(b"x").hexdigest(), HASH)]


def test_the_way_over_openid_needs_the_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    openid = install(monkeypatch, OpenId())
    mine = join(openid.in_memory_room, {"event_id": EVENT, "client_secret_hash": HASH})
    openid.in_memory_room.serve(1)
    transaction = openid.authorize().sent["transaction"]
    for more in ({}, {"client_secret": "x"}, {"client_secret": "x" * 256}):
        refused = openid.resume(transaction, mine, **more)
        assert refused.location.startswith(CALLBACK)
        assert refused.sent["error"] == "access_denied"
        assert "code" not in refused.sent
    refused = openid.resume(transaction, mine, client_secret="x" * 257)
    assert (refused.status, refused.json["error"]) == (400, "invalid_request")
    assert not openid.issued
    assert openid.in_memory_room.room.metrics.counts(EVENT).tokens == 0
    assert openid.resume(transaction, mine, client_secret=SECRET).sent["code"]
