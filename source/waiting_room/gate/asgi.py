# SPDX-License-Identifier: Apache-2.0
"""The gate in front of an ASGI application (FastAPI, Starlette, Django, …), HTTP and WebSocket."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from waiting_room.gate.connections import (
    POLICY_VIOLATION,
    Application,
    Message,
    Receive,
    Scope,
    Send,
    Wait,
    WebSocket,
    run_http,
    sleep_until,
)
from waiting_room.gate.decision import MAX_FORM, Gate, Request
from waiting_room.gate.responses import Response
from waiting_room.gate.settings import GateSettings

CLAIMS = "waiting_room.claims"  # in the scope: the visitor's claims, None where not checked
NEEDS_ASYNCIO = "The ASGI gate needs asyncio: run the site on an asyncio server, not on Trio."
UNCACHED = (b"cache-control", b"expires")


class AsgiGate:
    """``app`` behind the gate; the scope's ``waiting_room.claims`` has the visitor's claims.

    It needs asyncio. ``wait`` waits until a time of the gate's clock.
    """

    def __init__(
        self, app: Application, gate: Gate | GateSettings, wait: Wait | None = None
    ) -> None:
        self._app = app
        self._gate = gate if isinstance(gate, Gate) else Gate(gate)
        self._wait = wait or sleep_until(self._gate.now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if not _is_asyncio():
            await _cannot_start(kind, receive, send)
        if kind == "lifespan":  # start and stop of the site: no visitor sends it
            await self._app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise ValueError("the gate passes http, websocket and lifespan only")
        request = read_request(scope)
        if kind == "http" and self._gate.is_entrance(request):
            body = await _body(receive)
            await _respond(await asyncio.to_thread(self._gate.enter, request, body), request, send)
            return
        # In a thread: a check may call the room, and other requests must not wait for it.
        decision = await asyncio.to_thread(self._gate.check, request)
        if isinstance(decision, Response):
            if kind == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            else:
                await _respond(decision, request, send)
            return
        scope[CLAIMS] = decision.claims
        if decision.set_cookie is not None:
            send = _with_cookie(send, decision.set_cookie)
        now, until = self._gate.now, decision.until
        if until is None:
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await WebSocket(receive, send, until, now, self._wait).run(self._app, scope)
        else:
            await run_http(self._app, scope, receive, send, until, now)


def read_request(scope: Scope) -> Request:
    """Convert an ASGI scope; headers of one name are joined, as WSGI servers do."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joint = "; " if name == "cookie" else ","
        headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
    mount = (scope.get("root_path") or "").rstrip("/")
    path = scope["path"]
    if mount and not f"{path}/".startswith(f"{mount}/"):
        path = mount + path  # of servers that omit the prefix
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    return Request(
        method=scope.get("method", "GET"),
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        mount=mount,
        raw=next((sent for sent in (raw, mount + raw) if unquote(sent) == path), ""),
    )


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _cannot_start(kind: str, receive: Receive, send: Send) -> None:
    """Raise RuntimeError; send the reason to a server that starts the site."""
    if kind == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": NEEDS_ASYNCIO})
    raise RuntimeError(NEEDS_ASYNCIO)


async def _body(receive: Receive) -> bytes:
    """Return the body, or enough of it to see that it is too large."""
    body, more = b"", True
    while more and len(body) <= MAX_FORM:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _respond(answer: Response, request: Request, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if request.method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


def _with_cookie(send: Send, cookie: str) -> Send:
    """Add the cookie to the response, and forbid caching."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in UNCACHED]
            added = [(b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return sending
