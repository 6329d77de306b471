# SPDX-License-Identifier: Apache-2.0
"""The gate as WSGI and ASGI: any request is answered, and none is let in without a session."""

from __future__ import annotations

import asyncio
import io
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.inputs import fuzzed
from tests.support.gate_sites import PAGE, Site
from tests.support.tokens import token
from waiting_room.gate import AsgiGate, WsgiGate
from waiting_room.gate.decision import FORM

ENTER = "/waiting-room/enter"
BYTES = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))
KNOWN = (
    "accept", "authorization", "cookie", "content-type", "content-length", "host", "origin",
    "referer", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-purpose", "upgrade",
    "access-control-request-method", "access-control-request-headers", "transfer-encoding",
    "x-requested-with", "script-name",
)  # fmt: skip
USUAL = st.sampled_from(
    [
        b"text/html", b"text/html;q=\xb2", b"text/html;q=nan",
        b"application/json;q=1e999,text/html", FORM.encode(), PAGE.encode(), b"null", b"https://[",
        b"https://x:y", b"https://\xff", b"navigate", b"document", b"Bearer ", b"Bearer a.b.c",
        b"Bearer " + b"W1tb" * 1600 + b".e30.x",
        b"__Host-waiting-room-Sample=a.b.c; __Host-waiting-room_return-Sample=%2F%2Fevil.example",
        b"__Host-waiting-room_return-Sample=%ED%A0%80", b"chunked", b"-1", b"5", b"99999999",
        b"9" * 5000, b"websocket", b"GET", b"a, b",
    ]
)  # fmt: skip
HEADERS = st.lists(st.tuples(st.sampled_from(KNOWN), USUAL | BYTES), max_size=8)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "TRACE", "BREW", "é", ""])
PATHS = st.sampled_from([ENTER, "/", "/static/a", "/a/%ED%A0%80", "/a/\xff"]) | BYTES.map(
    lambda raw: raw.decode("latin-1")
)
BODIES = st.binary(max_size=60) | st.sampled_from(
    [
        b"token=" + token().encode(), b"token=%ff", b"token=%ED%A0%80", b"token=\xff", b"a&" * 20,
        b"token=" + b"x" * 20_000, b"token=%00", b"=&=", b"token=a&token=b", b"%",
    ]
)  # fmt: skip
SITE = Site(cors_origins=("https://app.example",))


def names_a_session(status: int, headers: list[tuple[str, str]]) -> bool:
    jar = [value for name, value in headers if name.lower() == "set-cookie"]
    return any(value.startswith(SITE.gate.settings.cookie_name + "=e") for value in jar)


@fuzzed
@given(METHODS, PATHS, BYTES, HEADERS, BODIES, st.booleans())
@example("POST", ENTER, b"", [("content-length", b"-1")], b"", True)
@example("GET", "/", b"\xff", [("accept", b"text/html"), ("host", b"[")], b"", False)
def test_any_request_to_a_wsgi_site_is_answered(
    method: str, path: str, query: bytes, headers: list[tuple[str, bytes]], body: bytes, ends: bool
) -> None:
    SITE.reached.clear()
    answers: list[Any] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query.decode("latin-1"),
        "wsgi.input": io.BytesIO(body), "wsgi.input_terminated": ends, "RAW_URI": path,
    }  # fmt: skip
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value.decode("latin-1")
    app: Any = WsgiGate(SITE.wsgi, SITE.gate)
    b"".join(app(environ, lambda status, said, *_: answers.append((int(status[:3]), said))))
    status, said = answers[-1]
    assert status < 500
    assert all(value.isprintable() for _, value in said)
    assert not SITE.reached or path.startswith("/static")
    sent = dict(headers).get("origin", b"") == PAGE.encode() or b"referer" in dict(headers)
    assert sent or not names_a_session(status, said)


@fuzzed
@given(METHODS, BYTES | PATHS.map(lambda path: path.encode()), BYTES, HEADERS, BODIES)
def test_any_request_to_an_asgi_site_is_answered(
    method: str, raw: bytes, query: bytes, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    SITE.reached.clear()
    sent: list[Any] = []
    path = unquote_to_bytes(raw).decode("utf-8", "surrogateescape")

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    for raw_path in (raw, quote_from_bytes(raw).encode(), None):
        sent.clear()
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": raw_path,
            "query_string": query, "root_path": "",
            "headers": [(name.encode(), value) for name, value in headers],
        }  # fmt: skip
        asyncio.run(AsgiGate(SITE.asgi, SITE.gate, SITE.clock.wait)(scope, receive, send))
        assert sent[0]["status"] < 500
        assert not SITE.reached or path.startswith("/static")
