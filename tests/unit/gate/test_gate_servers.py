# SPDX-License-Identifier: Apache-2.0
"""The gate on real servers: what reaches a site depends on how its server reads a request."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import starlette.applications
import websocket
from starlette.routing import Mount

from tests.support.gate_sites import (
    KINDS,
    PAGE,
    SECONDS,
    Site,
    asgi_server,
    ask,
    said,
    status,
    wsgi_server,
)
from tests.support.in_memory_room import START
from tests.support.tokens import token
from waiting_room.gate import AsgiGate, WsgiGate, cookie
from waiting_room.gate.asgi import read_request
from waiting_room.gate.decision import FORM
from waiting_room.gate.wsgi import read_request as read_environ

ENTER = "/waiting-room/enter"
FORM_BODY = urlencode({"token": token()}).encode()
FROM_PAGE = {"Origin": PAGE, "Content-Type": FORM}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def running(kind: str) -> Iterator[tuple[Site, int]]:
    site = Site()
    with site.on(kind) as port:
        yield site, port


def test_a_session_opens_the_site_for_every_method(running: tuple[Site, int]) -> None:
    site, port = running
    sent = {"Authorization": token(), "Origin": "https://evil.example"}
    for verb in ("GET", "POST", "OPTIONS", "DELETE"):
        assert status(ask(port, verb, "/buy", {**sent, "Content-Length": "0"})) == 200
    assert len(site.reached) == 4


@pytest.mark.parametrize(
    "target",
    [
        "/buy", "//buy", "/static/../buy", "/static/%2e%2e/buy", "/static/%252e%252e/buy", "/BUY",
        "/static/..%2fbuy", "/static/..%5cbuy", "/static/..;/buy", "/static%00", "/static/%ff",
        "/static/%c0%ae%c0%ae/buy", "/Static/a", "//shop.example/static", "http://shop.example/buy",
        "*", "shop.example:443", "/%73%74atic%2f..%2fbuy", "/static\\",
        "/st\xe9tic",
    ],
)  # fmt: skip
def test_no_target_and_no_method_reaches_what_is_protected(
    running: tuple[Site, int], target: str
) -> None:
    site, port = running
    preflight = {"Access-Control-Request-Method": "GET", "Origin": PAGE}
    upgrade = {"Connection": "Upgrade, close", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    for verb in ("GET", "OPTIONS", "TRACE", "CONNECT", "BREW", "options"):
        for sent in ({}, preflight, upgrade):
            answer = ask(port, verb, target, sent)
            # 400: the server itself refuses; 403: the gate
            assert status(answer) in (0, 400, 403, 404, 405), answer
            assert not answer.endswith(b"site")
    assert site.reached == []


def test_an_open_path_is_open(running: tuple[Site, int]) -> None:
    site, port = running
    assert status(ask(port, "GET", "/static/a.css", {})) == 200
    assert site.reached == [("GET", "/static/a.css")]


def test_the_entrance_takes_the_waiting_pages_form_alone(running: tuple[Site, int]) -> None:
    _, port = running
    length = {"Content-Length": str(len(FORM_BODY))}
    assert status(ask(port, "POST", ENTER, {**FROM_PAGE, **length}, FORM_BODY)) == 303
    foreign = {**FROM_PAGE, **length, "Origin": "https://evil.example"}
    answer = ask(port, "POST", ENTER, foreign, FORM_BODY)
    assert status(answer) == 403
    assert b"set-cookie" not in answer.lower()


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def test_a_form_in_chunks_is_read_where_the_server_ends_it(
    running: tuple[Site, int], kind: str
) -> None:
    _, port = running
    chunked = {**FROM_PAGE, "Transfer-Encoding": "chunked"}
    answer = ask(port, "POST", ENTER, chunked, chunks(FORM_BODY[:5], FORM_BODY[5:]))
    if kind == "wsgiref":
        assert status(answer) == 411
        assert said(answer) == {"error": "the header Content-Length is missing"}
    else:
        assert status(answer) == 303
        assert status(ask(port, "POST", ENTER, chunked, chunks(b"x" * 20_000))) == 413
        assert status(ask(port, "POST", ENTER, chunked, b"zz\r\nabc\r\n")) in (0, 400)


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "9" * 30, "+5"])
def test_a_length_that_is_none_is_no_500(running: tuple[Site, int], length: str) -> None:
    _, port = running
    answer = ask(port, "POST", ENTER, {**FROM_PAGE, "Content-Length": length}, b"token=x")
    assert status(answer) in (0, 400, 413)


def test_a_websocket_is_refused_in_front_of_a_wsgi_site() -> None:
    site = Site()
    asked = {
        "Authorization": token(), "Connection": "Upgrade, close", "Upgrade": "WebSocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    with site.on("wsgiref") as port:
        answer = ask(port, "GET", "/live", asked)
    assert (status(answer), site.reached) == (403, [])
    assert "Upgrade" in said(answer)["error"]


def connect(port: int, **options: object) -> websocket.WebSocket:
    return websocket.create_connection(f"ws://127.0.0.1:{port}/live", timeout=SECONDS, **options)


def test_a_websocket_ends_when_its_session_ends() -> None:
    site = Site()
    with site.on("uvicorn") as port:
        line = connect(port, header=[f"Authorization: {token()}"])
        line.send("hello")
        assert line.recv() == "site: hello"
        site.clock.turn(START + 3599.9)
        line.send("still")
        assert line.recv() == "site: still"
        site.clock.turn(START + 3600)
        code, payload = line.recv_data()
        assert (code, payload) == (8, b"\x03\xf0the session has expired")  # 8: close, 0x3f0: 1008
        assert site.left.wait(SECONDS)
        line.close()


def test_a_websocket_without_a_session_does_not_reach_the_site() -> None:
    site = Site()
    with site.on("uvicorn") as port:
        for sent in ([], [f"Authorization: {token(at=START - 4000)}"]):
            with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
                connect(port, header=sent)
    assert site.reached == []


# --- under a prefix ------------------------------------------------------------------------------


def dispatched(site: Site) -> Any:
    """A WSGI server with the site under /shop: ``SCRIPT_NAME``."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    def nobody(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    app: Any = DispatcherMiddleware(nobody, {"/shop": WsgiGate(site.wsgi, site.gate)})
    return wsgi_server("werkzeug", app)


def mounted(site: Site) -> Any:
    """An ASGI application with the site under /shop: ``root_path``, ``path`` with it."""
    gate = AsgiGate(site.asgi, site.gate, site.clock.wait)
    return asgi_server(starlette.applications.Starlette(routes=[Mount("/shop", app=gate)]))


@pytest.mark.parametrize("serve", [dispatched, mounted])
@pytest.mark.parametrize(
    "rules",
    [
        {}, {"entrance": "/shop/waiting-room/enter"}, {"exclude": ("/shop/static",)},
        {"include": ("/buy",)}, {"include": ("/shop/buy",)},
    ],
)  # fmt: skip
def test_a_prefix_hides_neither_the_entrance_nor_a_rule(
    serve: Callable[[Site], Any], rules: dict[str, Any]
) -> None:
    site = Site(**rules)
    length = {"Content-Length": str(len(FORM_BODY))}
    with serve(site) as port:
        entered = ask(port, "POST", f"/shop{ENTER}", {**FROM_PAGE, **length}, FORM_BODY)
        assert status(entered) == 303
        for target in ("/shop/buy", "/shop//buy", "/shop/static/../buy", "/shop/BUY"):
            assert status(ask(port, "GET", target, {})) in (403, 404)
        assert site.reached == []
        assert status(ask(port, "GET", "/shop/static/a", {})) == 200


def test_a_server_behind_a_proxy_that_cuts_the_prefix_off() -> None:
    site = Site()
    gate = AsgiGate(site.asgi, site.gate, site.clock.wait)
    length = {"Content-Length": str(len(FORM_BODY))}
    with asgi_server(gate, root_path="/shop") as port:
        assert status(ask(port, "POST", ENTER, {**FROM_PAGE, **length}, FORM_BODY)) == 303
        assert status(ask(port, "GET", "/buy", {})) == 403
        assert status(ask(port, "GET", "/static/a", {})) == 200
        html = {"Accept": "text/html"}
        kept = ask(port, "GET", "/a%2Fb?c=%2F", html)
        assert f"={cookie.pack('/shop/a%2Fb?c=%2F')};".encode() in kept


def test_servers_that_leave_the_prefix_out_of_the_path() -> None:
    scope = {"type": "http", "method": "GET", "headers": []}
    for path, root, raw in (
        ("/a/b", "/shop", b"/a%2Fb"), ("/shop/a/b", "/shop", b"/shop/a%2Fb"),
        ("/shop/a/b", "/shop/", b"/a%2Fb"),
    ):  # fmt: skip
        visit = read_request({**scope, "path": path, "root_path": root, "raw_path": raw})
        assert (visit.path, visit.mount, visit.raw) == ("/shop/a/b", "/shop", "/shop/a%2Fb")


def test_a_wsgi_server_behind_a_proxy_that_cuts_the_prefix_off() -> None:
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/shop", "PATH_INFO": "/a/b"}
    for sent in ("/a%2Fb", "/shop/a%2Fb"):
        visit = read_environ({**environ, "RAW_URI": sent})
        assert (visit.path, visit.mount, visit.raw) == ("/shop/a/b", "/shop", "/shop/a%2Fb")
    assert read_environ({**environ, "RAW_URI": "/other"}).raw == ""


def test_a_body_that_the_server_ends_is_read_without_a_length_or_a_coding() -> None:
    site = Site()
    answers: list[str] = []
    app: Any = WsgiGate(site.wsgi, site.gate)
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": ENTER, "CONTENT_TYPE": FORM,
        "HTTP_ORIGIN": PAGE, "wsgi.input": io.BytesIO(FORM_BODY), "wsgi.input_terminated": True,
    }  # fmt: skip
    app(environ, lambda said, headers: answers.append(said))
    assert answers == ["303 See Other"]


def test_on_a_loop_that_is_not_asyncios_the_gate_says_so() -> None:
    site = Site()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = AsgiGate(site.asgi, site.gate)
    for kind in ("lifespan", "http"):
        with pytest.raises(RuntimeError, match="needs asyncio"):
            gate({"type": kind}, receive, send).send(None)  # type: ignore[attr-defined]
    assert [one["type"] for one in sent] == ["lifespan.startup.failed"]
    assert "asyncio" in sent[0]["message"]
    assert site.reached == []
