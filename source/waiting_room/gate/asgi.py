# SPDX-License-Identifier: Apache-2.0
"""The gate in front of an ASGI application (FastAPI, Starlette, Django, …), HTTP and WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from waiting_room.gate.answers import Answer
from waiting_room.gate.entry import MAX_FORM, Gate, Visit
from waiting_room.gate.settings import GateSettings

CLAIMS = "waiting_room.claims"  # in the scope: the visitor's claims, None where not checked
UNCACHED = (b"cache-control", b"expires")
POLICY_VIOLATION = 1008  # RFC 6455; before the handshake, servers answer 403

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiGate:
    """``app`` behind the gate; the scope's ``waiting_room.claims`` says who came through."""

    def __init__(self, app: Application, gate: Gate | GateSettings) -> None:
        self._app = app
        self._gate = gate if isinstance(gate, Gate) else Gate(gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        visit = read_visit(scope)
        if scope["type"] == "http" and self._gate.is_entrance(visit):
            body = await _body(receive)
            await _say(await asyncio.to_thread(self._gate.enter, visit, body), visit, send)
            return
        # In a thread: once in a while the room is asked, and the other requests go on meanwhile.
        decision = await asyncio.to_thread(self._gate.check, visit)
        if isinstance(decision, Answer):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            else:
                await _say(decision, visit, send)
            return
        scope[CLAIMS] = decision.claims
        cookie = decision.set_cookie
        await self._app(scope, receive, send if cookie is None else _with_cookie(send, cookie))


def read_visit(scope: Scope) -> Visit:
    """The request of an ASGI scope; of headers with one name the first counts, of cookies all."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie" and name in headers:
            headers[name] += f"; {value}"
        else:
            headers.setdefault(name, value)
    return Visit(
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
    )


async def _body(receive: Receive) -> bytes:
    """The body, or enough of it to see that it is too large."""
    body, more = b"", True
    while more and len(body) <= MAX_FORM:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _say(answer: Answer, visit: Visit, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if visit.method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


def _with_cookie(send: Send, cookie: str) -> Send:
    """Add the cookie to the answer, which no shared cache may then keep."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in UNCACHED]
            added = [(b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return sending
