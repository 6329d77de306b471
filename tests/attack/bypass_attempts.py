# SPDX-License-Identifier: Apache-2.0
"""Generated attempts to reach a protected site without a session of its event.

An attempt counts if a server could take its path for a protected one: SERVERS are models of what
servers do to a path, written without the code of the gate.
"""

from __future__ import annotations

import posixpath
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys, GateSession
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.root_keys import derive
from waiting_room.domain.gate.store import GatedEvent

NOW = 1_800_000_000
HOST, OTHER_HOST = "shop.example", "www.other.example"
KEYS = MemoryGateKeys()
GENERATION = 3
PROTECTED = ("/checkout", "/cart", "/shows/12/seats")
BYPASSES = ("/checkout/static", "/search")
NAME = "__Host-waiting-room-sale"
PAGE = {"sec-fetch-mode": ["navigate"], "sec-fetch-dest": ["document"], "accept": ["text/html"]}
SCRIPT = {"sec-fetch-mode": ["cors"], "sec-fetch-dest": ["empty"], "accept": ["*/*"]}
VERBS = (
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
    "BREW", "options", "Get", "get", "post",
)  # fmt: skip
PIECES = (
    "checkout", "cart", "shows", "12", "seats", "search", "static", "pay", "Checkout", "CART", "..",
    ".", "", "%2e%2e", "%252e%252e", "..;x", ";", "..%2f", "..%5c", "\\", "..\\", "a", "b;c=1",
    "%2f", "%5c", "checkout;a=1", "cart%3fx", "checkout%23", "%63heckout", "%2563art", "ca%72t",
)  # fmt: skip
HEADERS: tuple[dict[str, list[str]], ...] = (
    {}, {"x-waiting-room-session": ["sale:3:1"]}, {"x-original-url": ["/search"]},
    {"x-rewrite-url": ["/search"]}, {"x-forwarded-host": [OTHER_HOST]},
    {"x-forwarded-proto": ["http"]}, {"x-http-method-override": ["OPTIONS"]},
    {"x-method-override": ["GET"]}, {"x-staff": ["let me"]}, {"x-staff": ["LET ME IN"]},
    {"x-staff": ["let me in "]}, {"x-staff": [""]}, {"x-staff-": ["let me in"]},
    {"user-agent": ["Googlebot/2.1"]}, {"user-agent": ["HealthCheck"]},
    {"origin": ["https://app.example"], "access-control-request-method": ["GET"]},
    {"sec-purpose": ["prefetch"]}, {"sec-websocket-key": ["x"], "upgrade": ["websocket"]},
    {"authorization": ["Bearer x"]}, {"cookie2": ["$Version=1"]}, {"range": ["bytes=0-"]},
    {"x-forwarded-for": ["127.0.0.1"]}, {"true-client-ip": ["127.0.0.1"]}, {"via": ["1.1 gate"]},
    {"x-amz-cf-id": ["x"]}, {"x-waiting-room-host": [HOST]}, {"x-requested-with": ["x"]},
)  # fmt: skip


@dataclass(frozen=True)
class BypassAttempt:
    """A request at a time (epoch s) that has no right to reach the site."""

    kind: str
    request: GateRequest
    now: int = NOW


def document() -> dict[str, Any]:
    """The document of the attacked event."""
    found = defaults()
    protect = [{"path": path} for path in ("/checkout", "/**/cart", "/shows/*/seats")]
    bypass = [{"path": path} for path in BYPASSES] + [{"header": "X-Staff: let me in"}]
    found |= {"protect": protect, "bypass": bypass}
    found["session"] = {**found["session"], "valid_for": 600, "renew_every": 300}
    found["site"] = {**found["site"], "origins": ["https://app.example"]}
    return found


def events() -> list[GatedEvent]:
    """The attacked event, and one that an attacker may enter."""
    other = defaults() | {"protect": [{"path": "/vip"}]}
    return [GatedEvent("sale", document(), GENERATION, 0), GatedEvent("vip", other, GENERATION, 0)]


def attempts(seed: int, count: int) -> Iterator[BypassAttempt]:
    """``count`` attempts of all kinds, chosen by ``seed``."""
    source = random.Random(seed)
    kinds: tuple[Callable[[random.Random], BypassAttempt], ...] = (
        spelling, spelling, spelling, below_a_bypass, header, verb, forged, forged, foreign, clock,
    )  # fmt: skip
    for at in range(count):
        yield kinds[at % len(kinds)](source)


# --- paths -----------------------------------------------------------------------------------


def spelling(source: random.Random) -> BypassAttempt:
    """A path that some server takes for a protected one."""
    while True:
        made = source.choice((_mutated, _joined))(source)
        if reaches_protected(made) and made not in BYPASSES:
            headers = source.choice((PAGE, SCRIPT, {}))
            request = GateRequest(source.choice(VERBS), HOST, made, _query(source), headers)
            return BypassAttempt("spelling", request)


def below_a_bypass(source: random.Random) -> BypassAttempt:
    """A path that begins with a bypass, and leaves it for some server."""
    while True:
        up = source.choice(("..", "%2e%2e", ".%2e", "%252e%252e", "..;x", "..%2f", "..\\", "..%5c"))
        pieces = [up] * source.randint(1, 4) + [source.choice(PIECES) for _ in range(2)]
        made = source.choice(BYPASSES) + source.choice(("/", "//", "/./", ";/", "%2f", "\\"))
        made += "/".join(pieces)
        if reaches_protected(made):
            return BypassAttempt("below a bypass", GateRequest("GET", HOST, made, None, PAGE))


def _joined(source: random.Random) -> str:
    return "/" + "/".join(source.choice(PIECES) for _ in range(source.randint(1, 6)))


def _mutated(source: random.Random) -> str:
    made = source.choice(PROTECTED)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(1, len(made))
        made = source.choice(MUTATIONS)(made, at)
    return made


MUTATIONS: tuple[Callable[[str, int], str], ...] = (
    lambda path, at: f"{path[:at]}%{ord(path[at]):02x}{path[at + 1 :]}",
    lambda path, at: f"{path[:at]}%25{ord(path[at]):02X}{path[at + 1 :]}",
    lambda path, at: path[:at] + path[at:].swapcase(),
    lambda path, _: path.replace("/", "//", 1),
    lambda path, _: path.replace("/", "/./", 1),
    lambda path, _: path.replace("/", "\\"),
    lambda path, _: path.replace("/", "%2f", 1) if path.count("/") > 1 else f"/x/..{path}",
    lambda path, _: f"/a/..{path}",
    lambda path, _: f"/a/%2e%2e{path}",
    lambda path, _: f"/a;b/..;c{path}",
    lambda path, _: f"//{OTHER_HOST}{path}",
    lambda path, _: f"{path};jsessionid=1",
    lambda path, _: f"{path}/",
    lambda path, _: f"{path}/x/..",
    lambda path, _: f"{path}%3fa",
    lambda path, _: f"{path}#a",
    lambda path, _: f"{path}%00",
    lambda path, _: f"/search/..{path}",
)


def _query(source: random.Random) -> str | None:
    return source.choice((None, "", "a=1", "path=/search", "_method=OPTIONS", "x-staff=let me in"))


# Models of servers, from the path as it was sent to the one that they serve.
def _nginx(path: str) -> str:
    return posixpath.normpath(re.sub("/+", "/", unquote(path.partition("#")[0])))


def _tomcat(path: str) -> str:
    return posixpath.normpath(unquote(re.sub(";[^/]*", "", path)))


def _iis(path: str) -> str:
    return posixpath.normpath(re.sub("/+", "/", unquote(path).replace("\\", "/"))).lower()


def _twice(path: str) -> str:
    return posixpath.normpath(re.sub("/+", "/", unquote(unquote(path))))


def _proxied(path: str) -> str:
    return unquote(re.sub("^//[^/]*", "", path)).partition("?")[0]


SERVERS = (_nginx, _tomcat, _iis, _twice, _proxied)
SERVED = re.compile(
    r"(?!/(search|checkout/static)(/|$))"
    r"(/checkout(/.*)?|(/.*)?/cart(/.*)?|/shows/[^/]+/seats(/.*)?)"
)


def reaches_protected(path: str) -> bool:
    """Return whether some server serves a protected path for this one."""
    found = (server(path) for server in SERVERS)
    return any(SERVED.fullmatch(re.sub("^//+", "/", one)) for one in found)


# --- headers and verbs -----------------------------------------------------------------------


def header(source: random.Random) -> BypassAttempt:
    """Headers that some server, or some gate, obeys."""
    headers: dict[str, list[str]] = {}
    for one in source.sample(HEADERS, source.randint(1, 3)):
        headers |= one
    headers |= source.choice((PAGE, SCRIPT, {}))
    path = source.choice(PROTECTED)
    host = source.choice((HOST, OTHER_HOST, "", "127.0.0.1", f"{HOST}:443", HOST.upper()))
    cookies = source.choice(({}, {"staff": ["yes"]}, {"x-staff": ["let me in"]}))
    return BypassAttempt("headers", GateRequest("GET", host, path, None, headers, cookies))


def verb(source: random.Random) -> BypassAttempt:
    """A method, also one that does not exist."""
    letters = "".join(source.choice("GETPOSDLACH") for _ in range(source.randint(1, 8)))
    method = source.choice((*VERBS, letters))
    headers = dict(source.choice((PAGE, SCRIPT, *HEADERS[1:8])))
    request = GateRequest(method, HOST, source.choice(PROTECTED), _query(source), headers)
    return BypassAttempt("verbs", request)


# --- credentials -----------------------------------------------------------------------------


def session(source: random.Random, **changes: Any) -> GateSession:
    """A session that is valid at NOW."""
    issued = NOW - source.randint(0, 299)
    found = GateSession("sale", GENERATION, source.randint(1, 10**6), issued, issued + 900)
    return replace(found, **changes)


def _with(source: random.Random, kind: str, values: list[str], now: int = NOW) -> BypassAttempt:
    headers = source.choice((PAGE, SCRIPT))
    method = "GET" if headers is PAGE else source.choice(("GET", "HEAD", "OPTIONS"))
    request = GateRequest(method, HOST, source.choice(PROTECTED), None, headers, {NAME: values})
    return BypassAttempt(kind, request, now)


def forged(source: random.Random) -> BypassAttempt:
    """A session cookie with a change that its MAC does not cover, or in a wrong place."""
    keys = KEYS.keys("sale")
    value = credentials.encode_session(session(source), keys)
    parts = value.split(":")
    at, field = source.randrange(len(value)), source.randrange(len(parts))
    flipped = value[:at] + chr(ord(value[at]) ^ (1 << source.randrange(7))) + value[at + 1 :]
    other = credentials.encode_session(session(source), keys).split(":")
    mixed = [*parts[:-1], other[-1]] if parts != other else [*parts, "x"]
    grown = [*parts[:field], parts[field] + source.choice("0z1:%"), *parts[field + 1 :]]
    made = source.choice((
        [flipped if flipped != value else "x"], [":".join(mixed)], [":".join(grown)],
        [":".join(parts[:field])], [value[:at]], ["x", "y", value], [value + "="], [f'"{value}"'],
        [value.upper()], [f"{value}:{parts[-1]}"],
    ))  # fmt: skip
    return _with(source, "forged", made)


def foreign(source: random.Random) -> BypassAttempt:
    """A credential that is valid elsewhere: for another event, host, kind, key or generation."""
    keys, vip = KEYS.keys("sale"), KEYS.keys("vip")
    whole = session(source)
    unknown_key = GateKeys("gone", {"gone": derive("7" * 64, "sale")})
    named = GateKeys(keys.signing, {keys.signing: derive("7" * 64, "sale")})
    as_sale = GateKeys(keys.signing, {keys.signing: vip.keys[vip.signing]})
    value = credentials.encode_session(whole, keys)
    made = source.choice((
        credentials.encode_session(replace(whole, event_id="vip"), vip),
        credentials.encode_session(replace(whole, event_id="vip"), keys),
        credentials.encode_session(whole, vip), credentials.encode_session(whole, unknown_key),
        credentials.encode_session(whole, named), credentials.encode_session(whole, as_sale),
        credentials.encode_session(replace(whole, generation=GENERATION - 1), keys),
        credentials.encode_session(replace(whole, generation=0), keys),
        credentials.encode_probe("sale", NOW, keys), credentials.renewal_marker(value, keys),
        credentials.encode_ticket(whole, HOST, NOW, keys),
        value.rpartition(":")[0] + ":" + credentials.renewal_marker(value, keys),
    ))  # fmt: skip
    if source.random() < 0.8:
        return _with(source, "foreign", [made])
    ticket = credentials.encode_ticket(whole, OTHER_HOST, NOW, keys)
    query = f"event=sale&to=%2Fcheckout&ticket={ticket.replace(':', '%3A')}"
    path = source.choice(("/checkout/handover", "/checkout"))
    return BypassAttempt("foreign", GateRequest("GET", HOST, path, query, PAGE))


def clock(source: random.Random) -> BypassAttempt:
    """A session at or after its end, or a replayed one that has to be renewed."""
    found = session(source)
    value = credentials.encode_session(found, KEYS.keys("sale"))
    late = source.choice((0, 1, 59, 60, 61, 10**6))
    if source.random() < 0.3:  # a form: a minute of grace, no more
        after = found.expires + source.choice((60, 61, 3_600, 10**6))
        request = GateRequest("POST", HOST, "/checkout", None, PAGE, {NAME: [value]})
        return BypassAttempt("clock", request, after)
    if source.random() < 0.5:  # a navigation that has to be renewed, with a marker of another one
        other = credentials.encode_session(
            replace(found, position=found.position + 1), KEYS.keys("sale")
        )
        marker = credentials.renewal_marker(other, KEYS.keys("sale"))
        cookies = {NAME: [value], "__Host-waiting-room_renewing-sale": [marker]}
        request = GateRequest("GET", HOST, "/checkout", None, PAGE, cookies)
        return BypassAttempt("clock", request, found.issued + 300 + source.choice((0, 1, 599)))
    return _with(source, "clock", [value], found.expires + late)
