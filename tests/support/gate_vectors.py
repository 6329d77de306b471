# SPDX-License-Identifier: Apache-2.0
"""Cases of the gate's decision, each with the reason that the contract demands.

``python -m tests.support.gate_vectors`` writes them with the whole response to
``source/edge/vectors.json``. The reasons are written by hand; a response whose reason differs is an
error. Python and JavaScript have to give the same responses. It is one table of cases, so it has
more than 300 lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.servers import ROOT
from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys, GateSession
from waiting_room.domain.gate.decision import GateEvent, Pass, decide
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.rules import RuleList, encode_rules, sort_rules

FILE = ROOT / "source" / "edge" / "vectors.json"
NOW = 1_800_000_000
HOST = "shop.example"
OLD, NEW = "5" * 64, "6" * 64
BOTH = GateKeys("new", {"old": OLD, "new": NEW})
BEFORE = GateKeys("old", {"old": OLD})
NAME = "__Host-waiting-room-sale"
RENEWING = "__Host-waiting-room_renewing-sale"
PAGE = {"sec-fetch-mode": ["navigate"], "sec-fetch-dest": ["document"], "accept": ["text/html"]}
SCRIPT = {"sec-fetch-mode": ["cors"], "sec-fetch-dest": ["empty"], "accept": ["*/*"]}
RULES: list[tuple[str, bool, Mapping[str, Any]]] = [
    ("sale", False, {"path": "/checkout"}),
    ("sale", True, {"path": "/checkout/static"}),
    ("sale", True, {"header": "X-Staff: let me in"}),
    ("sale", True, {"cookie": "staff=yes"}),
    ("sale", True, {"user_agent": "HealthCheck/1", "methods": ["GET"], "path": "/checkout/health"}),
    ("sale", False, {"path": "/**/cart"}),
    ("sale", False, {"path": "/shows/*/seats"}),
    ("sale", False, {"path": "/api/orders", "methods": ["POST", "PUT"]}),
    ("vip", False, {"path": "/checkout/vip"}),
    ("vip", False, {"host": "vip.example"}),
    ("mobile", False, {"path": "/app", "user_agent": "Mobile"}),
    ("beta", False, {"path": "/new", "header": "X-Beta"}),
    ("beta", False, {"path": "/old", "cookie": "beta"}),
    ("gone", False, {"path": "/gone"}),
]
SALE = GateEvent(generation=2, renew_every=300, origins=("https://app.example",))
SESSION = GateSession("sale", 2, 41, NOW - 100, NOW + 800)


@dataclass(frozen=True)
class Case:
    """One request, the state of its gate, and the reason of the response."""

    name: str
    reason: str
    request: GateRequest
    event: GateEvent | None = SALE
    keys: GateKeys = BOTH
    now: int = NOW
    secure: bool = True
    rules: RuleList = field(default_factory=lambda: sort_rules(RULES))

    def response(self) -> dict[str, Any]:
        """Return the decision in the form that both languages compare."""
        events = {} if self.event is None else dict.fromkeys(("sale", "vip", "mobile"), self.event)
        found = decide(self.request, self.rules, events, self.keys, self.now, secure=self.secure)
        if isinstance(found, Pass):
            return {"pass": True, "reason": found.reason, "session": found.session}
        return {
            "pass": False,
            "reason": found.reason,
            "status": found.status,
            "headers": dict(found.headers),
            "cookies": [list(one) for one in found.cookies],
            "body": found.body,
        }


def get(path: str = "/checkout", **members: Any) -> GateRequest:
    """A navigation of a browser."""
    return replace(GateRequest("GET", HOST, path, headers=PAGE), **members)


def session(value: str, path: str = "/checkout", **members: Any) -> GateRequest:
    """A navigation with a session cookie."""
    return get(path, cookies={NAME: [value]}, **members)


def encoded(keys: GateKeys = BOTH, **members: Any) -> str:
    """A session cookie's value."""
    return credentials.encode_session(replace(SESSION, **members), keys)


def cases() -> Iterator[Case]:
    """All cases."""
    for group in (
        paths, bypasses, conditions, forged_sessions, sessions, renewals, requests, events,
        own_paths, addresses,
    ):  # fmt: skip
        for case in group():
            yield replace(case, name=f"{group.__name__}: {case.name}")


PROTECTED = (
    "/checkout", "/checkout/", "/checkout/pay", "/checkout/pay/now", "/CHECKOUT", "/Checkout/Pay",
    "/%63heckout", "/%43HECKOUT", "/check%6Fut", "/%2563heckout", "/%252563heckout", "//checkout",
    "///checkout", "/./checkout", "/a/../checkout", "/a/b/../../checkout", "/a/%2e%2e/checkout",
    "/a/%2E%2E/checkout", "/a/.%2e/checkout", "/a%2f..%2fcheckout", "/a/..%2fcheckout",
    "/a/..%252fcheckout", "/a/..\\checkout", "/a\\..\\checkout", "/a/..%5ccheckout", "/\\checkout",
    "\\checkout", "/%5ccheckout", "/checkout;x=1", "/checkout;", "/;x/checkout", "/checkout;x/pay",
    "/checkout%3bx", "/checkout%3Fx", "/checkout%23x", "/checkout#x", "/checkout/..", "/checkout/.",
    "/checkout/%2e%2e", "/checkout/../checkout", "/checkout%2fpay", "/checkout%00", "/%00checkout",
    "/checkout%0a", "/checkout/%c0%af", "/%c0%afcheckout", "/x/%c1%9c", "*",
    "checkout", "http://shop.example/checkout", "//shop.example/checkout", "//x//checkout",
    "/%2f/checkout", "/%2fx/checkout", "/chec%E2%84%AAout", "/checkout/static", "/checkou%74",
    "/cart", "/a/cart", "/a/b/cart", "/a/cart/2", "/A/CART", "/a%2fcart", "/shows/12/seats",
    "/shows/a%20b/seats/3", "/SHOWS/x/SEATS", "/shows/x/../y/seats", "/" + "a" * 2_100,
    "/" + "a/../" * 100 + "checkout", "/a;b/../checkout", "/./a/.././checkout",
    "/a%23/cart%3fb", "/a%3f/cart%23b", "/a%2523/cart%253f",
)  # fmt: skip
OPEN = (
    "/", "/index.html", "/checkouts", "/check", "/checkout-info", "/a/checkout", "/checkout.html",
    "/cartoon", "/acart", "/shows/12", "/shows/seats", "/shows/1/2/seats", "/search", "/%20",
    "/a%2fb", "/%C3%A9t%C3%A9", "/a//b", "/a/./b", "/a;b", "/css/style.css", "/.well-known/x",
    "/_waiting-rooms/", "/app", "/new", "/old", "/api/orders", "/xcheckout", "/ checkout",
    "/%2f%2fx/checkout", "/" + "%25" * 400,
)  # fmt: skip


def paths() -> Iterator[Case]:
    for path in PROTECTED:
        reason = "bypass" if path == "/checkout/static" else "no_session"
        yield Case(path[:60], "no_rule" if reason == "bypass" else reason, get(path))
    for path in OPEN:
        yield Case(path[:60], "no_rule", get(path))


def bypasses() -> Iterator[Case]:
    for path in ("/checkout/static", "/checkout/static/", "/checkout/static/a.css"):
        yield Case(path, "no_rule", get(path))
    for path in (
        "/checkout/static/..", "/checkout/static/../pay", "/checkout/static/%2e%2e/pay",
        "/checkout/static/..%2fpay", "/checkout/static/..\\pay", "/checkout/static/..;/pay",
        "/checkout/Static", "/checkout/statics", "/Checkout/static",
        "/checkout/static/%252e%252e/pay",
        "/checkout/static;/../pay", "/checkout/pay/static", "/checkout//static/../pay",
    ):  # fmt: skip
        yield Case(path, "no_session", get(path))
    for value, reason in (("let me in", "no_rule"), ("let me", "no_session"), ("", "no_session")):
        yield Case(f"staff {value}", reason, get(headers={**PAGE, "x-staff": [value]}))
    yield Case("two staff headers", "no_rule", get(headers={**PAGE, "x-staff": ["", "let me in"]}))
    for value, reason in (("yes", "no_rule"), ("YES", "no_session"), ("", "no_session")):
        yield Case(f"staff cookie {value}", reason, get(cookies={"staff": [value]}))
    for method, agent, reason in (
        ("GET", "HealthCheck/1.0", "no_rule"), ("HEAD", "x healthcheck/1", "no_rule"),
        ("POST", "HealthCheck/1", "no_session"), ("get", "HealthCheck/1", "no_session"),
        ("GET", "Health", "no_session"), ("GET", "", "no_session"),
    ):  # fmt: skip
        asked = get("/checkout/health", method=method, headers={**PAGE, "user-agent": [agent]})
        yield Case(f"health {method} {agent}", reason, asked)
    override = {**PAGE, "user-agent": ["HealthCheck/1"], "x-http-method-override": ["DELETE"]}
    yield Case("health, overridden", "no_session", get("/checkout/health", headers=override))
    vip = get("/checkout/vip", headers={**PAGE, "x-staff": ["let me in"]})
    yield Case("the bypass of another event", "no_session", vip)


def conditions() -> Iterator[Case]:
    for method, reason in (
        ("POST", "no_session"), ("PUT", "no_session"), ("post", "no_session"), ("GET", "no_rule"),
        ("HEAD", "no_rule"), ("DELETE", "no_rule"), ("PATCH", "no_rule"),
    ):  # fmt: skip
        yield Case(f"orders {method}", reason, get("/api/orders/1", method=method, headers=SCRIPT))
    for name in ("x-http-method-override", "x-http-method", "x-method-override"):
        asked = get("/api/orders", headers={**SCRIPT, name: ["POST"]})
        yield Case(f"orders by {name}", "no_session", asked)
    for host, reason in (
        ("vip.example", "no_session"), ("VIP.example", "no_session"), ("vip.example:8443",
        "no_session"),
        ("vip.example.", "no_session"), ("vip.example.:443", "no_session"), ("a.vip.example",
        "no_rule"),
        ("vip.example.org", "no_rule"), ("", "no_rule"),
    ):  # fmt: skip
        yield Case(f"host {host}", reason, get("/x", host=host))
    for agent, reason in (
        ("a Mobile phone", "no_session"), ("MOBILE", "no_session"), ("mob", "no_rule"), ("",
        "no_rule"),
    ):  # fmt: skip
        yield Case(f"agent {agent}", reason, get("/app", headers={**PAGE, "user-agent": [agent]}))
    yield Case("with the header", "closed", get("/new", headers={**PAGE, "x-beta": [""]}))
    yield Case("with the cookie", "closed", get("/old", cookies={"beta": [""]}))
    yield Case("a rule whose event has no state", "closed", get("/gone"))
    for name in ("__proto__", "constructor", "toString", "hasOwnProperty"):
        found = [("sale", True, {"header": name}), ("sale", False, {"path": "/checkout"})]
        yield Case(f"bypass by {name}", "no_session", get(), rules=sort_rules(found))


def forged_sessions() -> Iterator[Case]:
    value = encoded()
    for at in range(0, len(value), 3):
        flipped = chr(ord(value[at]) ^ 1)
        yield Case(
            f"bit of character {at}", "no_session", session(value[:at] + flipped + value[at + 1 :])
        )
    parts = value.split(":")
    for count in range(len(parts)):
        yield Case(f"{count} parts", "no_session", session(":".join(parts[:count])))
    changes: Sequence[tuple[int, str]] = (
        (0, "2"), (0, ""), (1, "old"), (1, "none"), (1, "__proto__"), (1, "constructor"),
        (1, "toString"),
        (1, "hasOwnProperty"), (1, ""), (2, "vip"), (2, ""), (3, "3"), (3, "1"), (4, "1"),
        (4, "-1"),
        (5, "0"), (6, "zzzzzzzzzz"), (6, ""), (7, ""), (7, parts[7].upper()), (7, parts[7] + "="),
        (7, "A" * 43),
    )  # fmt: skip
    for index, text in changes:
        changed = ":".join([*parts[:index], text, *parts[index + 1 :]])
        yield Case(f"part {index} is {text[:12]}", "no_session", session(changed))
    for name, text in (
        ("one part more", value + ":1"), ("a space before", " " + value), ("a quote", f'"{value}"'),
        ("empty", ""), ("only colons", ":" * 7), ("long", value + "A" * 300), ("not ASCII",
        "é" + value),
        ("a probe", credentials.encode_probe("sale", NOW, BOTH)),
        ("a marker", credentials.renewal_marker(value, BOTH)),
        ("a ticket", credentials.encode_ticket(SESSION, HOST, NOW, BOTH)),
        ("session with the MAC of a ticket",
         value.rpartition(":")[0] + ":" + credentials.encode_ticket(SESSION, HOST, NOW,
         BOTH).rpartition(":")[2]),
        ("session with the MAC of its marker",
         value.rpartition(":")[0] + ":" + credentials.renewal_marker(value, BOTH)),
        ("of another event", encoded(event_id="vip")),
        ("of a key that was removed", encoded(GateKeys("gone", {"gone": "7" * 64}))),
    ):  # fmt: skip
        yield Case(name, "no_session", session(text))
    other = get(cookies={"__Host-waiting-room-vip": [value], "waiting-room-sale": [value]})
    yield Case("under other names", "no_session", other)
    yield Case("on plain HTTP under the secure name", "no_session", session(value), secure=False)


def sessions() -> Iterator[Case]:
    value = encoded()
    yield Case("valid", "session", session(value))
    yield Case("below the path", "session", session(value, "/checkout/pay", query="a=1&a=2"))
    yield Case("odd path", "session", session(value, "/%63heckout"))
    yield Case("of the older key", "session", session(encoded(BEFORE)))
    yield Case("before the rotation", "session", session(encoded(BEFORE)), keys=BEFORE)
    yield Case("new key, unknown to this edge", "no_session", session(value), keys=BEFORE)
    yield Case("older generation", "session_ended", session(encoded(generation=1)))
    yield Case("newer generation", "session", session(encoded(generation=3)))
    large = encoded(generation=10**6, position=10**9)
    yield Case("large numbers", "session", session(large))
    yield Case("after an invalid one", "session", get(cookies={NAME: ["x", value]}))
    yield Case("before an invalid one", "session", get(cookies={NAME: [value, "x"]}))
    yield Case("third of three", "no_session", get(cookies={NAME: ["x", "x", value]}))
    old_first = get(cookies={NAME: [encoded(generation=1), value]})
    yield Case("after one of an older generation", "session", old_first)
    plain = get(cookies={"waiting-room-sale": [value]})
    yield Case("on plain HTTP", "session", plain, secure=False)
    closed = replace(SALE, closed=True)
    yield Case("of a closed event", "session", session(value), event=closed)
    script: dict[str, Any] = {"headers": SCRIPT, "cookies": {NAME: [value]}}
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        for seconds, reason in ((799, "session"), (800, ""), (859, "grace"), (860, "session_over")):
            expected = reason or "grace"
            if method in ("GET", "HEAD", "OPTIONS") and seconds >= 800:
                expected = "session_over"
            asked = get(method=method, **script)
            yield Case(f"{method} {seconds} s later", expected, asked, now=NOW + seconds)
    form = get(method="POST", cookies={NAME: [value]})
    for seconds, reason in (
        (799, "session"),
        (800, "grace"),
        (859, "grace"),
        (860, "session_over"),
    ):
        yield Case(f"form {seconds} s later", reason, form, now=NOW + seconds)


def renewals() -> Iterator[Case]:
    value = encoded()
    marker = credentials.renewal_marker(value, BOTH)
    for seconds, reason in (
        (199, "session"),
        (200, "renew"),
        (799, "renew"),
        (800, "renew"),
        (10**6, "renew"),
    ):
        yield Case(f"navigation {seconds} s later", reason, session(value), now=NOW + seconds)
    for headers, name in (
        (SCRIPT, "script"), ({**PAGE, "sec-purpose": ["prefetch"]}, "prefetch"),
        ({**PAGE, "sec-fetch-dest": ["iframe"]}, "frame"),
    ):  # fmt: skip
        asked = session(value, headers=headers)
        yield Case(f"{name} does not renew", "session", asked, now=NOW + 300)
        yield Case(f"{name} after the end", "session_over", asked, now=NOW + 800)
    for name, markers, reason in (
        ("marked", [marker], "renewing"), ("second marker", ["x", marker], "renewing"),
        ("third marker", ["x", "x", marker], "renew"), ("forged", [marker[:-1] + "x"], "renew"),
        ("marker of another session",
         [credentials.renewal_marker(encoded(position=42), BOTH)], "renew"),
        ("the session's MAC", [value.rpartition(":")[2]], "renew"), ("empty", [""], "renew"),
    ):  # fmt: skip
        asked = get(cookies={NAME: [value], RENEWING: markers})
        yield Case(name, reason, asked, now=NOW + 300)
    marked = get(cookies={NAME: [value], RENEWING: [marker]})
    yield Case("marked, after the end", "renew", marked, now=NOW + 800)
    yield Case(
        "marked, of an older generation", "session_ended", marked, event=replace(SALE, generation=3)
    )
    yield Case("with a query", "renew", session(value, query="a=%2F&b"), now=NOW + 300)
    head = session(value, method="HEAD")
    yield Case("HEAD", "renew", head, now=NOW + 300)


def requests() -> Iterator[Case]:
    for name, headers in (
        ("browser", PAGE), ("script", SCRIPT), ("curl", {"accept": ["*/*"]}), ("nothing", {}),
        ("app", {"accept": ["application/json"]}), ("old browser",
        {"accept": ["text/html,*/*;q=0.8"]}),
        ("jQuery", {"accept": ["text/html"], "x-requested-with": ["XMLHttpRequest"]}),
        ("frame", {**PAGE, "sec-fetch-dest": ["iframe"]}),
        ("image",
        {"sec-fetch-mode": ["no-cors"], "sec-fetch-dest": ["image"], "accept": ["image/*"]}),
        ("prefetch", {**PAGE, "sec-purpose": ["prefetch;prerender"]}),
        ("old prefetch", {"accept": ["text/html"], "purpose": ["prefetch"]}),
        ("WebSocket", {"sec-websocket-key": ["x"], "accept": ["text/html"]}),
        ("script of an allowed origin", {**SCRIPT, "origin": ["https://app.example"]}),
        ("script of another origin", {**SCRIPT, "origin": ["https://evil.example"]}),
        ("allowed origin, longer", {**SCRIPT, "origin": ["https://app.example.evil"]}),
    ):  # fmt: skip
        for method in ("GET", "HEAD", "POST"):
            yield Case(f"{name} {method}", "no_session", get(method=method, headers=headers))
    for agent, reason in (
        ("Googlebot/2.1", "crawler"), ("Some Spider", "crawler"), ("Slurp", "crawler"),
        ("WebCrawler", "crawler"), ("Mozilla/5.0", "no_session"),
    ):  # fmt: skip
        asked = {**PAGE, "user-agent": [agent]}
        yield Case(f"agent {agent}", reason, get(headers=asked))
    bot = {**PAGE, "user-agent": ["Googlebot"]}
    yield Case("crawler's form", "no_session", get(method="POST", headers=bot))
    for origin in ("https://app.example", "https://evil.example", "null", ""):
        asked = {"origin": [origin], "access-control-request-method": ["PUT"],
                 "access-control-request-headers": ["x-a, x-b"]}  # fmt: skip
        yield Case(f"preflight {origin}", "preflight", get(method="OPTIONS", headers=asked))
        yield Case(f"GET like a preflight {origin}", "no_session", get(headers=asked))
    yield Case("OPTIONS alone", "no_session", get(method="OPTIONS", headers={}))


def events() -> Iterator[Case]:
    def at(name: str, reason: str, **members: Any) -> Case:
        return Case(name, reason, get(), event=replace(SALE, **members))

    yield at("closed", "closed", closed=True)
    for seconds, reason in ((1, "no_session"), (0, "closed"), (-1, "closed")):
        yield at(f"closes in {seconds} s", reason, closes_at=NOW + seconds)
    for seconds, reason in ((1, "not_open"), (0, "no_session"), (-1, "no_session")):
        yield at(f"opens in {seconds} s", reason, opens_at=NOW + seconds)
    yield at("closed before it opens", "closed", opens_at=NOW + 9, closed=True)
    for seconds, reason in ((1, "no_session"), (0, "open"), (-1, "open")):
        yield at(f"open to all in {seconds} s", reason, open_from=NOW + seconds)
    for seconds, reason in ((1, "open"), (0, "no_session"), (-1, "no_session")):
        yield at(f"open to all for {seconds} s", reason, open_from=1, open_until=NOW + seconds)
    for seconds, reason in ((1, "open"), (0, "no_session"), (-1, "no_session")):
        yield at(f"enforced in {seconds} s", reason, enforced_from=NOW + seconds)
    yield at("closed, but open to all", "open", closed=True, open_from=NOW)
    for seconds, reason in ((600, "open"), (1, "open"), (0, "no_session"), (-1, "no_session")):
        yield at(f"opened by a fault for {seconds} s", reason, fault_until=NOW + seconds)
    opened = replace(SALE, fault_until=NOW + 600)
    for members, reason in (
        ({"closed": True}, "closed"), ({"closes_at": NOW}, "closed"), ({"closes_at": NOW + 1},
        "open"),
        ({"opens_at": NOW + 1}, "not_open"), ({"opens_at": NOW}, "open"),
        ({"open_from": NOW + 1}, "open"),
    ):  # fmt: skip
        yield at(f"opened by a fault, {members}", reason, **{"fault_until": NOW + 600, **members})
    for name, asked, reason in (
        ("script", get(headers=SCRIPT), "open"), ("form", get(method="POST"), "open"),
        ("a session", session(encoded()), "open"),
        ("a session that is over", session(encoded(expires=NOW - 100)), "open"),
        ("a session of an older generation", session(encoded(generation=1)), "open"),
    ):  # fmt: skip
        yield Case(f"opened by a fault, {name}", reason, asked, event=opened)
    over = replace(SALE, fault_until=NOW)
    ended = session(encoded(generation=1))
    yield Case("after a fault, an older generation", "session_ended", ended, event=over)
    yield Case("no state", "closed", get(), event=None)
    yield Case("no state, with a session", "closed", session(encoded()), event=None)
    for seconds in (5, 10, 11, 599, 600, 601, 10**6):
        asked, event = get(headers=SCRIPT), replace(SALE, opens_at=NOW + seconds)
        yield Case(f"script, opens in {seconds} s", "not_open", asked, event=event)
    for members in ({"closed": True}, {"opens_at": NOW + 60}, {"closes_at": NOW}):
        asked, event = session(encoded()), replace(SALE, **members)
        yield Case(f"a session while {next(iter(members))}", "session", asked, event=event)


def own_paths() -> Iterator[Case]:
    rules = sort_rules([("sale", False, {"path": "/"})])
    for path, reason in (
        ("/_waiting-room/", "room"), ("/_waiting-room/enter", "room"), ("/_waiting-room/a/b.js",
        "room"),
        ("/_waiting-room", "no_session"), ("/_waiting-rooms/", "no_session"),
        ("/_WAITING-ROOM/", "no_session"), ("/_waiting-room/../x", "no_session"),
        ("/_waiting-room/%2e%2e/x", "no_session"), ("/_waiting-room/..;/x", "no_session"),
        ("/_waiting-room//x", "no_session"), ("/_waiting-room/%61", "no_session"),
        ("//_waiting-room/x", "no_session"), ("/a/../_waiting-room/x", "no_session"),
    ):  # fmt: skip
        yield Case(path, reason, get(path), rules=rules)
    ticket = credentials.encode_ticket(SESSION, HOST, NOW, BOTH)

    def handover(query: str | None, **members: Any) -> GateRequest:
        return replace(get("/_waiting-room/handover", query=query), **members)

    whole = f"event=sale&to=%2Fcheckout%3Fa%3D1&ticket={ticket}"
    yield Case("ticket", "handover", handover(whole))
    yield Case("ticket in its last second", "handover", handover(whole), now=NOW + 59)
    yield Case("ticket after a minute", "no_ticket", handover(whole), now=NOW + 60)
    yield Case("ticket of another host", "no_ticket", handover(whole, host="other.example"))
    yield Case("ticket of another event", "no_ticket", handover(whole.replace("=sale", "=vip")))
    yield Case("ticket on plain HTTP", "handover", handover(whole), secure=False)
    yield Case(
        "session as a ticket", "no_ticket", handover(f"event=sale&to=%2F&ticket={encoded()}")
    )
    yield Case("no query", "no_ticket", handover(None))
    yield Case("empty query", "no_ticket", handover(""))
    yield Case("the first parameter decides", "no_ticket", handover(f"ticket=x&{whole}"))
    yield Case("parameter __proto__", "handover", handover(f"__proto__=1&constructor&{whole}"))
    for to in (
        "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "",
        "%zz",
        "/a%0d%0aset-cookie:x", "/a%20b", "%2F%2Fevil.example", "/%5Cevil.example", "/%E9",
        "/caf%C3%A9",
        "/ok?x=1", "checkout", "/ok%23part",
    ):  # fmt: skip
        yield Case(f"to {to}", "handover", handover(f"event=sale&to={to}&ticket={ticket}"))


def addresses() -> Iterator[Case]:
    for name, path, query in (
        ("without a query", "/checkout", None), ("empty query", "/checkout", ""),
        ("query", "/checkout", "a=1&b=%20&a=2"), ("signs", "/checkout/!'()*~",
        "x='()*!~&y=[]{}|^`\"<>"),
        ("encoded", "/%63heckout/%C3%A9", "q=%C3%A9"), ("question marks", "/checkout", "??=?"),
        ("6,000 bytes", "/checkout", "q" * 5_983), ("6,001 bytes", "/checkout", "q" * 5_984),
        ("encoded to 6,000 bytes", "/checkout", "%" * 1_994 + "a"),
        ("encoded to more", "/checkout", "%" * 1_995), ("long path",
        "/checkout/" + "a" * 1_900, None),
        ("path encoded to more", "/checkout/" + "|" * 2_000, "a"),
    ):  # fmt: skip
        yield Case(name, "no_session", get(path, query=query))
    long, old = "q" * 6_000, encoded(issued=NOW - 300)
    yield Case("renewal of 6,001 bytes", "renew", session(old, query=long))
    over = encoded(issued=NOW - 900, expires=NOW)
    yield Case("end of a session, 6,001 bytes", "renew", session(over, query=long))
    yield Case("form with a long address", "no_session", get(method="POST", query=long))
    yield Case("form with a note of its own", "no_session", get(method="PUT", query="note=x"))


def document() -> dict[str, Any]:
    """Return the content of the file; raises ValueError for a reason that differs."""
    rooms: list[Any] = []
    vectors = []
    for case in cases():
        found = case.response()
        if found["reason"] != case.reason:
            raise ValueError(f"{case.name}: {found['reason']}, expected {case.reason}")
        room = {
            "rules": encode_rules(case.rules),
            "event": case.event and case.event.to_json(),
            "keys": {"signing": case.keys.signing, "keys": dict(case.keys.keys)},
        }
        if room not in rooms:
            rooms.append(room)
        one = case.request
        request = {
            "method": one.method, "host": one.host, "path": one.path, "headers": dict(one.headers),
            "cookies": dict(one.cookies), **({} if one.query is None else {"query": one.query}),
        }  # fmt: skip
        vectors.append(
            {
                "name": case.name, "room": rooms.index(room), "now": case.now,
                "secure": case.secure, "request": request, "expected": found,
            }
        )  # fmt: skip
    return {"rooms": rooms, "vectors": vectors}


def text() -> str:
    """Return the file: one line for each vector."""
    found = document()
    lines = [f"  {json.dumps(one, ensure_ascii=True)}" for one in found["vectors"]]
    rooms = [f"  {json.dumps(one, ensure_ascii=True)}" for one in found["rooms"]]
    joined = ",\n"
    return f'{{"rooms": [\n{joined.join(rooms)}\n],\n"vectors": [\n{joined.join(lines)}\n]}}\n'


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"{len(document()['vectors'])} vectors written")
