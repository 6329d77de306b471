# SPDX-License-Identifier: Apache-2.0
"""Whatever event reaches a function: a clear answer, no 5xx, nothing given away, nothing lost."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import airspeed
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import inlet.app
import private_api.app
import public_api.app
import sample_store.app
from deployment.local.enqueue import Enqueue, render
from deployment.local.proxy_events import Call
from infrastructure import enqueue
from openid import app as openid_app
from tests.fuzz.apis import Apis, apis
from tests.fuzz.inputs import BODIES, ID, JSON, NAMES, ODD, TEXT, fuzzed, proxy_events
from tests.world import EVENT, START
from waiting_room import messages
from waiting_room.queue import REQUEST_ID

APPS = (public_api.app, private_api.app, sample_store.app, openid_app, inlet.app)
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
def test_any_event_gets_a_clear_answer(module: Any, method: str, path: str) -> None:
    @given(proxy_events(method, path))
    def holds(event: dict[str, Any]) -> None:
        answer = module.app(event, None)
        assert answer["statusCode"] < 500, answer["body"]
        if answer["statusCode"] in (302, 303):
            return
        content = json.loads(answer["body"])
        if answer["statusCode"] != 200:
            assert set(content) <= {"error", "error_description"}, content
            assert 3 < len(content["error"]) < 200
        assert "Traceback" not in answer["body"]

    holds.__name__ = f"{module.app.app_name} {method} {path}"  # each route gets events of its own
    fuzzed(holds)()


# --- queue and stream ----------------------------------------------------------------------------

ATTRIBUTES = st.none() | st.dictionaries(
    st.sampled_from(["apigw_request_id", "other"]),
    st.none() | TEXT
    | st.dictionaries(st.sampled_from(["stringValue", "dataType"]), JSON, max_size=2),
    max_size=2,
)  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {"messageId": st.uuids().map(str), "body": BODIES | st.none()},
    optional={
        "messageAttributes": ATTRIBUTES,
        "attributes": st.none() | st.dictionaries(st.just("SentTimestamp"), JSON, max_size=1),
    },
)
GOOD = {
    "messageId": "good",
    "body": json.dumps({"event_id": EVENT}),
    "attributes": {"SentTimestamp": str(START * 1000)},
    "messageAttributes": {"apigw_request_id": {"stringValue": ID}},
}


@fuzzed
@given(st.lists(MESSAGES, max_size=4))
def test_junk_in_the_queue_never_spoils_the_batch(junk: list[dict[str, Any]]) -> None:
    joins, dead = messages.read_joins({"Records": [*junk, GOOD]}, EVENT)
    assert [join.message_id for join in joins][-1] == "good"
    assert len(dead) + len(joins) == len(junk) + 1
    for join in joins:
        assert REQUEST_ID.fullmatch(join.request_id)


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
    found = messages.read_outcomes({"Records": [*junk, good]})
    assert found[-1] == messages.outcome_from_item(ROW)


# --- the join ------------------------------------------------------------------------------------

TEMPLATE = airspeed.Template(enqueue.REQUEST_TEMPLATE)
VELOCITY = st.sampled_from(
    ["$context.requestId", "$input.body", "#set($x = 1)", "#end", "##", "#*", "${x}",
     "$util.urlEncode('x')", "&MessageBody=other", "&Action=DeleteQueue", "%26", "+", "=",
     ";", "\r\n", "\\", "'", '"', "#"]
)  # fmt: skip
SENT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    VELOCITY | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=8
).map("".join)  # fmt: skip


@fuzzed
@given(SENT)
@example("a=1&b=2+3%20 \u00e9 \U0001f39f")
def test_the_body_goes_into_the_form_whole_and_adds_nothing_to_it(body: str) -> None:
    form = render(TEMPLATE, body, ID)
    assert form.isascii()
    sent = parse_qs(form, keep_blank_values=True, strict_parsing=True, separator="&")
    assert sent == {
        "Action": ["SendMessage"],
        "MessageBody": [body],
        "MessageAttribute.1.Name": ["apigw_request_id"],
        "MessageAttribute.1.Value.DataType": ["String"],
        "MessageAttribute.1.Value.StringValue": [ID],
    }
    assert ";" not in form  # which some parsers take for "&"
    assert unquote_plus(form.split("MessageBody=")[1].split("&")[0]) == body


@fuzzed
@given(
    BODIES | st.dictionaries(NAMES, JSON, max_size=3).map(
        lambda more: json.dumps({**more, "event_id": EVENT})
    )
)  # fmt: skip
@pytest.mark.parametrize("required", [False, True])
def test_what_the_gateway_accepts_becomes_a_place(required: bool, body: str) -> None:
    accepted: list[str] = []
    join = Enqueue(EVENT, secret_required=required)
    join._send = lambda form: accepted.append(form) or 200  # type: ignore[func-returns-value, method-assign]
    raw = body.encode("utf-8", "surrogatepass")
    kind = {"content-type": "application/json"}
    answer = join(Call("POST", "/assign_queue_num", "", "", kind, {}, raw, "127.0.0.1", ID))
    assert answer.status in (200, 400)
    assert (answer.status == 200) == bool(accepted)
    for form in accepted:
        record = {**GOOD, "body": parse_qs(form)["MessageBody"][0]}
        joins, dead = messages.read_joins({"Records": [record]}, EVENT)
        assert not dead
        assert bool(joins[0].client_secret_hash) or not required
        assert json.loads(answer.body) == {"api_request_id": ID}


def test_of_the_odd_bodies_only_doubled_members_are_joins() -> None:
    """JSON readers differ in which of two members counts; here and in the worker it is the last."""
    for body in [body for body in ODD if _is_join(body)]:
        assert body.count('"event_id"') + body.count('"increment_by"') in (2, 3)
        assert json.loads(body)["event_id"] == EVENT


def _is_join(body: str) -> bool:
    join = Enqueue(EVENT)
    join._send = lambda _: 200  # type: ignore[method-assign]
    raw = body.encode("utf-8", "surrogatepass")
    call = Call("POST", "/assign_queue_num", "", "", {}, {}, raw, "", str(uuid.uuid4()))
    return join(call).status == 200
