# SPDX-License-Identifier: Apache-2.0
"""The local edge in front of a room that fails, the watchdog beside it, and visitors; one clock.

The published functions run in Node. The room is a server on a loopback port: the real entrance and
the real status, or a fault. The watchdog probes it by its own connections.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest

from apps.entrance import app as entrance_app
from deployment.local.edge_store import DELAY, LocalEdgeStore
from deployment.local.site_edge import distribution
from deployment.local.site_edge.function_events import Reply
from deployment.local.site_edge.shop_edge import ShopEdge
from tests.apps.gate_room import ME, SALE, GateRoom
from tests.local.shop_room import HTML, Recorder, ask, functions
from tests.support.fakes.entrance import entrance_of
from tests.support.lambda_proxy_events import proxy_event
from waiting_room.adapters.http import room_probes
from waiting_room.adapters.http.room_probes import HttpRoomProbes
from waiting_room.domain.gate.credentials import GateSession, encode_session
from waiting_room.domain.gate.decision import cookie_name
from waiting_room.runtime import session_views
from waiting_room.runtime.settings.entrance import EntranceSettings
from waiting_room.use_cases.gate.room_watch import RoomWatch, WatchedEvents
from waiting_room.use_cases.gate.store_writer import GateStoreWriter

BROKEN = {  # what a room that fails sends
    "error": b"HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\n{}",
    "page": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<title>Sorry</title>",
    "truncated": b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"event_id": "sale", "servi',
    "store": b'HTTP/1.1 429 x\r\n\r\n{"error": "busy", "reason": "unavailable"}',
    "foreign": b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"message": "OK"}',
}
FAULTS = ("killed", "slow", *BROKEN)
BUSY = {"busy": b"HTTP/1.1 429 x\r\ncontent-length: 2\r\n\r\n{}"}
SOON = 0.1  # s after which a response of a slow room is late in these tests
TICK = 10.0  # s of the clock
KEY = "secret"


class FailingRoom:
    """Use it as a context manager inside one event loop. ``tick`` is called every TICK seconds."""

    def __init__(self, patch: pytest.MonkeyPatch, when_unreachable: str) -> None:
        session = {"when_unreachable": when_unreachable}
        self.room = GateRoom(members={"protect": [{"path": "/"}], "session": session})
        self.clock, self._patch, self._fault = self.room.clock, patch, ""
        entrance = entrance_of(self.room.stores, self.clock)
        patch.setattr(entrance_app, "entrance", lambda: entrance)
        patch.setattr(session_views, "gate_sessions", lambda: self.room.sessions)
        for views in (entrance_app, session_views):
            patch.setattr(views, "entrance_settings", EntranceSettings)
        self._deadline, self._timeout = room_probes.DEADLINE, distribution.READ_TIMEOUT
        created = False
        self.store = LocalEdgeStore(lambda: self.clock.now if created else 0.0, DELAY)
        self.writer = GateStoreWriter(self.room.gate_sources, self.store, self.clock)
        self.writer.run()
        created = True
        self.store.calls.clear()
        self.shop = Recorder("shop")
        self.edge = ShopEdge(
            functions(), self.store.seen, page=Recorder("page"), entrance=self._forward,
            public_api=self._forward, api_key=KEY, shop=self.shop, monotonic=self.clock,
            clock=self.clock,
        )  # fmt: skip
        self.tick: Callable[[], Awaitable[Any]] | None = None
        self.watches = True
        self.reports: list[int] = []
        self._minute = self.clock.now + 60

    async def __aenter__(self) -> FailingRoom:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{self._port}/api"
        self.watch = RoomWatch(
            WatchedEvents(self.room.documents, self.clock),
            HttpRoomProbes(address, address, lambda: KEY),
            self.store, self.clock, self._pause, self.reports.append,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        self._server.close()
        await self.edge.stop()

    # --- the room ------------------------------------------------------------------------------

    async def fail(self, fault: str) -> None:
        """Begin a fault; an empty text ends it."""
        if fault == "killed":
            self._server.close()
        elif self._fault == "killed":
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._fault = fault
        slow = fault == "slow"
        self._patch.setattr(room_probes, "DEADLINE", SOON if slow else self._deadline)
        self._patch.setattr(distribution, "READ_TIMEOUT", SOON if slow else self._timeout)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self._fault == "slow":
                await self._ended.wait()
            else:
                broken = {**BROKEN, **BUSY}.get(self._fault)
                writer.write(broken or self._respond(head.decode("latin-1")))
                await writer.drain()
        finally:
            writer.close()

    def _respond(self, head: str) -> bytes:
        """The response of the entrance or of the status."""
        first, *lines = head.strip().split("\r\n")
        path, _, query = first.split(" ")[1].removeprefix("/api").partition("?")
        headers = dict(line.split(": ", 1) for line in lines)
        if path == "/status":
            content = self.room.room.metrics.status_page(SALE)
            return f"HTTP/1.1 200 OK\r\n\r\n{json.dumps(content)}".encode()
        event = proxy_event("GET", path, query=dict(parse_qsl(query)), headers=headers)
        answer = entrance_app.app(event, None)
        pairs = list(answer["headers"].items())
        pairs += [
            (name, value)
            for name, values in answer.get("multiValueHeaders", {}).items()
            for value in values
        ]
        told = "".join(f"{name}: {value}\r\n" for name, value in pairs)
        return f"HTTP/1.1 {answer['statusCode']} x\r\n{told}\r\n{answer['body']}".encode()

    async def _forward(self, scope: Mapping[str, Any], _receive: Any, send: Any) -> None:
        """The edge's connection to the room: an ASGI application."""
        target = scope["raw_path"] + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            lines = [b"GET %s HTTP/1.1" % target]
            lines += [b"%s: %s" % pair for pair in scope["headers"]]
            writer.write(b"\r\n".join([*lines, b"", b""]))
            received = await reader.read()
        finally:
            writer.close()
        file = io.BytesIO(received)
        file.makefile = lambda *_, **__: file  # type: ignore[attr-defined]
        response = http.client.HTTPResponse(file, method="GET")  # type: ignore[arg-type]
        response.begin()
        body = response.read()
        raw = [(name.encode(), value.encode("latin-1")) for name, value in response.getheaders()]
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    # --- time ----------------------------------------------------------------------------------

    async def live(self, seconds: float) -> None:
        """Let time pass; the watchdog runs at each minute, unless it ended (``watches``)."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            if self.clock.now >= self._minute:
                self._minute = (self.clock.now // 60 + 1) * 60
                if self.watches:
                    await asyncio.to_thread(self.watch.run)
            else:
                await self._pass(min(self._minute, end) - self.clock.now)

    async def _pass(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + TICK)
            if self.tick:
                await self.tick()

    def _pause(self, seconds: float) -> None:
        """Let time pass while a run of the watchdog waits; called in its thread."""
        asyncio.run_coroutine_threadsafe(self._pass(seconds), self._loop).result(60)

    # --- people --------------------------------------------------------------------------------

    async def act(self, action: str) -> None:
        """An action of the operator; the stream invokes the writer."""
        self.room.event_documents.act(SALE, action, actor=ME)
        await asyncio.to_thread(self.writer.run)

    async def reaches_shop(
        self, cookies: str = "", method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> bool:
        """Return whether one request to a protected path reaches the shop."""
        before = len(self.shop.requests)
        await ask(self.edge, "/tickets", method, HTML if headers is None else headers, cookies)
        return len(self.shop.requests) > before

    def visitor(self) -> Visitor:
        """A visitor with a new session."""
        (session,) = self.room.begin()
        self._minute = (self.clock.now // 60 + 1) * 60
        return Visitor(self, session)


class Visitor:
    """A browser with a session: keeps cookies, and follows redirects."""

    def __init__(self, place: FailingRoom, session: GateSession) -> None:
        self._place, self.session = place, session
        value = encode_session(session, place.room.gate_keys.keys(SALE))
        self.jar = {cookie_name("", SALE, secure=True): (value, session.expires + 86_400.0)}

    @property
    def cookies(self) -> str:
        """The header with the cookies that have not expired."""
        now = self._place.clock.now
        return "; ".join(f"{name}={value}" for name, (value, end) in self.jar.items() if end > now)

    async def opens(self) -> bool:
        """Open a page; return whether the shop responds, at most after some redirects."""
        target, before = "/tickets", len(self._place.shop.requests)
        for _ in range(6):
            reply = await ask(self._place.edge, target, cookies=self.cookies)
            self._keep(reply)
            if reply.status not in (302, 303):
                return len(self._place.shop.requests) > before
            target = reply.header("location")
        raise AssertionError("a loop")

    async def opens_again(self) -> bool:
        """Open a page; after an error of the waiting room, a second time."""
        return await self.opens() or await self.opens()

    def _keep(self, reply: Reply) -> None:
        for name, value in reply.headers:
            if name == "set-cookie":
                pair, _, attributes = value.partition(";")
                life = int(attributes.lower().split("max-age=")[1].split(";")[0])
                known, _, content = pair.partition("=")
                self.jar[known] = (content, self._place.clock.now + life)
