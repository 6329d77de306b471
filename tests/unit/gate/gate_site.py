# SPDX-License-Identifier: Apache-2.0
"""A gate with the room's keys, for the tests of its decisions."""

from __future__ import annotations

import http.cookies
from typing import Any
from urllib.parse import urlencode

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock
from tests.support.tokens import FakeEnded, FakeKeys, token
from waiting_room.authorizer.verifier import Verifier
from waiting_room.gate import Gate, GateSettings
from waiting_room.gate.decision import FORM, Allow, Request
from waiting_room.gate.responses import Response

SECRET, OLD_SECRET = "s" * 32, "o" * 32
WAITING = "https://room.example/"
COOKIE, RETURN = f"__Host-waiting-room-{EVENT}", f"__Host-waiting-room_return-{EVENT}"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
FROM_PAGE = {"content-type": FORM, "origin": "https://room.example", "host": "shop.example"}


def settings(**changes: Any) -> GateSettings:
    made: dict[str, Any] = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": WAITING, "secret": SECRET, **changes,
    }  # fmt: skip
    return GateSettings(**made)


class Site:
    """A gate with the room's keys, and a clock that tests turn."""

    def __init__(self, ended: FakeEnded | None = None, **changes: Any) -> None:
        self.clock, self.keys = Clock(START + 5), FakeKeys()
        verifier = Verifier(tokens.EXPECTED, self.keys, self.clock, ended)
        self.gate = Gate(settings(**changes), verifier, self.clock)

    def get(self, path: str = "/", method: str = "GET", query: str = "", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gate.check(Request(method, path, query, sent))

    def post_token(self, value: str, **headers: str) -> Response:
        visit = Request("POST", "/waiting-room/enter", "", {**FROM_PAGE, **headers})
        return self.gate.enter(visit, urlencode({"token": value}).encode())

    def come_back(self, cookie: str) -> Response:
        """What the gate answers when the browser follows the entrance's redirect."""
        entered = self.post_token(token())
        path, _, query = header(entered, "Location").partition("?")
        session = cookies(entered)[COOKIE].value
        visit = Request("GET", path, query, {"cookie": f"{COOKIE}={session}; {cookie}"})
        assert self.gate.is_entrance(visit)
        return self.gate.enter(visit, b"")


def cookies(answer: Response) -> dict[str, http.cookies.Morsel[str]]:
    jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for name, value in answer.headers:
        if name == "Set-Cookie":
            jar.load(value)
    return dict(jar)


def header(answer: Response, name: str) -> str:
    return dict(answer.headers)[name]


def cookie_pair(passed: Allow) -> str:
    assert passed.set_cookie is not None
    return passed.set_cookie.partition(";")[0]


SHOP = ("https://app.example",)
