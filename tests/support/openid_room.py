# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider in front of a room in memory: as a function, and behind a real port."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from apps.openid import app as openid_app
from tests.support.fakes.openid_codes import MemoryCodes
from tests.support.in_memory_room import EVENT, ISSUER, Clock, InMemoryRoom
from waiting_room.domain.errors import Unavailable
from waiting_room.openid.provider import Provider
from waiting_room.openid.settings import ClientSecrets
from waiting_room.runtime.settings.openid import read_openid_settings

CALLBACK = "https://shop.example/callback"
CLIENT_SECRET = "client-secret-0123456789"
WAITING_PAGE = "https://wait.example/"
PROVIDER = "https://openid.example/api"
ENV = {
    "EVENT_ID": EVENT,
    "PUBLIC_API_ENDPOINT": "https://room.example/api",
    "OPENID_ISSUER": PROVIDER,
    "WAITING_ROOM_URL": WAITING_PAGE,
    "OPENID_CLIENT_SECRET_ID": "client",
    "OPENID_REDIRECT_URIS": CALLBACK,
    "OPENID_CODES_TABLE": "codes",
    "SIGNING_KEYS_SECRET": "keys",
    "TOKEN_ISSUER": ISSUER,
}


@dataclass(frozen=True)
class Reply:
    """Response of an API."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def location(self) -> str:
        """Where the browser is sent."""
        return self.headers["Location"]

    @property
    def sent(self) -> dict[str, str]:
        """The query parameters that the browser is sent with."""
        return dict(parse_qsl(urlsplit(self.location).query, keep_blank_values=True))


def invoke(
    app: Any,
    method: str,
    path: str,
    query: list[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    body: str = "",
) -> Reply:
    """Call a Chalice app as API Gateway calls its function."""
    many: dict[str, list[str]] = {}
    for name, value in query or []:
        many.setdefault(name, []).append(value)
    event = {
        "requestContext": {"httpMethod": method, "resourcePath": path, "identity": {}},
        "headers": dict(headers or {}),
        "multiValueQueryStringParameters": many or None,
        "pathParameters": {},
        "stageVariables": {},
        "body": body,
        "isBase64Encoded": False,
    }
    answer = app(event, None)
    headers = {**answer.get("headers", {})}
    for name, values in answer.get("multiValueHeaders", {}).items():
        headers[name] = values[-1]
    return Reply(answer["statusCode"], headers, answer["body"])


class InProcessRoom:
    """The provider's way to the room, without a network."""

    def __init__(self, in_memory_room: InMemoryRoom) -> None:
        self._in_memory_room = in_memory_room
        self.down = False

    def access_token(self, request_id: str, client_secret: str | None) -> str:
        """As the public API does it."""
        if self.down:
            raise Unavailable("the room did not respond")
        token: str = self._in_memory_room.token(request_id, client_secret=client_secret)[
            "access_token"
        ]
        return token


@dataclass
class OpenId:
    """A provider, its room, and a browser's and a client's ways to call it."""

    env: Mapping[str, str] = field(default_factory=dict)
    in_memory_room: InMemoryRoom = field(default_factory=InMemoryRoom)
    codes: Any = field(default_factory=MemoryCodes)

    def __post_init__(self) -> None:
        self.room = InProcessRoom(self.in_memory_room)
        self.secrets = ClientSecrets(CLIENT_SECRET, "transaction-key-0123456789")
        self.settings = read_openid_settings({**ENV, **self.env})
        self.issued: list[str] = []
        self.provider = Provider(
            self.settings,
            secrets=lambda: self.secrets,
            keys=self.in_memory_room.keys,
            codes=self.codes,
            room=self.room,
            clock=self.in_memory_room.clock,
            new_code=self._new_code,
        )

    def _new_code(self) -> str:
        import secrets

        self.issued.append(secrets.token_urlsafe(32))
        return self.issued[-1]

    def get(self, path: str, query: Any = None, **headers: str) -> Reply:
        """A GET; ``query`` is a dict or pairs."""
        pairs = list(query.items()) if isinstance(query, dict) else list(query or [])
        return invoke(openid_app.app, "GET", path, pairs, headers)

    def post(self, path: str, form: Any = None, **headers: str) -> Reply:
        """A form by POST."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return invoke(
            openid_app.app, "POST", path, None, {**kind, **headers}, urlencode(form or {})
        )

    def authorize(self, **changes: str | None) -> Reply:
        """An authorization request; None leaves a parameter out."""
        asked: dict[str, str | None] = {
            "client_id": EVENT,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid",
            "state": "state-1",
            "nonce": "nonce-1",
        }
        asked.update(changes)
        return self.get("/authorize", {k: v for k, v in asked.items() if v is not None})

    def admitted(self) -> str:
        """The request id of a visitor whose turn it is."""
        request_id = self.in_memory_room.visitors(1)[0]
        self.in_memory_room.serve(1)
        return request_id

    def resume(self, transaction: str, request_id: str, **more: str) -> Reply:
        """Return the request of the waiting page for a served visitor."""
        form = {"transaction": transaction, "request_id": request_id, **more}
        return self.post("/authorize/continue", form)

    def code(self, **changes: str | None) -> str:
        """A code, fetched the whole way."""
        transaction = self.authorize(**changes).sent["transaction"]
        return self.resume(transaction, self.admitted()).sent["code"]

    def redeem(self, code: str, **changes: str | None) -> Reply:
        """A token request with client_secret_post."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": EVENT,
            "client_secret": CLIENT_SECRET,
        }
        form.update(changes)
        return self.post("/token", {k: v for k, v in form.items() if v is not None})


def install(monkeypatch: pytest.MonkeyPatch, openid: OpenId) -> OpenId:
    """Let the app use this provider."""
    monkeypatch.setattr(openid_app, "provider", lambda: openid.provider)
    return openid


@contextmanager
def serving(handle: Callable[..., Reply], port: int = 0) -> Iterator[str]:
    """A server on loopback that hands each request to ``handle(method, path, query, headers,
    body)``, one at a time as a Lambda function does; yields its address."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            pairs = parse_qsl(parts.query, keep_blank_values=True)
            headers = {name.lower(): text for name, text in self.headers.items()}
            with lock:
                reply = handle(self.command, parts.path, pairs, headers, body)
            content = reply.body.encode()
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def real_time() -> InMemoryRoom:
    """A room whose clock is the machine's: third-party clients use theirs."""

    @dataclass
    class RealClock(Clock):
        def __call__(self) -> float:
            return time.time()

    return InMemoryRoom(clock=RealClock())
