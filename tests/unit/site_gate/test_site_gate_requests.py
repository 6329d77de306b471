# SPDX-License-Identifier: Apache-2.0
"""Requests as servers hand them over: paths, duplicates, cookies, the session header, its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.gate_vectors import NAME, PAGE, PROTECTED, SALE, SCRIPT, SESSION
from tests.unit.site_gate.site import (
    NOW,
    PLAIN,
    SECURE,
    Fixed,
    by_asgi,
    by_wsgi,
    environ_of,
    scope_of,
)
from waiting_room.domain.gate.configuration import GateConfiguration, GateView
from waiting_room.domain.gate.credentials import GateKeys, encode_session
from waiting_room.domain.gate.path_readings import readings
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.rules import OWN_PATHS
from waiting_room.site_gate import AsgiSiteGate, SiteGate
from waiting_room.site_gate import asgi as asgi_module
from waiting_room.site_gate import wsgi as wsgi_module
from waiting_room.site_gate.requests import values_of, without_room_cookies

KEYS = GateKeys("a", {"a": "5" * 64})
RULES: Any = [
    ("sale", False, {"path": "/checkout"}),
    ("sale", False, {"path": "/old", "cookie": "beta"}),
    ("sale", False, {"path": "/api", "methods": ["POST"]}),
    ("sale", True, {"path": "/checkout/static"}),
]
VIEW = GateView.of([GateConfiguration("sale", 1, RULES, SALE, KEYS)])
VALUE = encode_session(SESSION, KEYS)
SESSION_ID = "sale:2:41"


def gate(**changes: Any) -> SiteGate:
    return SiteGate(changes.get("settings", SECURE), Fixed(VIEW), lambda: NOW)  # type: ignore[arg-type]


def page(path: str, **members: Any) -> GateRequest:
    return GateRequest("GET", "shop.example", path, headers=PAGE, **members)


@pytest.mark.parametrize("path", [one for one in PROTECTED if one.startswith("/checkout")])
def test_a_path_is_protected_where_the_server_has_the_decoded_path_only(path: str) -> None:
    """The readings of a decoded path are those that the site can take it for."""
    request = page(path)
    environ = environ_of(request)
    del environ["RAW_URI"]
    scope = scope_of(request)
    del scope["raw_path"]
    for found in (by_wsgi(gate(), environ), by_asgi(gate(), scope)):
        if path != "/checkout/static":
            assert (found.status, found.site) == (302, None)


@given(st.text(st.characters(max_codepoint=255, exclude_characters="?"), max_size=20))
def test_what_the_site_reads_is_always_among_the_readings(text: str) -> None:
    """A path that the site resolves to a protected one is refused, whatever the server keeps."""
    path = "/" + text
    decoded = path.encode("latin-1")
    environ = {**environ_of(page("/")), "PATH_INFO": path, "RAW_URI": "/elsewhere"}
    request = wsgi_module.read_request(environ)
    found = readings(request.path)
    assert found is None or decoded.decode("latin-1") in found


@pytest.mark.parametrize(
    ("raw", "path", "expected"),
    [
        ("/a%2Fb?x=%20", "/a/b", ("/a%2Fb", "x=%20")),
        ("/a?", "/a", ("/a", "")),
        ("http://shop.example/checkout", "/checkout", ("/checkout", None)),
        ("/public", "/checkout", ("/checkout", None)),
        ("/b%20c", "/mount/b c", ("/mount/b%20c", None)),
        ("/mount/b", "/mount/b", ("/mount/b", None)),
    ],
)
def test_a_target_counts_only_if_the_server_read_it(
    raw: str, path: str, expected: tuple[str, str | None]
) -> None:
    mount = "/mount" if path.startswith("/mount") else ""
    base = environ_of(page("/"), RAW_URI=raw, SCRIPT_NAME=mount, PATH_INFO=path[len(mount) :])
    found = wsgi_module.read_request(base)
    assert (found.path, found.query) == expected
    scope = scope_of(page("/"), path=path, root_path=mount, raw_path=raw.partition("?")[0].encode())
    assert asgi_module.read_request(scope).path == expected[0]


def test_a_path_that_is_not_utf_8_is_protected_by_every_rule() -> None:
    scope = scope_of(page("/"), path="/\ufffd", raw_path=b"")
    assert by_asgi(gate(), scope).site is None
    assert by_asgi(gate(), scope_of(page("/"), path="/é", raw_path=b"")).site is not None


@pytest.mark.parametrize("call", ["wsgi", "asgi"])
def test_the_site_gets_its_own_cookies_and_the_session(call: str) -> None:
    cookies = {
        "cart": ["1", "2"], NAME: [VALUE], "__Host-waiting-room_probe-sale": ["p"],
        "waiting-room-vip": ["v"], "my-waiting-room-x": ["3"],
    }  # fmt: skip
    request = GateRequest(
        "GET", "shop.example", "/checkout", None,
        {**SCRIPT, "x-waiting-room-session": ["vip:1:1"]}, cookies,
    )  # fmt: skip
    found = (
        by_wsgi(gate(), environ_of(request))
        if call == "wsgi"
        else by_asgi(gate(), scope_of(request))
    )
    assert found.site is not None
    assert found.site["cookie"].replace(" ", "") == "cart=1;cart=2;my-waiting-room-x=3"
    assert found.site["x-waiting-room-session"] == SESSION_ID
    open_path = GateRequest("GET", "a", "/", None, {"x-waiting-room-session": ["vip:1:1"]})
    forged = {**environ_of(open_path), "HTTP_X_WAITING_ROOM_SESSION": "vip:1:1"}
    site = (
        by_wsgi(gate(), forged).site
        if call == "wsgi"
        else by_asgi(gate(), scope_of(open_path)).site
    )
    assert site is not None
    assert "x-waiting-room-session" not in site


def test_a_header_name_with_an_underscore_hides_nothing() -> None:
    scope = scope_of(GateRequest("GET", "a", "/"))
    scope["headers"] += [(b"X_Waiting_Room_Session", b"sale:9:9")]
    site = by_asgi(gate(), scope).site
    assert site is not None
    assert not [name for name in site if "session" in name.lower()]
    override = scope_of(GateRequest("GET", "a", "/api"))
    override["headers"] += [(b"x_http_method_override", b"POST")]
    assert by_asgi(gate(), override).site is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a=1; waiting-room-sale=x", "a=1"), ("__Host-waiting-room_probe-sale=x; a=1", "a=1"),
        ("a=1,waiting-room-sale=x", "a=1"), ("waiting-room-sale=x", ""), ("", ""),
        ("a=waiting-room-sale", "a=waiting-room-sale"), ("a=1;b=2", "a=1;b=2"),
        ("waiting-room-sale", ""), ("xwaiting-room-sale=1", "xwaiting-room-sale=1"),
    ],
)  # fmt: skip
def test_the_rooms_cookies_are_removed_from_a_header(header: str, expected: str) -> None:
    assert without_room_cookies(header) == expected


def test_a_joined_header_has_its_parts() -> None:
    assert values_of("x-staff", "no, let me in") == ["no, let me in", "no", "let me in"]
    assert values_of("user-agent", "a, b") == ["a, b"]


END = {"Waiting-Room-Session": "end", "Cache-Control": "max-age=0, Private"}


@pytest.mark.parametrize("call", [by_wsgi, by_asgi])
@pytest.mark.parametrize(
    ("reply", "ends"),
    [
        (END, True),
        ({**END, "Cache-Control": "no-store"}, True),
        ({**END, "Cache-Control": "max-age=60"}, False),
        ({**END, "Cache-Control": "x-private"}, False),
        ({"Waiting-Room-Session": "end"}, False),
        ({**END, "Waiting-Room-Session": "keep"}, False),
        ({"Cache-Control": "no-store"}, False),
    ],
)
def test_the_site_ends_a_session_on_responses_for_one_visitor(
    call: Any, reply: dict[str, str], ends: bool
) -> None:
    request = page("/", cookies={NAME: [VALUE]})
    sent = environ_of(request) if call is by_wsgi else scope_of(request)
    found = call(gate(), sent, reply)
    expired = f"{NAME}=; Secure; HttpOnly; SameSite=None; Path=/; Max-Age=0"
    assert found.cookies == ([expired] if ends else [])
    assert found.header("waiting-room-session") is None, "visitors do not see it"
    other = page("/")
    sent = environ_of(other) if call is by_wsgi else scope_of(other)
    assert call(gate(), sent, reply).cookies == [], "no cookie, nothing to expire"


def test_cookies_on_plain_http_have_no_prefix() -> None:
    (cookie,) = by_wsgi(gate(settings=PLAIN), environ_of(page("/checkout"))).cookies
    assert cookie.startswith("waiting-room_probe-sale=1:a:sale:")
    assert cookie.endswith("; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600")


def connect(scope: dict[str, Any]) -> tuple[list[Any], bool]:
    """Open a WebSocket; return what the gate sends, and whether the site was called."""
    sent: list[Any] = []
    called = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal called
        called = True

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(AsgiSiteGate(app, gate())(scope, receive, send))
    return sent, called


def test_a_websocket_needs_a_session() -> None:
    request = GateRequest("GET", "a", "/checkout/live", None, {"sec-websocket-key": ["x"]})
    scope = scope_of(request, type="websocket")
    del scope["method"]
    assert connect(scope) == ([{"type": "websocket.close", "code": 1008}], False)
    sent, called = connect({**scope, "extensions": {"websocket.http.response": {}}})
    assert not called
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == 403
    assert b'"reason": "no_session"' in sent[1]["body"]
    allowed = GateRequest("GET", "a", "/checkout", None, request.headers, {NAME: [VALUE]})
    assert connect(scope_of(allowed, type="websocket")) == ([], True)
    own = GateRequest("GET", "a", f"{OWN_PATHS}/x", None, request.headers)
    assert connect(scope_of(own, type="websocket")) == (
        [{"type": "websocket.close", "code": 1008}],
        False,
    )


def test_start_and_stop_pass_and_other_kinds_do_not() -> None:
    sent, called = connect({"type": "lifespan"})
    assert (sent, called) == ([], True)
    with pytest.raises(ValueError, match="http, websocket and lifespan"):
        connect({"type": "mqtt"})
