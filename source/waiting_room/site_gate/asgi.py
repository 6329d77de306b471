# SPDX-License-Identifier: Apache-2.0
"""The gate of a site in front of an ASGI application (FastAPI, Starlette, Django, …)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from waiting_room.domain.gate.decision import Pass
from waiting_room.domain.gate.request import GateRequest
from waiting_room.site_gate import requests
from waiting_room.site_gate.forwarding import MAX_BODY, Forwarding
from waiting_room.site_gate.gate import Response, SiteGate, header_pairs
from waiting_room.site_gate.settings import SiteGateSettings

POLICY_VIOLATION = 1008  # RFC 6455; before the handshake, servers answer 403
DENIAL = "websocket.http.response"  # extension: a response instead of the handshake
REPLACEMENT = "\ufffd"  # in a path whose bytes are not UTF-8

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiSiteGate:
    """``app`` behind the gate: HTTP and WebSocket. It needs asyncio.

    The site reads the session from ``X-Waiting-Room-Session``. A WebSocket is decided about when
    it opens.
    """

    def __init__(self, app: Application, gate: SiteGate | SiteGateSettings) -> None:
        self._app = app
        self._gate = gate if isinstance(gate, SiteGate) else SiteGate(gate)
        self._forwarding = Forwarding(self._gate.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":  # start and stop of the site: no visitor sends it
            await self._app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise ValueError("the gate passes http, websocket and lifespan only")
        request = read_request(scope)
        # In a thread: it may read the configuration, and other requests must not wait for it.
        found = await asyncio.to_thread(self._gate.decide, request)
        if isinstance(found, Pass) and found.reason == "room":
            body = await _body(receive) if kind == "http" else b""
            found = await asyncio.to_thread(self._forwarding.send, request, body)
        if isinstance(found, Response):
            await _refuse(found, scope, request, receive, send)
            return
        if kind == "http":
            send = _ending(send, self._gate.ended_cookies(request))
        headers = _site_headers(scope["headers"], found.session)
        await self._app({**scope, "headers": headers}, receive, send)


def read_request(scope: Scope) -> GateRequest:
    """Convert an ASGI scope. A header name with ``_`` counts as one with ``-``, as in WSGI."""
    headers: dict[str, list[str]] = {}
    for raw_name, raw_value in scope["headers"]:
        headers.setdefault(_name(raw_name), []).append(raw_value.decode("latin-1"))
    mount = (scope.get("root_path") or "").rstrip("/")
    path = scope["path"]
    if mount and not f"{path}/".startswith(f"{mount}/"):
        path = mount + path  # of servers that omit the prefix
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    candidates = [raw, mount + raw] if raw else []
    sent = requests.sent_path(candidates, lambda one: unquote(one) == path)
    lost = REPLACEMENT if REPLACEMENT in path else ""  # makes a path that cannot be read
    return GateRequest(
        method=scope.get("method", "GET"),
        host=next(iter(headers.get("host", ())), ""),
        path=sent[0] if sent else lost + requests.quoted_path(path.encode()),
        query=scope.get("query_string", b"").decode("latin-1") or None,
        headers=headers,
        cookies=requests.cookies_of(headers.get("cookie", ())),
    )


def _name(raw: bytes) -> str:
    return raw.decode("latin-1").lower().replace("_", "-")


def _site_headers(headers: Any, session: str) -> list[tuple[bytes, bytes]]:
    """Return the headers for the site: without the room's cookies, with the session."""
    found = []
    for name, value in headers:
        if _name(name) == requests.SESSION_HEADER:
            continue
        if name.lower() == b"cookie":
            value = requests.without_room_cookies(value.decode("latin-1")).encode("latin-1")
            if not value:
                continue
        found.append((name, value))
    if session:
        found.append((requests.SESSION_HEADER.encode(), session.encode()))
    return found


async def _body(receive: Receive) -> bytes:
    """Return the body, or enough of it to see that it is too large."""
    body, more = b"", True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _refuse(
    found: Response, scope: Scope, request: GateRequest, receive: Receive, send: Send
) -> None:
    """Send the response; close a WebSocket of a server that cannot send one."""
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()
        if DENIAL not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        kind = DENIAL
    headers = header_pairs(found.headers)
    await send({"type": f"{kind}.start", "status": found.status, "headers": headers})
    body = b"" if request.method == "HEAD" else found.body
    await send({"type": f"{kind}.body", "body": body})


def _ending(send: Send, cookies: list[str]) -> Send:
    """Return a ``send`` that expires ``cookies`` if the site ends the session."""
    end = requests.END_HEADER.encode()

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            ends = [value for name, value in headers if name.lower() == end]
            if ends:
                headers = [one for one in headers if one[0].lower() != end]
                caching = [
                    value.decode("latin-1")
                    for name, value in headers
                    if name.lower() == b"cache-control"
                ]
                if ends[0].strip().lower() == b"end" and requests.may_end(caching):
                    headers += [(b"set-cookie", one.encode()) for one in cookies]
                message = {**message, "headers": headers}
        await send(message)

    return sending
