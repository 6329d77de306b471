# SPDX-License-Identifier: Apache-2.0
"""A site behind the gate on real servers of the loopback address, and raw requests to it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import uvicorn
import werkzeug.serving
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START
from tests.support.tokens import FakeKeys
from waiting_room.authorizer.verifier import Verifier
from waiting_room.gate import AsgiGate, Gate, GateSettings, WsgiGate

SECONDS = 10.0  # to wait for a server of this machine at most
PAGE = "https://room.example"
KINDS = ("wsgiref", "werkzeug", "uvicorn")


def django_site(urlpatterns: Sequence[Any]) -> Any:
    """The WSGI application of a site with these paths. It replaces the process's earlier site.

    Django keeps one configuration per process, so tests share it.
    """
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="x" * 50)
    # Django keeps what it resolved with the object, so each site has an object of its own.
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": list(urlpatterns)})
    return get_wsgi_application()


class TurnedClock:
    """A clock that a test turns; who waits for a moment of it goes on then. Safe for threads."""

    def __init__(self, now: float = START + 5) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def wait(self, moment: float) -> None:
        """Wait until the clock is turned to this moment."""
        event = asyncio.Event()
        with self._lock:
            if self.now >= moment:
                return
            self._waiting.append((moment, asyncio.get_running_loop(), event))
        await event.wait()

    def turn(self, now: float) -> None:
        """Set the time."""
        with self._lock:
            self.now = now
            due = [one for one in self._waiting if one[0] <= now]
            self._waiting = [one for one in self._waiting if one[0] > now]
        for _, loop, event in due:
            loop.call_soon_threadsafe(event.set)


class Site:
    """A site that notes what reaches it: everything but /static needs a session."""

    def __init__(self, clock: TurnedClock | None = None, **changes: Any) -> None:
        self.clock = clock or TurnedClock()
        self.reached: list[tuple[str, str]] = []
        self.left = threading.Event()  # a WebSocket received the disconnect
        settings = GateSettings(**{
            "event_id": EVENT, "issuer": ISSUER, "public_api": PAGE + "/api", "secret": "s" * 32,
            "waiting_room_url": PAGE + "/", "exclude": ("/static",), **changes,
        })  # fmt: skip
        self.keys = FakeKeys()
        verifier = Verifier(tokens.EXPECTED, self.keys, self.clock)
        self.gate = Gate(settings, verifier, self.clock)

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.reached.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        start_response("200 OK", [("Content-Length", "4")])
        return [b"site"]

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append((scope.get("method", scope["type"]), scope["path"]))
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": f"site: {message['text']}"})
            self.left.set()
            return
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"site"})

    @contextmanager
    def on(self, kind: str) -> Iterator[int]:
        """The site behind its gate on one of KINDS; gives the port."""
        if kind == "uvicorn":
            with asgi_server(AsgiGate(self.asgi, self.gate, self.clock.wait)) as port:
                yield port
        else:
            with wsgi_server(kind, WsgiGate(self.wsgi, self.gate)) as port:
                yield port


@contextmanager
def wsgi_server(kind: str, app: Any) -> Iterator[int]:
    """``wsgiref``, which reads no chunks, or ``werkzeug``, which does."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_args: Any) -> None:
            pass

    class Silent(werkzeug.serving.WSGIRequestHandler):
        def log(self, *_args: Any) -> None:
            pass

    server: Any = (
        make_server("127.0.0.1", 0, app, handler_class=Quiet)
        if kind == "wsgiref"
        else werkzeug.serving.make_server(
            "127.0.0.1", 0, app, threaded=True, request_handler=Silent
        )
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(SECONDS)
        server.server_close()


@contextmanager
def asgi_server(app: Any, root_path: str = "") -> Iterator[int]:
    """Uvicorn in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)  # so that nobody is refused before the server runs
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", http="h11", ws="wsproto", lifespan="off",
            root_path=root_path,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(SECONDS)


def ask(port: int, verb: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return the raw response to a request that is sent as given; target and names in Latin-1."""
    sent = {"Host": "shop.example", "Connection": "close", **headers}
    lines = [f"{verb} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = b""
        try:
            while chunk := connection.recv(65_536):
                answer += chunk
        except OSError:  # the server has said all it wants to
            pass
        return answer


def status(answer: bytes) -> int:
    """Return the status of a response; 0 if the server closes the connection without one."""
    first = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(first[1]) if len(first) > 1 and first[1].isdigit() else 0


def said(answer: bytes) -> Any:
    """Return the JSON of a response."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])
