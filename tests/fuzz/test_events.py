# SPDX-License-Identifier: Apache-2.0
"""Whatever event reaches a function: a clear answer, no 5xx, nothing given away, nothing lost."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import airspeed
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import apps.inlet.app
import apps.private_api.app
import apps.public_api.app
import apps.sample_store.app
from apps.openid import app as openid_app
from deployment.local.gateway.join_integration import JoinIntegration, read_first, read_last, render
from deployment.local.gateway.proxy_events import Call
from infrastructure.blueprint import join_integration
from tests.fuzz import tally
from tests.fuzz.apis import Apis, apis, sqs_answer
from tests.fuzz.inputs import (
    BODIES,
    HOSTILE,
    ID,
    JSON,
    LEAVES,
    NAMES,
    ODD,
    TEXT,
    fuzzed,
    proxy_events,
)
from tests.support.in_memory_room import EVENT, START
from waiting_room.adapters.dynamodb import outcome_items
from waiting_room.domain.joins import REQUEST_ID
from waiting_room.runtime import lambda_events

APPS = (
    apps.public_api.app,
    apps.private_api.app,
    apps.sample_store.app,
    openid_app,
    apps.inlet.app,
)
ROUTES = [
    (module, method, path)
    for module in APPS
    for path, methods in module.app.routes.items()
    for method in methods
]


@pytest.fixture(scope="module", autouse=True)
def served() -> Iterator[Apis]:
    with apis() as made:
        yield made


@pytest.mark.parametrize(
    ("module", "method", "path"), ROUTES, ids=[f"{m.app.app_name}{p}-{v}" for m, v, p in ROUTES]
)
def test_any_event_gets_a_clear_answer(
    module: Any, method: str, path: str, served: Apis, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is refused changes nothing, and none leaves a visitor's secret in the log."""
    caplog.set_level(logging.DEBUG)
    secrets = (*served.ids, ID, *served.transactions, *served.codes[:-1], served.token)

    @given(proxy_events(method, path))
    def holds(event: dict[str, Any]) -> None:
        before = state(served)
        caplog.clear()
        answer = module.app(event, None)
        tally.note(answer["statusCode"])
        assert answer["statusCode"] < 500, answer["body"]
        if answer["statusCode"] >= 400:
            assert state(served) == before
        assert not [secret for secret in secrets if secret in caplog.text]
        if answer["statusCode"] in (302, 303):
            return
        content = json.loads(answer["body"])
        if answer["statusCode"] != 200:
            told = {"error", "error_description"}
            if path == "/status":
                told.add("reason")
            if "/events/" in path:
                told |= (
                    {"version", "current", "phase"} if answer["statusCode"] != 201 else set(content)
                )
            assert set(content) <= told, content
            if answer["statusCode"] == 201:
                return
            assert 3 < len(content["error"]) < 200
        assert "Traceback" not in answer["body"]

    holds.__name__ = f"{module.app.app_name} {method} {path}"  # each route gets events of its own
    fuzzed(holds)()


def state(made: Apis) -> str:
    """Everything that a request could change."""
    room = made.in_memory_room
    stores = (
        room.memory, room.log.store, room.positions.store, room.outcomes.store,
        room.keys.store, room.public_keys.store, made.openid.codes, made.inlet.store,
    )  # fmt: skip
    kept = [
        {name: value for name, value in vars(store).items() if name not in ("_lock", "_log")}
        for store in stores
    ]
    return repr((kept, len(room.published), made.inlet.room.increments, made.inlet.room.sessions))


# a route, a body that it takes, and the members of it that are checked
BODIES_OF: tuple[tuple[Any, str, dict[str, Any], tuple[str, ...]], ...] = (
    (apps.public_api.app, "/generate_token", {"event_id": EVENT, "request_id": ID},
     ("event_id", "request_id", "client_secret")),
    (apps.private_api.app, "/increment_serving_counter", {"event_id": EVENT, "increment_by": 1},
     ("event_id", "increment_by")),
    (apps.private_api.app, "/generate_token", {"event_id": EVENT, "request_id": ID},
     ("event_id", "request_id", "issuer", "validity_period")),
    (apps.private_api.app, "/update_session", {"event_id": EVENT, "request_id": ID, "status": 1},
     ("event_id", "request_id", "status")),
    (apps.private_api.app, "/update_message", {"event_id": EVENT, "message": "Soon"},
     ("event_id", "message")),
    (apps.private_api.app, "/inlet", {"event_id": EVENT, "paused": False},
     ("event_id", "paused", "targets")),
    (apps.private_api.app, "/reset_initial_state", {"event_id": "x"}, ("event_id",)),
    (apps.private_api.app, "/rotate_keys", {"revoke": None}, ("revoke",)),
    (apps.private_api.app, "/rotate_gate_keys", {"revoke": None}, ("revoke",)),
)  # fmt: skip
MEMBERS = [
    pytest.param(module, path, body, member, id=f"{module.app.app_name}{path}-{member}")
    for module, path, body, members in BODIES_OF
    for member in members
]
WRONG = LEAVES | st.lists(LEAVES, max_size=3)


@pytest.mark.parametrize(("module", "path", "body", "member"), MEMBERS)
def test_the_error_of_a_rejected_body_names_the_wrong_member(
    module: Any, path: str, body: dict[str, Any], member: str, served: Apis
) -> None:
    @given(WRONG)
    def holds(value: object) -> None:
        texts = [json.dumps({**body, member: value})]
        texts.append(texts[0][:-1] + f', "{member}": 1, "{member}": 2}}')
        for text in texts:
            before = state(served)
            answer = module.app(event(path, text), None)
            tally.note(answer["statusCode"])
            said = json.loads(answer["body"])
            wanted = text is texts[1] or answer["statusCode"] == 400
            if wanted:
                assert (answer["statusCode"], state(served)) == (400, before)
                assert member in said["error"], said
            if text is texts[1]:
                assert said["error"] in (
                    f"{member} may be given once only",
                    f"{member} must be a number in the range of a double (IEEE 754)",
                    f"{member} must not contain an unpaired surrogate",
                )

    holds.__name__ = f"{path} {member}"
    fuzzed(holds)()


def event(path: str, body: str) -> dict[str, Any]:
    """A POST with this body."""
    return {
        "requestContext": {"resourcePath": path, "httpMethod": "POST", "identity": {}},
        "headers": {}, "multiValueQueryStringParameters": None, "pathParameters": None,
        "stageVariables": None, "body": body, "isBase64Encoded": False,
    }  # fmt: skip


# --- queue and stream ----------------------------------------------------------------------------

ROLE = "AROAREDRIVE"
ATTRIBUTES = st.none() | st.dictionaries(
    st.sampled_from(["first_request_id", "first_sent_at_ms", "other"]),
    st.none() | TEXT
    | st.dictionaries(st.sampled_from(["stringValue", "dataType"]), JSON, max_size=2),
    max_size=2,
)  # fmt: skip
SYSTEM = st.none() | st.dictionaries(
    st.sampled_from(["SentTimestamp", "SenderId", "ApproximateReceiveCount"]),
    JSON | st.sampled_from([str(START * 1000), f"{ROLE}:redrive"]),
    max_size=3,
)
MESSAGES = st.none() | TEXT | st.fixed_dictionaries(
    {},
    optional={
        "messageId": st.uuids().map(str) | JSON,
        "body": BODIES | JSON,
        "receiptHandle": JSON,
        "messageAttributes": ATTRIBUTES,
        "attributes": SYSTEM,
    },
)  # fmt: skip
GOOD = {
    "messageId": ID,
    "body": json.dumps({"event_id": EVENT}),
    "attributes": {"SentTimestamp": str(START * 1000), "SenderId": "AROAAPI:api"},
    "messageAttributes": {},
}


@fuzzed
@given(st.lists(MESSAGES, max_size=4))
def test_an_invalid_message_never_fails_its_batch(junk: list[Any]) -> None:
    batch = {"Records": [*junk, GOOD]}
    joins, dead = lambda_events.read_joins(batch, EVENT, ROLE)
    assert joins[-1].message_id == ID
    assert all(letter.reason for letter in dead)
    texts = [one["messageId"] for one in junk if isinstance(one, dict) and "messageId" in one]
    known = {text for text in texts if isinstance(text, str)}
    assert {letter.message_id for letter in dead} - {""} <= known
    for join in joins:
        assert REQUEST_ID.fullmatch(join.request_id)
        assert 0 < join.sent_at < lambda_events.LAST_SECOND
    lambda_events.receipts(batch)


ROW = {
    "event_id": {"S": EVENT}, "generation": {"N": "1"}, "position": {"N": "4"},
    "request_id": {"S": ID}, "kind": {"S": "token"}, "at": {"N": "1"},
    "session_status": {"S": "open"},
}  # fmt: skip
IMAGES = st.dictionaries(
    st.sampled_from([*ROW, "x"]), JSON | st.dictionaries(st.sampled_from("SN"), JSON), max_size=8
).map(lambda changes: {**ROW, **changes})
CHANGES = st.fixed_dictionaries(
    {"eventName": st.sampled_from(["INSERT", "MODIFY", "REMOVE", "OTHER"])},
    optional={"dynamodb": st.none() | st.fixed_dictionaries({}, optional={"NewImage": IMAGES})},
)


@fuzzed
@given(st.lists(CHANGES, max_size=4))
def test_a_row_that_cannot_be_read_never_holds_up_the_stream(junk: list[dict[str, Any]]) -> None:
    good = {"eventName": "INSERT", "dynamodb": {"NewImage": ROW}}
    found = lambda_events.read_outcomes({"Records": [*junk, good]})
    assert found.decided[-1] == outcome_items.outcome_from_item(ROW)


# --- the join ------------------------------------------------------------------------------------

TEMPLATE = airspeed.Template(join_integration.request_template(EVENT))
RESPONSE = airspeed.Template(join_integration.RESPONSE_TEMPLATE)
VELOCITY = st.sampled_from(
    ["$context.requestId", "$input.body", "#set($x = 1)", "#end", "##", "#*", "${x}",
     "$util.urlEncode('x')", "&MessageBody=other", "&Action=DeleteQueue", "%26", "+", "=",
     ";", "\r\n", "\\", "'", '"', "#"]
)  # fmt: skip
SENT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    VELOCITY | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=8
).map("".join)  # fmt: skip
HASHES = st.sampled_from(["", "a" * 64, "A" * 64, "a" * 64 + "\n", "g" * 64])


@fuzzed
@given(
    SENT | JSON | st.sampled_from([EVENT, "a.b_c-D", "a" * 64, "a" * 65, EVENT + "\n"]),
    SENT | JSON | HASHES,
    SENT,
)
@example(EVENT, "a" * 64, "")
def test_nothing_gets_into_the_form_but_an_event_and_a_hash(
    event: Any, digest: Any, body: str
) -> None:
    form = render(TEMPLATE, body, {"event_id": event, "client_secret_hash": digest})
    assert form.isascii()
    sent = parse_qs(form, keep_blank_values=True, strict_parsing=True, separator="&")
    assert sent["Action"] == ["SendMessage"]
    if set(sent) == {"Action"}:
        return  # which SQS refuses
    assert set(sent) == {"Action", "MessageBody", "MessageGroupId"}
    (message,), (group,) = sent["MessageBody"], sent["MessageGroupId"]
    found = json.loads(message)
    assert message == json.dumps(found, separators=(",", ":")), "written one way alone"
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", group, re.ASCII)
    assert found.pop("event_id") == group
    assert re.fullmatch(r"([0-9a-f]{64})?", found.pop("client_secret_hash"), re.ASCII)
    assert not found


@fuzzed
@given(JSON | st.sampled_from([None, "", ID]))
def test_without_an_id_from_sqs_no_join_was_taken(said: Any) -> None:
    override: dict[str, int] = {}
    content = {"SendMessageResponse": {"SendMessageResult": {"MessageId": said}}}
    answer = render(RESPONSE, "", content, {"responseOverride": override, "requestId": "mine"})
    if override:
        assert (override, answer) == ({"status": 503}, join_integration.FAILURE_TEMPLATE)
    else:
        assert said is not None
        assert answer == f'{{"api_request_id": "{said}"}}' or not isinstance(said, str)


READINGS = [(one, other) for one in (read_first, read_last) for other in (read_first, read_last)]


def joined(body: bytes, *, required: bool, checked: Any, mapped: Any) -> tuple[Any, list[str]]:
    """Return the gateway's response to a body, and the messages that the queue receives."""
    taken: list[str] = []

    def send(form: str) -> tuple[int, str]:
        sent = parse_qs(form, keep_blank_values=True, strict_parsing=True)
        if "MessageBody" not in sent:
            return 400, ""
        taken.append(sent["MessageBody"][0])
        return 200, sqs_answer(ID)

    join = JoinIntegration(EVENT, secret_required=required, checked=checked, mapped=mapped)
    join._send = send  # type: ignore[method-assign]
    kind = {"content-type": "application/json"}
    return join(Call("POST", "/assign_queue_num", "", "", kind, {}, body, "127.0.0.1")), taken


@fuzzed
@given(
    st.binary(max_size=60)
    | (
        BODIES | st.sampled_from(HOSTILE) | st.dictionaries(NAMES, JSON, max_size=3).map(
            lambda more: json.dumps({**more, "event_id": EVENT})
        )
    ).map(lambda body: body.encode("utf-8", "surrogatepass"))
)  # fmt: skip
@pytest.mark.parametrize("readings", READINGS)
@pytest.mark.parametrize("required", [False, True])
def test_what_the_gateway_accepts_becomes_a_place(
    required: bool, readings: tuple[Any, Any], body: bytes
) -> None:
    answer, taken = joined(body, required=required, checked=readings[0], mapped=readings[1])
    assert answer.status in (200, 400)
    assert (answer.status == 200) == bool(taken)
    for message in taken:
        event_id = json.loads(message)["event_id"]
        joins, dead = lambda_events.read_joins({"Records": [{**GOOD, "body": message}]}, event_id)
        assert not dead
        assert len(joins) == 1
        assert json.loads(answer.body) == {"api_request_id": ID}
        assert joins[0].client_secret_hash or not required or event_id != EVENT


@pytest.mark.parametrize("body", ODD + HOSTILE)
@pytest.mark.parametrize("readings", READINGS)
def test_odd_bodies_are_joins_or_are_refused(body: str, readings: tuple[Any, Any]) -> None:
    raw = body.encode("utf-8", "surrogatepass")
    answer, taken = joined(raw, required=False, checked=readings[0], mapped=readings[1])
    assert (answer.status, len(taken)) in ((200, 1), (400, 0))
