# SPDX-License-Identifier: Apache-2.0
"""Attacks on the gate: to reach a site without a session, or to plant a session in a browser.

A small site runs behind the gate on three servers of the loopback address. Time is a clock that
the attack turns; nothing sleeps.
"""

from __future__ import annotations

import logging
import posixpath
import random
import sys
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote, urlencode

import websocket

from tests.attack.report import Attempt
from tests.support.gate_sites import KINDS, PAGE, SECONDS, Site, ask, status
from tests.support.in_memory_room import START
from tests.support.tokens import token
from waiting_room.gate.decision import FORM

FAULT = "gate"
SPELLINGS = 150  # for each server and rule
VERBS = (
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
    "PRI", "BREW", "options", "Get", "get",
)  # fmt: skip
DISGUISES = {
    "alone": {},
    "as a preflight": {"Origin": PAGE, "Access-Control-Request-Method": "GET"},
    "as a preflight from elsewhere": {
        "Origin": "https://evil.example", "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    },
    "with an upgrade to h2c": {
        "Connection": "Upgrade, HTTP2-Settings, close", "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    },
    "with another method in a header": {"X-HTTP-Method-Override": "OPTIONS"},
}  # fmt: skip
HANDSHAKE = {
    "Connection": "Upgrade, close", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
SENDERS = {
    "another page": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "a sandboxed frame": {"Origin": "null"},
    "a subdomain": {"Origin": "https://evil.room.example"},
    "the page over plain http": {"Origin": "http://room.example"},
    "a lookalike": {"Origin": "https://room.example.evil.example"},
    "two origins": {"Origin": f"{PAGE},https://evil.example"},
    "no header": {},
    "a Referer with the page in its query": {"Referer": f"https://evil.example/?{PAGE}/"},
    "a Referer with the page as its user": {"Referer": "https://room.example@evil.example/"},
    "a null Origin and a good Referer": {"Origin": "null", "Referer": f"{PAGE}/"},
}
PIECES = (
    "static", "buy", "Buy", "%62uy", "%2562uy", "..", ".", "", "%2e%2e", "%252e%252e", "..;x", ";",
    "%2f", "%252f", "..%2f", "..%5c", "\\", "b;=uy", "buy;a=1", "%00", "%ff", "%c0%ae", "a%3fb",
    "x",
)  # fmt: skip


def run(seed: int) -> list[Attempt]:
    """Every attempt on every server; ``seed`` chooses the spellings of paths."""
    logging.getLogger("waiting_room.gate").addHandler(logging.NullHandler())
    source = random.Random(seed)
    attempts: list[Attempt] = []
    for kind in KINDS:
        attempts += _methods(kind)
        attempts += _foreign_forms(kind)
        attempts += _remembered(kind)
        attempts += _spellings(kind, source)
    return attempts + list(_websockets())


def _methods(kind: str) -> Iterator[Attempt]:
    for name, headers in {**DISGUISES, "with a WebSocket handshake": HANDSHAKE}.items():
        site, said = Site(), Counter[int]()
        with site.on(kind) as port:
            for verb in VERBS:
                said[status(ask(port, verb, "/buy", headers))] += 1
        yield Attempt(
            FAULT, f"{kind}: {len(VERBS)} methods {name}", f"{_shown(said)}, {_reached(site)}",
            bool(site.reached),
        )  # fmt: skip


def _foreign_forms(kind: str) -> Iterator[Attempt]:
    body = urlencode({"token": token()}).encode()
    with Site().on(kind) as port:
        for name, headers in SENDERS.items():
            sent = {"Content-Type": FORM, "Content-Length": str(len(body)), **headers}
            answer = ask(port, "POST", "/waiting-room/enter", sent, body)
            planted = b"set-cookie" in answer.lower()
            result = f"{status(answer)}, {'a' if planted else 'no'} session cookie"
            yield Attempt(FAULT, f"{kind}: a token posted by {name}", result, planted)


def _remembered(kind: str) -> Iterator[Attempt]:
    common = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
    with Site().on(kind) as port:
        for name, headers in {
            "an image": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
            "a frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            "a prefetch": {"Sec-Purpose": "prefetch"},
        }.items():
            asked = [
                ask(port, "GET", target, {**common, **headers})
                for target in ("/leave?everything", "/waiting-room/enter?back")
            ]
            changed = any(b"set-cookie" in answer.lower() for answer in asked)
            result = f"{status(asked[0])}, the address is {'replaced' if changed else 'kept'}"
            yield Attempt(
                FAULT, f"{kind}: the address to come back to replaced by {name}", result, changed
            )


def _spellings(kind: str, source: random.Random) -> Iterator[Attempt]:
    for rule, changes in {
        "all but /static": {},
        "/buy": {"include": ("/buy",), "exclude": ()},
    }.items():
        site = Site(**changes)
        tried = [
            "/" + "/".join(source.choices(PIECES, k=source.randrange(1, 6)))
            for _ in range(SPELLINGS)
        ]
        with site.on(kind) as port:
            for target in tried:
                ask(port, source.choice(("GET", "OPTIONS", "POST")), target, {})
        inside = [path for _, path in site.reached if _is_inside(path, rule)]
        first = f", first {inside[0]!r}" if inside else ""
        yield Attempt(
            FAULT, f"{kind}: {SPELLINGS} spellings of paths, protected {rule}",
            f"{len(inside)} reached what is protected{first}", bool(inside),
        )  # fmt: skip


def _is_inside(path: str, rule: str) -> bool:
    """Return whether a site that decodes, cuts and resolves the path shows a protected page."""
    for _ in range(4):
        path = unquote(path).partition("\0")[0].partition("?")[0].replace("\\", "/")
    path = "/".join(part.partition(";")[0] for part in path.split("/"))
    first = posixpath.normpath("/" + path.lstrip("/")).lower().split("/")[1]
    return first != "static" if rule == "all but /static" else first == "buy"


def _websockets() -> Iterator[Attempt]:
    site = Site()
    with site.on("uvicorn") as port:
        line = websocket.create_connection(
            f"ws://127.0.0.1:{port}/live",
            timeout=SECONDS,
            header=[f"Authorization: {token()}"],
        )
        line.send("in time")
        answered = line.recv() == "site: in time"
        site.clock.turn(START + 3600)
        got = b""
        try:
            for number in range(5):
                line.send(f"late {number}")
                code, payload = line.recv_data()
                if code == websocket.ABNF.OPCODE_CLOSE:
                    got = payload
                    break
            late = not got
        except (OSError, websocket.WebSocketException):
            late = False
        line.close()
    ended = f"closed with {int.from_bytes(got[:2], 'big')}" if got else "closed"
    yield Attempt(
        FAULT, "uvicorn: a WebSocket goes on after exp",
        "still open" if late else f"{ended} at exp" if answered else "never open",
        late or not answered,
    )  # fmt: skip


def _shown(said: Counter[int]) -> str:
    return ", ".join(f"{count} × {code or 'closed'}" for code, count in sorted(said.items()))


def _reached(site: Site) -> str:
    return f"{len(site.reached)} reached the site"


if __name__ == "__main__":
    for one in run(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        print("SUCCEEDED" if one.succeeded else "failed   ", one.attempt, "→", one.result)
