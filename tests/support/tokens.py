# SPDX-License-Identifier: Apache-2.0
"""Keys, valid and invalid tokens, and a room over HTTP, for tests of authorizer and gate."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

from tests.support.in_memory_room import EVENT, ISSUER, START, Clock, one_jwk
from waiting_room.adapters.http.room_keys import read_keys
from waiting_room.authorizer.verifier import Expected, Verifier
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import Outcome, OutcomeKind
from waiting_room.domain.signing_keys import KeySet, Signer, SigningKey, new_jwk

VISITOR = "7f8f1d9e-1111-4222-8333-444455556666"
EXPECTED = Expected(EVENT, ISSUER)
SIGNER = Signer()


@cache
def jwks_of_the_run() -> tuple[dict[str, str], ...]:
    """Four keys, made once a run: making one takes long."""
    return (one_jwk(), new_jwk(), new_jwk(), new_jwk())


def keys(count: int = 1) -> KeySet:
    """A key set that signs with its last key."""
    return KeySet(tuple(SigningKey(jwk) for jwk in jwks_of_the_run()[:count]))


def token(
    key: SigningKey | None = None, *, use: str = "access", at: int = START, validity: int = 3600
) -> str:
    """A token as the room signs it."""
    row = Outcome(EVENT, 1, 7, VISITOR, OutcomeKind.TOKEN, at, at + validity, ISSUER)
    return SIGNER.sign(row, key or keys().keys[0])[f"{use}_token"]


def signed(changes: Mapping[str, object], *, without: str = "", headers: Any = None) -> str:
    """A token with a good signature by the room's key over claims that the room would not sign."""
    jwk = jwks_of_the_run()[0]
    claims = {
        "aud": EVENT, "sub": VISITOR, "queue_position": 7, "token_use": "access",
        "iat": START, "nbf": START, "exp": START + 3600, "iss": ISSUER, **changes,
    }  # fmt: skip
    claims.pop(without, None)
    key = jwt.PyJWK(jwk, algorithm="RS256").key
    return jwt.PyJWS().encode(
        json.dumps(claims).encode(),
        key,
        algorithm="RS256",
        headers={"kid": jwk["kid"], **(headers or {})},
    )


@dataclass
class FakeKeys:
    """The VerificationKeys port without a network."""

    known: KeySet = field(default_factory=keys)
    out_of_reach: bool = False
    empty: bool = False

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        if self.empty:
            raise Unavailable("the room's keys cannot be known")
        return read_keys(self.known.jwks()).get(key_id or "")

    def reachable(self) -> bool:
        return not self.out_of_reach


@dataclass
class FakeEnded:
    """The EndedSessions port."""

    ids: set[str] = field(default_factory=set)

    def has(self, request_id: str) -> bool:
        return request_id in self.ids


def verifier(ended: FakeEnded | None = None, clock: Clock | None = None) -> Verifier:
    """A verifier with the room's first key."""
    return Verifier(EXPECTED, FakeKeys(), clock or Clock(), ended)


Reply = tuple[int, bytes]


class RoomOverHttp:
    """The public API that an authorizer calls: responses by path, counted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: Counter[str] = Counter()
        self.replies: dict[str, Reply | Callable[[], Reply]] = {}

    def publish(self, known: KeySet) -> None:
        """Serve a key set."""
        self.replies["/.well-known/jwks.json"] = (200, json.dumps(known.jwks()).encode())

    def reply(self, path: str) -> Reply:
        """Return the response to a GET; 403 for an unknown path, as from API Gateway."""
        self.asked[path.partition("?")[0]] += 1
        found = self.replies.get(path, (403, b'{"message":"Missing Authentication Token"}'))
        return found() if callable(found) else found


@contextmanager
def room_over_http() -> Iterator[RoomOverHttp]:
    """A small HTTP server in this process."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = room.reply(self.path)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    room = RoomOverHttp(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield room
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
