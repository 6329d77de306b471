# SPDX-License-Identifier: Apache-2.0
"""The gate in front of real Flask, Django and FastAPI sites."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastapi
import flask
import httpx
import pytest

import waiting_room
from tests.support import tokens
from tests.support.gate_sites import django_site
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock
from tests.support.tokens import VISITOR, FakeKeys, room_over_http, token
from waiting_room.authorizer.verifier import Verifier
from waiting_room.gate import AsgiGate, Gate, GateSettings, WsgiGate

SITE = "https://shop.example"
WAITING = "https://room.example/"
HTML = {"accept": "text/html"}
FORM_PATH = "/waiting-room/enter"
COOKIE = f"__Host-waiting-room-{EVENT}"
FROM_PAGE = {"origin": "https://room.example"}


class Browser:
    """Keeps cookies as a browser does; follows no redirect by itself."""

    def __init__(self, wsgi: WsgiGate | None = None, asgi: AsgiGate | None = None) -> None:
        self.cookies = httpx.Cookies()
        self._wsgi, self._asgi = wsgi, asgi

    def get(self, url: str, **sent: Any) -> httpx.Response:
        return self.send("GET", url, **sent)

    def head(self, url: str, **sent: Any) -> httpx.Response:
        return self.send("HEAD", url, **sent)

    def post(self, url: str, **sent: Any) -> httpx.Response:
        return self.send("POST", url, **sent)

    def send(self, method: str, url: str, **sent: Any) -> httpx.Response:
        common: Any = {"base_url": SITE, "cookies": self.cookies}
        if self._wsgi is not None:
            with httpx.Client(transport=httpx.WSGITransport(app=self._wsgi), **common) as client:
                answer = client.request(method, url, **sent)
                self.cookies = client.cookies
                return answer

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._asgi)
            async with httpx.AsyncClient(transport=transport, **common) as client:
                answer = await client.request(method, url, **sent)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())


@dataclass
class Site:
    """A site behind a gate, and the browser in front of it."""

    browser: Browser
    keys: FakeKeys


def gate(keys: FakeKeys, **changes: Any) -> Gate:
    settings = GateSettings(
        event_id=EVENT, issuer=ISSUER, public_api="https://room.example/api",
        waiting_room_url=WAITING, secret="s" * 32, exclude=("/static",), **changes,
    )  # fmt: skip
    clock = Clock(START + 5)
    return Gate(settings, Verifier(tokens.EXPECTED, keys, clock), clock)


def site_of_flask(made: Gate) -> Browser:
    site = flask.Flask("shop")

    @site.get("/who")
    def who() -> flask.Response:
        claims = flask.request.environ["waiting_room.claims"]
        answer = flask.jsonify({"sub": claims and claims["sub"]})
        answer.headers["Cache-Control"] = "public, max-age=600"
        answer.set_cookie("cart", "full")
        return answer

    @site.get("/static/page")
    def page() -> str:
        return "open"

    return Browser(wsgi=WsgiGate(site.wsgi_app, made))


def site_of_django(made: Gate) -> Browser:
    from django.http import HttpRequest, HttpResponse, JsonResponse
    from django.urls import path

    def who(request: HttpRequest) -> HttpResponse:
        claims = request.environ["waiting_room.claims"]
        answer = JsonResponse({"sub": claims and claims["sub"]})
        answer["Cache-Control"] = "public, max-age=600"
        answer.set_cookie("cart", "full")
        return answer

    site = django_site([
        path("who", who),
        path("static/page", lambda _request: HttpResponse("open")),
    ])  # fmt: skip
    return Browser(wsgi=WsgiGate(site, made))


def fastapi_app(made: Gate) -> AsgiGate:
    site = fastapi.FastAPI()

    @site.get("/who")
    async def who(request: fastapi.Request, response: fastapi.Response) -> dict[str, Any]:
        claims = request.scope["waiting_room.claims"]
        response.headers["Cache-Control"] = "public, max-age=600"
        response.set_cookie("cart", "full")
        return {"sub": claims and claims["sub"]}

    @site.get("/static/page", response_class=fastapi.responses.PlainTextResponse)
    async def page() -> str:
        return "open"

    @site.websocket("/live")
    async def live(socket: fastapi.WebSocket) -> None:
        await socket.accept()
        await socket.send_json({"sub": socket.scope["waiting_room.claims"]["sub"]})
        await socket.close()

    return AsgiGate(site, made)


def site_of_fastapi(made: Gate) -> Browser:
    return Browser(asgi=fastapi_app(made))


SITES: dict[str, Callable[[Gate], Browser]] = {
    "flask": site_of_flask, "django": site_of_django, "fastapi": site_of_fastapi,
}  # fmt: skip


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> Site:
    keys = FakeKeys()
    return Site(SITES[request.param](gate(keys)), keys)


def test_a_visitor_waits_comes_back_with_a_token_and_stays(site: Site) -> None:
    browser = site.browser
    sent_away = browser.get("/who?a=1", headers=HTML)
    assert (sent_away.status_code, sent_away.headers["location"]) == (302, WAITING)
    back = browser.post(FORM_PATH, data={"token": token()}, headers={**HTML, **FROM_PAGE})
    assert (back.status_code, back.headers["location"]) == (303, f"{FORM_PATH}?back")
    back = browser.get(back.headers["location"], headers=HTML)
    assert (back.status_code, back.headers["location"]) == (303, "/who?a=1")
    inside = browser.get(back.headers["location"], headers=HTML)
    assert (inside.status_code, inside.json()) == (200, {"sub": VISITOR})
    assert inside.headers["cache-control"] == "public, max-age=600"
    assert COOKIE not in inside.headers["set-cookie"]
    browser.cookies.clear()
    assert browser.get("/who", headers=HTML).status_code == 302


def test_a_program_shows_its_token_and_gets_the_cookie_beside_the_sites_own(site: Site) -> None:
    answer = site.browser.get("/who", headers={"authorization": f"Bearer {token()}"})
    assert answer.json() == {"sub": VISITOR}
    names = [line.partition("=")[0].strip() for line in answer.headers.get_list("set-cookie")]
    assert sorted(names) == [COOKIE, "cart"]
    # a shared cache that kept this answer would hand out the cookie with it
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert site.browser.get("/who").json() == {"sub": VISITOR}


def test_a_program_without_a_token_gets_403_as_json(site: Site) -> None:
    for sent in ({}, {"authorization": "junk"}, {"authorization": token(use="id")}):
        answer = site.browser.get("/who", headers={"accept": "application/json", **sent})
        assert answer.status_code == 403
        assert answer.json()["waiting_room_url"] == WAITING
        assert answer.headers["cache-control"] == "no-store"
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_head_is_answered_without_a_body(site: Site) -> None:
    answer = site.browser.head("/who")
    assert (answer.status_code, answer.content) == (403, b"")


def test_what_is_excluded_needs_nothing(site: Site) -> None:
    assert site.browser.get("/static/page").text == "open"


def test_a_form_that_is_too_large_is_refused(site: Site) -> None:
    answer = site.browser.post(FORM_PATH, data={"token": "x" * 100_000}, headers=FROM_PAGE)
    assert (answer.status_code, set(answer.json())) == (413, {"error"})


def test_a_bad_token_at_the_entrance_is_refused(site: Site) -> None:
    bad, sent = {"token": token(at=START - 4000)}, {**HTML, **FROM_PAGE}
    answer = site.browser.post(FORM_PATH, data=bad, headers=sent)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_closed_while_nothing_can_be_checked(site: Site) -> None:
    site.keys.empty = True
    answer = site.browser.get("/who", headers={"authorization": token()})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("kind", SITES)
def test_open_while_nothing_can_be_checked_if_the_site_says_so(kind: str) -> None:
    keys = FakeKeys(empty=True, out_of_reach=True)
    browser = SITES[kind](gate(keys, fail_open=True))
    assert browser.get("/who", headers={"authorization": token()}).json() == {"sub": None}
    assert browser.get("/who").json() == {"sub": None}


def knock(app: AsgiGate, headers: list[tuple[bytes, bytes]]) -> list[Any]:
    """What a WebSocket server is told to send to a client that connects and leaves."""
    sent: list[Any] = []
    received: list[Any] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}]
    scope = {
        "type": "websocket", "path": "/live", "raw_path": b"/live", "query_string": b"",
        "root_path": "", "headers": headers, "subprotocols": [], "scheme": "wss",
    }  # fmt: skip

    async def receive() -> Any:
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_websocket_needs_a_token_too() -> None:
    app = fastapi_app(gate(FakeKeys()))
    assert knock(app, []) == [{"type": "websocket.close", "code": 1008}]
    accepted = knock(app, [(b"authorization", f"Bearer {token()}".encode())])
    assert accepted[0]["type"] == "websocket.accept"
    assert json.loads(accepted[1]["text"]) == {"sub": VISITOR}


async def nothing(*_message: Any) -> Any:
    return {}


@pytest.mark.parametrize("kind", ["lifespan", "webtransport", "http2", "HTTP", "", None])
def test_of_the_scopes_without_a_session_only_start_and_stop_reach_the_site(kind: Any) -> None:
    seen = []

    async def site(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    scope = {"type": kind, "path": "/static/x", "headers": []}
    call = AsgiGate(site, gate(FakeKeys()))(scope, nothing, nothing)
    if kind == "lifespan":
        asyncio.run(call)
        assert seen == ["lifespan"]
    else:
        with pytest.raises(ValueError, match="http, websocket and lifespan"):
            asyncio.run(call)
        assert seen == []


def test_a_form_of_another_page_is_refused(site: Site) -> None:
    for sent in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = site.browser.post(FORM_PATH, data={"token": token()}, headers=sent)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_no_method_reaches_the_site_without_a_session(site: Site) -> None:
    sent = {"access-control-request-method": "GET", "origin": "https://evil.example"}
    for verb in ("OPTIONS", "TRACE", "CONNECT", "PUT", "BREW", "options"):
        answer = site.browser.send(verb, "/who", headers=sent)
        assert (answer.status_code, answer.headers["cache-control"]) == (403, "no-store")


def test_other_requests_go_on_while_the_room_is_asked() -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow(FakeKeys):
        def find(self, key_id: str | None) -> Any:
            asked.set()
            answer.wait(10)
            return super().find(key_id)

    async def site(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> list[int]:
        transport = httpx.ASGITransport(app=AsgiGate(site, gate(Slow())))
        async with httpx.AsyncClient(transport=transport, base_url=SITE) as browser:
            checked = asyncio.create_task(browser.get("/", headers={"authorization": token()}))
            while not asked.is_set():
                await asyncio.sleep(0.01)
            quick = await browser.get("/static/x")
            assert not checked.done()
            answer.set()
            return [quick.status_code, (await checked).status_code]

    assert asyncio.run(run()) == [200, 200]


@pytest.fixture
def room() -> Iterator[tokens.RoomOverHttp]:
    with room_over_http() as running:
        running.publish(tokens.keys())
        yield running


def test_a_gate_from_settings_alone_asks_the_room(room: tokens.RoomOverHttp) -> None:
    import time

    def site(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"in"]

    settings = GateSettings(
        event_id=EVENT, issuer=ISSUER, public_api=room.url, waiting_room_url=WAITING,
        secret="s" * 32, revocation_check=True, revocation_cache=1,
    )  # fmt: skip
    room.replies[f"/ended_sessions?event_id={EVENT}"] = (
        200,
        json.dumps({"request_ids": []}).encode(),
    )
    browser = Browser(wsgi=WsgiGate(site, settings))
    fresh = token(at=int(time.time()) - 5)
    assert browser.get("/", headers={"authorization": fresh}).text == "in"
    assert browser.get("/").text == "in"
    room.replies[f"/ended_sessions?event_id={EVENT}"] = (
        200,
        json.dumps({"request_ids": [VISITOR]}).encode(),
    )
    time.sleep(1.05)
    assert browser.get("/").status_code == 403
    assert room.asked["/.well-known/jwks.json"] == 1


def test_the_gate_needs_nothing_but_pyjwt_and_cryptography() -> None:
    code = (
        "import sys, waiting_room.gate\n"
        "heavy = ('boto3', 'botocore', 'chalice', 'redis', 'urllib3', 'jwcrypto', 'flask')\n"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    source = str(Path(waiting_room.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
