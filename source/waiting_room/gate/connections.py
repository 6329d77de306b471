# SPDX-License-Identifier: Apache-2.0
"""ASGI connections end when the session ends.

A WebSocket is closed with code 1008 at that time, and no message passes afterwards. An event
stream sends nothing afterwards. Any other response is sent completely.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock

POLICY_VIOLATION = 1008  # RFC 6455; before the handshake, servers answer 403
REASON = "the session has expired"
GRACE = 10.0  # seconds the site has to finish after the end
STEP = 60.0  # seconds of one sleep at most: the clock may be set meanwhile
ENDLESS = (b"text/event-stream", b"multipart/x-mixed-replace")  # responses without an end

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Wait = Callable[[float], Awaitable[None]]

logger = logging.getLogger("waiting_room.gate")


class SessionOver(OSError):
    """Error of a send after the end of the session; ASGI requires an OSError."""


def sleep_until(now: Clock) -> Wait:
    """Return a function that waits until a time of this clock (epoch seconds)."""

    async def wait(moment: float) -> None:
        while (left := moment - now()) > 0:
            await asyncio.sleep(min(left, STEP))

    return wait


def is_endless(headers: Any) -> bool:
    """Return whether a response is endless, by its content type (ASGI headers)."""
    return any(
        name.lower() == b"content-type" and value.lower().lstrip().startswith(ENDLESS)
        for name, value in headers
    )


class WebSocket:
    """One WebSocket between a server and the site, until its session ends."""

    def __init__(self, receive: Receive, send: Send, until: float, now: Clock, wait: Wait) -> None:
        self._receive, self._send = receive, send
        self._until, self._now, self._wait = until, now, wait
        self._over = asyncio.Event()
        self._ended = asyncio.ensure_future(self._over.wait())
        self._next: asyncio.Future[Message] | None = None
        self._closed = False

    async def run(self, app: Application, scope: Scope) -> None:
        """Run the site and end the connection in time; raises what the site raises before."""
        site = asyncio.ensure_future(app(scope, self._from_visitor, self._to_visitor))
        end = asyncio.ensure_future(self._wait(self._until))
        try:
            first: set[asyncio.Future[Any]] = {site, end, self._ended}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if site.done() and not self._over.is_set():
                site.result()
                return
            await self._close()
            end = asyncio.ensure_future(self._wait(self._until + GRACE))
            await asyncio.wait({site, end}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _stop(site, end, self._ended, *([self._next] if self._next else []))
        if not site.cancelled() and (error := site.exception()):
            logger.info("site raised %s after the session of the visitor", type(error).__name__)

    async def _from_visitor(self) -> Message:
        while not self._is_over():
            message = self._next = self._next or asyncio.ensure_future(self._receive())
            first: set[asyncio.Future[Any]] = {message, self._ended}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if self._next is message and message.done() and not self._is_over():
                self._next = None
                return message.result()
        return {"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": REASON}

    async def _to_visitor(self, message: Message) -> None:
        if self._is_over():
            raise SessionOver(REASON)
        if message["type"] in ("websocket.close", "websocket.http.response.start"):
            self._closed = True
        await self._send(message)

    def _is_over(self) -> bool:
        if self._now() >= self._until:
            self._over.set()
        return self._over.is_set()

    async def _close(self) -> None:
        self._over.set()
        if not self._closed:
            # The visitor, or the server, may have closed the line already.
            with contextlib.suppress(OSError, RuntimeError):
                await self._send(
                    {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": REASON}
                )


async def run_http(
    app: Application, scope: Scope, receive: Receive, send: Send, until: float, now: Clock
) -> None:
    """Run the site for one HTTP request; an event stream sends nothing after ``until``."""
    endless = over = False

    async def sending(message: Message) -> None:
        nonlocal endless, over
        if message["type"] == "http.response.start":
            endless = is_endless(message.get("headers", ()))
        elif endless and now() >= until:
            if not over:
                over = True
                await send({"type": "http.response.body", "body": b""})
            raise SessionOver(REASON)
        await send(message)

    try:
        await app(scope, receive, sending)
    except Exception as error:
        if not over:
            raise
        logger.info("site raised %s after the session of the visitor", type(error).__name__)


async def _stop(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what still runs and wait for it; a task's own error stays in the task."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
