# SPDX-License-Identifier: Apache-2.0
"""The local edge in front of a stub of the shop, with stubs of the room, and a store by clock."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployment.local.edge_store import LocalEdgeStore
from deployment.local.site_edge.function_events import Reply
from deployment.local.site_edge.shop_edge import ShopEdge, write_functions
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.servers import ROOT
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.store import GatedEvent, store_items

KEYS = MemoryGateKeys()
SHOP_HOST = "127.0.0.1:8000"
RULES = {"protect": [{"path": "/"}], "bypass": [{"path": "/search"}, {"path": "/assets"}]}
HTML = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@functools.cache
def functions() -> Path:
    """The published functions, built once for each process of the tests."""
    folder = Path(tempfile.mkdtemp(prefix="edge-functions-"))
    write_functions(ROOT, folder)
    return folder


def event(event_id: str = "Sample", generation: int = 1, **members: Any) -> GatedEvent:
    """A gated event with the rules of the shop."""
    document = defaults() | RULES
    for name, value in members.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    return GatedEvent(event_id, document, generation, 0)


class Recorder:
    """An ASGI application that records its requests, and responds as told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[dict[str, Any]] = []
        self.status, self.headers = 200, {"cache-control": "no-store"}
        self.failures = 0  # requests that get no response first

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        body = (await receive())["body"]
        self.requests.append({**scope, "headers": headers, "body": body})
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        raw = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": self.name.encode()})


class ShopRoom:
    """The edge with recorders behind it; use it inside one event loop. ``at`` is its clock."""

    def __init__(self, *events: GatedEvent, delay: float = 31.0) -> None:
        self.at = 0.0
        self.created = False
        self.store = LocalEdgeStore(lambda: self.at if self.created else -delay, delay)
        self.write(*events or [event()])
        self.created = True
        self.shop, self.page = Recorder("shop"), Recorder("page")
        self.entrance, self.public = Recorder("entrance"), Recorder("public")
        self.edge = ShopEdge(
            functions(),
            self.store.seen,
            page=self.page,
            entrance=self.entrance,
            public_api=self.public,
            api_key="secret",
            shop=self.shop,
            monotonic=lambda: self.at,
        )

    def write(self, *events: GatedEvent) -> None:
        """Write the rules and states of these events to the store."""
        self.store.update(store_items(events, KEYS), (), self.store.version())

    async def __aenter__(self) -> ShopRoom:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.edge.stop()

    async def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        cookies: str = "",
        body: bytes = b"",
    ) -> Reply:
        """Send a request as a server hands it over, and return the response."""
        return await ask(self.edge, target, method, headers, cookies, body)


async def ask(
    edge: ShopEdge,
    target: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    cookies: str = "",
    body: bytes = b"",
) -> Reply:
    """Send a request to the edge as a server hands it over, and return the response."""
    raw, _, query = target.partition("?")
    sent = {"host": SHOP_HOST, **(HTML if headers is None else headers)}
    if cookies:
        sent["cookie"] = cookies
    scope = {
        "type": "http", "method": method, "path": raw, "raw_path": raw.encode("latin-1"),
        "query_string": query.encode("latin-1"), "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
    }  # fmt: skip
    found: dict[str, Any] = {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        found.update(message)

    await edge(scope, receive, send)
    pairs = tuple((name.decode(), value.decode("latin-1")) for name, value in found["headers"])
    return Reply(found["status"], pairs, found["body"])
