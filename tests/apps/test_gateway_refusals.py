# SPDX-License-Identifier: Apache-2.0
"""What the gateway answers by itself has the shape of every other answer, and is clear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

import apps.public_api.app
from deployment.local.gateway.chalice_apps import load
from deployment.local.gateway.edge_cache import EdgeCache
from deployment.local.gateway.join_integration import JoinIntegration
from deployment.local.gateway.proxy_events import MAX_BODY, MAX_HEAD, Call
from deployment.local.gateway.rest_api import RestApi
from infrastructure.blueprint.gateway_responses import NO_ANSWER, NOT_A_JOIN, RESPONSES
from infrastructure.blueprint.join_integration import REFUSAL_TEMPLATE
from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.runtime.http_api import CORS

KEY = "the-edge-alone-knows"


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[RestApi]:
    in_memory_room = InMemoryRoom()
    monkeypatch.setattr(apps.public_api.app, "room", lambda: in_memory_room.room)
    join = JoinIntegration(EVENT)
    monkeypatch.setattr(join, "_send", lambda form: (0 if "MessageBody" in form else 400, ""))
    api = RestApi(
        "public", load("public_api"), threads=2, api_key=KEY,
        integrations={("POST", "/assign_queue_num"): join},
    )  # fmt: skip
    yield api
    api.close()


def ask(
    app: object, method: str, path: str, key: str | bytes = KEY, **request: object
) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://origin/api") as client:
            headers = {"x-api-key": key, **request.pop("headers", {})}  # type: ignore[dict-item]
            return await client.request(method, path, headers=headers, **request)  # type: ignore[arg-type]

    return asyncio.run(send())


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the sentence of an error that has no more in it than these."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) - {"message"} == {"error"}  # `message` is API Gateway's own word for it
    return answer.status_code, body["error"]


def test_ways_that_lead_nowhere(origin: RestApi) -> None:
    for method, path in (
        ("GET", "/nothing"), ("DELETE", "/status"), ("PATCH", "/generate_token"),
        ("GET", "/assign_queue_num"), ("GET", "/status/"), ("HEAD", "/generate_token"),
    ):  # fmt: skip
        assert ask(origin, method, path).status_code == 403, (method, path)
    assert refusal(ask(origin, "PUT", "/status")) == (403, "Missing Authentication Token")


def test_who_comes_around_the_edge_is_refused(origin: RestApi) -> None:
    assert refusal(ask(origin, "GET", "/status", key="")) == (403, "Forbidden")
    assert refusal(ask(origin, "GET", "/status", key=KEY + "x")) == (403, "Forbidden")
    assert refusal(ask(origin, "GET", "/status", key="é".encode())) == (403, "Forbidden")
    assert refusal(ask(origin, "POST", "/assign_queue_num", key="", json={})) == (403, "Forbidden")
    assert ask(origin, "GET", f"/status?event_id={EVENT}").status_code == 200


@pytest.mark.parametrize("by_the_edge", [False, True])
def test_too_much_of_anything_is_refused_before_a_function_sees_it(
    origin: RestApi, by_the_edge: bool
) -> None:
    app = EdgeCache(origin.answer, KEY) if by_the_edge else origin
    good = f"/status?event_id={EVENT}"
    assert ask(app, "GET", good, headers={"x": "y" * (MAX_HEAD // 2)}).status_code == 200
    long = (431, "Request Header Fields Too Large")
    told = ask(app, "GET", good, headers={"x": "y" * MAX_HEAD})
    assert told.headers["access-control-allow-origin"] == "*"  # or a page could not read it
    assert refusal(ask(app, "GET", good, headers={"x": "y" * MAX_HEAD})) == long
    assert refusal(ask(app, "GET", good + "&x=" + "y" * MAX_HEAD)) == long
    assert refusal(ask(app, "GET", "/" + "y" * MAX_HEAD)) == long
    many = {f"x-{index}": "y" * 20 for index in range(600)}
    assert refusal(ask(app, "GET", good, headers=many)) == long
    whole = ask(app, "POST", "/generate_token", content=b"x" * (MAX_BODY + 1))
    assert refusal(whole) == (413, "Request Too Long")
    assert refusal(ask(app, "POST", "/generate_token", content=b"x" * MAX_BODY))[0] == 400


def test_a_browser_may_ask_first_on_every_route(origin: RestApi) -> None:
    for path in (*apps.public_api.app.app.routes, "/assign_queue_num"):
        answer = ask(origin, "OPTIONS", path, key="")
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert ask(origin, "OPTIONS", "/nothing", key="").status_code == 403


@pytest.mark.parametrize("path", ["/status", "/assign_queue_num", "/generate_token"])
@pytest.mark.parametrize("by_the_edge", [False, True])
def test_a_browser_may_send_the_headers_that_it_asks_for(
    origin: RestApi, path: str, by_the_edge: bool
) -> None:
    app = EdgeCache(origin.answer, KEY) if by_the_edge else origin
    tracing = "traceparent,x-amz-content-sha256,x-amz-user-agent,x-requested-with"
    for asked, allowed in (
        (tracing, tracing), ("", CORS["Access-Control-Allow-Headers"]),
        ("a b", CORS["Access-Control-Allow-Headers"]),
    ):  # fmt: skip
        headers = {"access-control-request-headers": asked, "origin": "https://shop.example"}
        answer = ask(app, "OPTIONS", path, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-headers"] == allowed
        assert answer.headers["access-control-max-age"] == "600"


def test_a_browser_may_change_events(origin: RestApi) -> None:
    answer = ask(origin, "OPTIONS", "/status", headers={"origin": "https://panel.example"})
    methods = answer.headers["access-control-allow-methods"].split(",")
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(methods)
    assert "If-Match" in answer.headers["access-control-allow-headers"].split(",")


def test_what_a_preflight_asks_for_changes_no_answer_that_the_edge_keeps(origin: RestApi) -> None:
    edge = EdgeCache(origin.answer, KEY)
    headers = {"access-control-request-headers": "x-evil"}
    first = ask(edge, "GET", f"/status?event_id={EVENT}", headers=headers)
    again = ask(edge, "GET", f"/status?event_id={EVENT}")
    for answer in (first, again):
        assert (
            answer.headers["access-control-allow-headers"] == CORS["Access-Control-Allow-Headers"]
        )
    assert again.headers["x-cache"] == "Hit from edge"


@pytest.mark.parametrize("body", [
    b"", b"{", b"null", b"[]", b'"Sample"', b"{}", b'{"event_id":"a b"}', b'{"event_id":""}',
    b'{"event_id":["Sample"]}', b"\xff\xfe", b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'{"event_id":"Sample","x":[]}', b'{"event_id":"Sample","x":"' + b"x" * 257 + b'"}',
    b'{"event_id":"Sample"' + b"".join(b',"x%d":1' % n for n in range(8)) + b"}",
    b'{"event_id":"' + b"a" * 65 + b'"}',
    b'{"event_id":"Sample","client_secret_hash":"x"}', b"\x00",
    b'{"event_id":"\\ud800"}', b'{"event_id":"Sample\\u0000"}', b"1" * 5000,
])  # fmt: skip
def test_an_invalid_join_is_rejected_by_the_gateway(origin: RestApi, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert refusal(ask(origin, "POST", "/assign_queue_num", content=body, headers=headers)) == (
        400, NOT_A_JOIN,
    )  # fmt: skip


def test_a_join_of_another_type_is_refused(origin: RestApi) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "a/b/c"):
        answer = ask(
            origin, "POST", "/assign_queue_num", content=b"{}", headers={"content-type": kind}
        )
        assert refusal(answer) == (400, "the body must be sent as application/json")


def test_a_failure_of_the_queue_has_a_response_of_its_own(origin: RestApi) -> None:
    busy = ask(origin, "POST", "/assign_queue_num", json={"event_id": EVENT})
    assert refusal(busy) == (503, "the join was not queued; try again")
    assert busy.headers["retry-after"] == "1"
    body = json.dumps({"event_id": EVENT}).encode() + b" " * 16_384
    headers = {"content-type": "application/json"}
    never = ask(origin, "POST", "/assign_queue_num", content=body, headers=headers)
    assert refusal(never) == (400, json.loads(REFUSAL_TEMPLATE)["error"])


def test_a_function_that_breaks_gives_away_nothing(
    origin: RestApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call("GET", "/status", "/api/status", "", {"x-api-key": KEY}, {}, b"", "127.0.0.1")
    for answered in ("text", None, {}, {"statusCode": "x"}, {"statusCode": 200, "headers": 5}):
        monkeypatch.setattr(origin, "_app", lambda event, context, a=answered: a)
        answer = asyncio.run(origin.answer(call))
        assert (answer.status, json.loads(answer.body)) == (502, {"error": NO_ANSWER})


def test_every_gateway_response_is_an_error_with_one_sentence() -> None:
    for answer in RESPONSES:
        sample = answer.template.replace("$context.error.messageString", '"a sentence"')
        assert set(json.loads(sample)) - {"message"} == {"error"}
    assert "messageString" not in next(a.template for a in RESPONSES if a.kind == "DEFAULT_5XX")
