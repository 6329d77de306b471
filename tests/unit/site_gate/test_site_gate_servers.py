# SPDX-License-Identifier: Apache-2.0
"""The gate of a site on real servers, and its way to the room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.gate_sites import KINDS, asgi_server, ask, status, wsgi_server
from tests.support.gate_vectors import NAME, PROTECTED, SALE, SESSION
from tests.support.servers import closed_port
from tests.unit.site_gate.site import NOW, Fixed
from waiting_room.domain.gate.configuration import GateConfiguration, GateView
from waiting_room.domain.gate.credentials import GateKeys, encode_session
from waiting_room.site_gate import AsgiSiteGate, SiteGate, SiteGateSettings, WsgiSiteGate

KEYS = GateKeys("a", {"a": "5" * 64})
RULES: Any = [("sale", False, {"path": "/"}), ("sale", True, {"path": "/static"})]
VIEW = GateView.of([GateConfiguration("sale", 1, RULES, SALE, KEYS)])
HTML = {"Accept": "text/html"}
COOKIE = {"Cookie": f"{NAME}={encode_session(SESSION, KEYS)}; cart=1"}


class Shop:
    """A site that records what reaches it."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str]] = []

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.reached.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        start_response("200 OK", [("Content-Length", "4")])
        return [b"shop"]

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append((scope["method"], scope["path"]))
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"shop"})


@contextmanager
def shop_on(kind: str, room: str = "") -> Iterator[tuple[Shop, int]]:
    shop = Shop()
    settings = SiteGateSettings(
        events=("sale",), private_api="https://room.example", region="x", room=room
    )
    gate = SiteGate(settings, Fixed(VIEW), lambda: NOW)  # type: ignore[arg-type]
    made = (
        asgi_server(AsgiSiteGate(shop.asgi, gate))
        if kind == "uvicorn"
        else wsgi_server(kind, WsgiSiteGate(shop.wsgi, gate))
    )
    with made as port:
        yield shop, port


@pytest.mark.parametrize("kind", KINDS)
def test_no_spelling_and_no_method_reaches_the_site(kind: str) -> None:
    targets = [path for path in PROTECTED if "\n" not in path and " " not in path]
    targets += ["/static/../buy", "/static/%2e%2e/buy", "/static/..%2fbuy", "/static/..;/buy",
                "/Static/a", "/static%00", "/st\xe9tic", "/_waiting-room/../buy", "/static\\..\\x",
                "shop.example:443", "http://shop.example/_waiting-room/",
                "/_waiting-room/x"]  # fmt: skip
    with shop_on(kind) as (shop, port):
        for verb in ("GET", "POST", "TRACE", "CONNECT", "BREW", "get"):
            for target in targets if verb == "GET" else targets[:3] + targets[-12:]:
                answer = ask(port, verb, target, {})
                assert status(answer) in (0, 302, 303, 400, 403, 404, 405, 501), (verb, target)
                assert not answer.endswith(b"shop")
        assert shop.reached == []
        assert status(ask(port, "GET", "/static/a.css", {})) == 200
        assert status(ask(port, "GET", "/buy", COOKIE)) == 200
        assert shop.reached == [("GET", "/static/a.css"), ("GET", "/buy")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_visitor_keeps_the_address_as_it_was_sent(kind: str) -> None:
    with shop_on(kind) as (_, port):
        answer = ask(port, "GET", "/buy/a%2Fb?x=%20&y", HTML)
    sent = "/buy/a/b" if kind == "wsgiref" else "/buy/a%2Fb"  # it keeps no target
    to = (sent + "?x=%20&y").replace("%", "%25").replace("/", "%2F")
    to = to.replace("?", "%3F").replace("=", "%3D").replace("&", "%26")
    assert f"/_waiting-room/enter?event=sale&to={to}\r\n".encode() in answer


@pytest.mark.parametrize("kind", KINDS)
def test_the_rooms_paths_lead_to_the_room(kind: str) -> None:
    """It gets its own cookies only, the host of the site, and no header that a visitor forged."""
    seen: list[Any] = []

    def room(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        target = environ["PATH_INFO"] + "?" + environ["QUERY_STRING"]
        seen.append((environ["REQUEST_METHOD"], target, environ, body))
        cookies = [("Set-Cookie", "waiting-room-sale=1"), ("Set-Cookie", "waiting-room-vip=2")]
        start_response("302 Found", [("Location", "/x"), ("Content-Length", "2"), *cookies])
        return [b"ok"]

    sent = {**HTML, **COOKIE, "X-Waiting-Room-Host": "evil.example", "X-Waiting-Room-Session": "x",
            "Content-Length": "7", "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    with (
        wsgi_server("wsgiref", room) as room_port,
        shop_on(kind, f"http://127.0.0.1:{room_port}") as (shop, port),
    ):
        answer = ask(port, "POST", "/_waiting-room/session?event=sale&to=%2F", sent, b"token=x")
        huge = {**sent, "Content-Length": "70000"}
        assert status(ask(port, "POST", "/_waiting-room/session", huge, b"x" * 70_000)) == 413
        assert status(ask(port, "DELETE", "/_waiting-room/session", {})) == 404
    assert status(answer) == 302
    assert b"location: /x\r\n" in answer.replace(b"L", b"l")
    assert answer.lower().count(b"set-cookie: ") == 2
    ((method, target, environ, body),) = seen
    assert (method, target, body) == (
        "POST", "/_waiting-room/session?event=sale&to=%2F", b"token=x",
    )  # fmt: skip
    assert environ["CONTENT_TYPE"] == sent["Content-Type"]
    assert environ["HTTP_COOKIE"] == COOKIE["Cookie"].partition(";")[0]
    assert environ["HTTP_X_WAITING_ROOM_HOST"] == "shop.example"
    assert "HTTP_X_WAITING_ROOM_SESSION" not in environ
    assert shop.reached == []


def test_a_room_that_does_not_respond_is_429() -> None:
    with closed_port() as room, shop_on("uvicorn", f"http://127.0.0.1:{room}") as (_, port):
        answer = ask(port, "GET", "/_waiting-room/enter?event=sale", {})
    assert status(answer) == 429
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["retry_after"] == 10
