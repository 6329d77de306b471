# SPDX-License-Identifier: Apache-2.0
"""The waiting page in front of a room in memory whose every state can be forced.

The APIs are the project's own apps, each behind a port as a browser sees it; the page is served
from its source folder with the headers of the deployment.
"""

from __future__ import annotations

import json
import mimetypes
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import jwt
from playwright.sync_api import Page, expect

from apps.public_api import app as public_app
from apps.sample_store import app as store_app
from infrastructure.assets.page_languages import with_languages
from infrastructure.blueprint.site_config import (
    PREVIEW,
    headers_of,
    origin,
    waiting_room_config,
    with_preview,
)
from tests.support.in_memory_room import EVENT, Clock, InMemoryRoom
from tests.support.lambda_proxy_events import call
from tests.support.openid_room import Reply, invoke
from tests.support.servers import ROOT
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.records import Join
from waiting_room.runtime.http_api import CORS

FILES = ROOT / "source" / "sites" / "waiting_room"
OPERATOR = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
# What an event can add to its waiting page.
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PAGE = {
    "brand": {"name": "Nordlicht", "colors": {"accent": "#8a1c3b"}, "logo": PIXEL},
    "texts": {"*": {"enter_title": "Early birds, this way"}, "en": {"closed": ["Sold out", "Bye"]}},
    "html": f'<h2>Doors</h2><p>At <b>seven</b>. <a href="https://a.example/">Map</a></p>'
    f'<img src="{PIXEL}" alt="Map" width="2000">',
}  # fmt: skip
JSON = {"Content-Type": "application/json"}


@dataclass
class Moving(Clock):
    """The machine's time, moved by ``ahead`` seconds."""

    ahead: float = 0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Room:
    """A room in memory; what a test does to it holds for the next call."""

    options: dict[str, Any] = field(default_factory=dict)
    fault: str = ""  # down: no response; busy: 503; slow: joins get no number; legacy: no /status
    retry_after: int = 1  # seconds that a busy room asks for
    status: dict[str, Any] = field(default_factory=dict)  # replaces what /status says
    calls: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Moving()
        self.in_memory_room = InMemoryRoom(self.options, self.clock)
        self.waiting_to_join: list[Join] = []

    def fill(self, count: int) -> None:
        """Others join."""
        joins = [self.in_memory_room.join(self.clock()) for _ in range(count)]
        assert not self.in_memory_room.room.workers.assignment.assign(EVENT, joins).retry

    def change(self, **members: Any) -> None:
        """An operator changes the event; functions see it within two seconds."""
        self.in_memory_room.event_documents.patch(EVENT, members, None, actor=OPERATOR)
        self.clock.ahead += 3

    def act(self, action: str) -> None:
        """An operator carries out an action of the event."""
        self.in_memory_room.event_documents.act(EVENT, action, actor=OPERATOR)
        self.clock.ahead += 3

    def serve(self, count: int) -> None:
        """The operator raises the serving counter."""
        self.in_memory_room.serve(count)

    def answer(self, method: str, path: str, query: str, body: str) -> Reply | None:
        """Return the response of the public API; None closes the connection."""
        route = path.removeprefix("/api")
        self.calls[f"{method} {route}"] += 1
        if self.fault == "down":
            return None
        if self.fault == "busy" and method != "OPTIONS":
            headers = {**JSON, **CORS, "Retry-After": str(self.retry_after)}
            return Reply(503, headers, '{"error": "busy"}')
        if method == "OPTIONS":
            return Reply(200, CORS, "")
        if route == "/status" and self.fault == "legacy":
            return Reply(403, JSON, '{"message": "Missing Authentication Token"}')
        if route == "/assign_queue_num":
            return self._join(json.loads(body))
        if body:
            self.bodies.append(json.loads(body))
        pairs = [(name, value) for name, many in parse_qs(query).items() for value in many]
        headers = {"content-type": "application/json"}
        found = invoke(public_app.app, method, route, pairs, headers, body)
        fresh = {**found.headers, "Cache-Control": "no-store"}  # tests do not wait for a cache
        if route == "/status" and found.status == 200 and self.status:
            return Reply(200, fresh, json.dumps({**found.json, **self.status}))
        return Reply(found.status, fresh, found.body)

    def _join(self, body: dict[str, Any]) -> Reply:
        self.bodies.append(body)
        join = self.in_memory_room.join(self.clock(), body.get("client_secret_hash", ""))
        self.waiting_to_join.append(join)
        if self.fault != "slow":
            self.work()
        return Reply(200, {**JSON, **CORS}, json.dumps({"api_request_id": join.request_id}))

    def request_id(self) -> str:
        """The last visitor who asked for a token."""
        return next(str(one["request_id"]) for one in reversed(self.bodies) if "request_id" in one)

    def work(self) -> None:
        """Give the joins that wait their numbers."""
        self.in_memory_room.room.workers.assignment.assign(EVENT, self.waiting_to_join)
        self.waiting_to_join.clear()


def store(method: str, path: str, headers: Any) -> Reply:
    """The sample store behind an authorizer."""
    if method == "OPTIONS":
        return Reply(200, CORS, "")
    token = headers.get("authorization", "")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return Reply(401, {**JSON, **CORS}, '{"error": "Unauthorized"}')
    texts = {name: str(value) for name, value in claims.items()}
    found = call(store_app.app, "GET", path.removeprefix("/api"), query={}, authorizer=texts)
    return Reply(found.status, found.headers, json.dumps(found.json))


@dataclass
class Served:
    """A page and its room."""

    url: str
    room: Room
    config: dict[str, Any]


@contextmanager
def page(
    room: Room | None = None,
    openid: str = "",
    brand: dict[str, Any] | None = None,
    entrance: str = "",
) -> Iterator[Served]:
    """The waiting page on a port of its own."""
    chosen = room or Room()
    with ExitStack() as started:
        started.enter_context(
            mock.patch.object(public_app, "room", return_value=chosen.in_memory_room.room)
        )
        api = started.enter_context(
            listening(lambda one, path, query, _, body: chosen.answer(one, path, query, body))
        )
        shop = started.enter_context(
            listening(lambda one, path, query, headers, body: store(one, path, headers))
        )
        config = waiting_room_config(
            event_id=EVENT, public_api=f"{api}/api", store_api=f"{shop}/api",
            openid=openid, entrance=entrance, brand=brand or {"name": "Night of Lights"},
        )  # fmt: skip
        forms = ["http://127.0.0.1:*"] if openid else [origin(entrance)] if entrance else []
        headers = headers_of("waiting_room", [api, shop], forms)

        def file(_: str, path: str, *__: Any) -> Reply:
            if path == "/config.json":
                return Reply(200, {**headers, **JSON}, json.dumps(config))
            if path == f"/{PREVIEW}":
                text = with_languages(with_preview((FILES / "index.html").read_text()))
                return Reply(200, {**headers, "Content-Type": "text/html; charset=utf-8"}, text)
            found = FILES / (path.strip("/") or "index.html")
            if not found.is_file():
                html = {"Content-Type": "text/html; charset=utf-8"}
                return Reply(
                    404, {**headers, **html}, with_languages((FILES / "404.html").read_text())
                )
            kind = mimetypes.guess_type(found.name)[0] or "text/plain"
            more = {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache"}
            text = found.read_text()
            return Reply(200, {**headers, **more}, with_languages(text))

        site = started.enter_context(listening(file))
        assert origin(site) != origin(api)
        yield Served(f"{site}/", chosen, config)


@contextmanager
def listening(answer: Callable[..., Reply | None]) -> Iterator[str]:
    """A server on loopback; ``answer(method, path, query, headers, body)``, one at a time."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {name.lower(): text for name, text in self.headers.items()}
            with lock:
                reply = answer(self.command, parts.path, parts.query, headers, body)
            if reply is None:
                self.close_connection = True
                return
            content = reply.body.encode()
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_OPTIONS = _answer

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: Any) -> None:
            """Ignore a browser that closes the connection early."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def view(tab: Page, name: str) -> None:
    """Wait until the page shows a state."""
    expect(tab.locator(f'[data-view="{name}"]')).to_be_visible(timeout=15_000)


def enter(tab: Page) -> None:
    """Join, and wait for the number."""
    tab.get_by_role("button", name="Enter").click()
    view(tab, "waiting")
