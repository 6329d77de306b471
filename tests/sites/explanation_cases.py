# SPDX-License-Identifier: Apache-2.0
"""Cases of the explanation of a gate's decision, each with the event and the state expected.

``python -m tests.sites.explanation_cases`` writes them with the whole explanation to
``source/edge/explanations.json``. The events, states and errors are written by hand; an explanation
with another one is an error. The command line (Python) and the console (JavaScript) have to
give the same explanations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support import gate_vectors
from tests.support.servers import ROOT
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.explanation import explain, request_of

FILE = ROOT / "source" / "edge" / "explanations.json"
NOW = 1_800_000_000
SHOP = "https://shop.example"
SECRET = "0123012301230123"


@dataclass(frozen=True)
class Case:
    """A request, the name of its documents, and what the explanation must contain.

    ``event_id`` and ``state`` are None for a request that no event protects. ``error`` is the
    message for an address that cannot be tested.
    """

    name: str
    documents: str
    given: Mapping[str, Any]
    event_id: str | None = None
    state: str | None = None
    error: str = ""

    def found(self) -> dict[str, Any]:
        """Return the explanation, or its error."""
        given = self.given
        try:
            request = request_of(
                given["address"], given.get("method", "GET"), given.get("headers", ()),
                given.get("cookies", ()), given.get("user_agent", ""),
            )  # fmt: skip
        except ValueError as error:
            return {"error": str(error)}
        return explain(request, DOCUMENTS[self.documents], NOW).to_json()


def document(
    protect: list[Any], bypass: list[Any] | None = None, **members: Any
) -> Mapping[str, Any]:
    """A document with rules; a member that is an object changes some members of the default."""
    made = {**defaults(), "protect": protect, "bypass": bypass or []}
    for name, value in members.items():
        made[name] = {**made[name], **value} if isinstance(value, dict) else value
    return made


def _of_vectors() -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for event_id, is_bypass, rule in gate_vectors.RULES:
        made = found.setdefault(event_id, document([]))
        made["bypass" if is_bypass else "protect"].append(rule)
    return found


CHECKOUT = [{"path": "/checkout"}]
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "vectors": _of_vectors(),
    "shop": {
        "sale": document(
            [{"path": "/checkout"}, {"host": "api.example", "methods": ["POST", "PUT"]}],
            [{"header": f"x-staff: {SECRET}"}, {"cookie": f"staff={SECRET}"}],
            site={"origins": ["https://app.example"]},
        ),
        "vip": document(
            [{"path": "/checkout/vip"}], [{"path": "/checkout/vip/help"}],
            session={"when_unreachable": "open"},
        ),
        "bots": document([{"path": "/feed", "user_agent": "Bot"}]),
    },
    "order": {  # each difference that decides the order of two rules
        "b": document([
            {"path": "/a", "methods": ["GET"]}, {"path": "/a", "methods": ["GET", "POST"]},
            {"path": "/a/*/c"}, {"path": "/a/b"}, {"path": "/a/b/"}, {"host": "shop.example"},
            {"header": "a", "path": "/"}, {"cookie": "a", "path": "/"}, {"path": "/a/**/"},
        ], [{"path": "/a", "user_agent": "x"}]),
        "a": document([{"path": "/a"}, {"path": "/a", "header": "y"}]),
        "C": document([{"path": "/a"}]),
        "10": document([{"path": "/a"}]),
        "9": document([{"path": "/a"}]),
    },
    "states": {
        "through": document([{"path": "/through"}], mode="pass_through"),
        "until": document(
            [{"path": "/until"}], mode="pass_through", schedule={"closes_at": NOW + 60}
        ),
        "ended": document(
            [{"path": "/ended"}], mode="pass_through", schedule={"closes_at": NOW}
        ),
        "after": document(
            [{"path": "/after"}], schedule={"closes_at": NOW, "after": "pass_through"}
        ),
        "before": document(
            [{"path": "/before"}], schedule={"closes_at": NOW + 1, "after": "pass_through"}
        ),
        "over": document([{"path": "/over"}], schedule={"closes_at": NOW}),
        "closing": document([{"path": "/closing"}], schedule={"closes_at": NOW + 1}),
        "later": document([{"path": "/later"}], schedule={"opens_at": NOW + 1}),
        "opened": document([{"path": "/opened"}], schedule={"opens_at": NOW}),
        "closed": document(
            [{"path": "/closed"}], mode="pass_through", control={"closed_at": NOW - 5}
        ),
        "paused": document([{"path": "/paused"}], control={"paused_at": NOW - 5}),
    },
    "open": {"open": document([], [{"path": "/search"}])},
    "none": {},
}  # fmt: skip


def cases() -> Iterator[Case]:
    """All cases."""
    for group in (spellings, requests, order, states, addresses):
        yield from group()


def spellings() -> Iterator[Case]:
    for path in (*gate_vectors.PROTECTED, *gate_vectors.OPEN):
        if path.startswith("/") and not set("?#") & set(path) and "%25%25" not in path:
            vector = gate_vectors.get(path)
            reason = gate_vectors.Case("", "", vector).response()["reason"]
            event_id = "sale" if reason == "no_session" else None
            yield Case(
                f"spelling {path[:40]}", "vectors", {"address": SHOP + path}, event_id,
                "needs a session" if event_id else None,
            )  # fmt: skip


def requests() -> Iterator[Case]:
    staff = [["X-Staff", f" {SECRET} "]]
    preflight = [["Origin", "https://app.example"], ["Access-Control-Request-Method", "POST"]]
    for name, path, more, event_id in (
        ("deepest path", "/checkout/vip/now", {}, "vip"),
        ("staff", "/checkout", {"headers": staff}, None),
        ("staff of another event", "/checkout/vip", {"headers": staff}, "vip"),
        ("staff where an event bypasses", "/checkout/vip/help", {"headers": staff}, None),
        ("bypass of the deeper event only", "/checkout/vip/help", {}, "sale"),
        ("staff by cookie", "/checkout", {"cookies": [["a", "1"], ["staff", SECRET]]}, None),
        ("another staff cookie", "/checkout", {"cookies": [["staff", "x"], ["staff", ""]]}, "sale"),
        ("cookie of the room", "/checkout",
         {"cookies": [["__Host-waiting-room-sale", "1:k:sale:1:1:1:1:x"]]}, "sale"),
        ("form", "/checkout", {"method": "post"}, "sale"),
        ("head", "/checkout", {"method": "HEAD"}, "sale"),
        ("unknown verb", "/checkout", {"method": "BREW"}, "sale"),
        ("crawler", "/checkout", {"user_agent": "Googlebot/2.1"}, "sale"),
        ("agent", "/feed", {"user_agent": "a robot"}, "bots"),
        ("agent as a header", "/feed", {"headers": [["User-Agent", "BOT"]]}, "bots"),
        ("without an agent", "/feed", {}, None),
        ("preflight", "/checkout", {"method": "OPTIONS", "headers": preflight}, "sale"),
        ("preflight of another origin", "/checkout",
         {"method": "OPTIONS", "headers": [["Origin", "https://x"], preflight[1]]}, "sale"),
        ("options", "/checkout", {"method": "OPTIONS"}, "sale"),
        ("path of the room", "/_waiting-room/enter", {}, None),
        ("not a path of the room", "/_waiting-room/../checkout", {}, "sale"),
        ("unreadable", "/%c0%ae", {}, "vip"),
        ("nothing", "/", {}, None),
    ):  # fmt: skip
        given = {"address": SHOP + path, **more}
        yield Case(name, "shop", given, event_id, "needs a session" if event_id else None)
    for host, method, event_id in (
        ("api.example", "POST", "sale"), ("API.example.:8443", "PUT", "sale"),
        ("api.example", "GET", None), ("api.example.org", "POST", None),
        ("user:secret@api.example", "POST", "sale"),
        ("user@x@api.example", "POST", "sale"),
    ):  # fmt: skip
        given = {"address": f"https://{host}/x", "method": method}
        state = "needs a session" if event_id else None
        yield Case(f"host {host} {method}", "shop", given, event_id, state)
    override = {"address": "https://api.example/", "headers": [["X-HTTP-Method", "PUT"]]}
    yield Case("overridden method", "shop", override, "sale", "needs a session")
    yield Case("an event without protecting rules", "open", {"address": f"{SHOP}/search"})
    yield Case("no event", "none", {"address": f"{SHOP}/search"})


def order() -> Iterator[Case]:
    for path, host, more, event_id in (
        ("/a", "shop.example", {}, "b"), ("/a", "x", {}, "b"), ("/a/b", "x", {}, "b"),
        ("/a", "x", {"method": "PUT"}, "10"), ("/a/b/c", "x", {"method": "PUT"}, "b"),
        ("/a", "x", {"method": "PUT", "headers": [["Y", ""]]}, "a"),
        ("/a", "x", {"method": "PUT", "user_agent": "X"}, "10"),
        ("/z", "x", {"headers": [["A", "1"]], "cookies": [["a", ""]]}, "b"),
    ):  # fmt: skip
        given = {"address": f"https://{host}{path}", **more}
        yield Case(f"order {path} {host} {len(more)}", "order", given, event_id, "needs a session")


def states() -> Iterator[Case]:
    for event_id, state in (
        ("through", "open to all"), ("until", "open to all"), ("ended", "closed"),
        ("after", "open to all"), ("before", "needs a session"), ("over", "closed"),
        ("closing", "needs a session"), ("later", "not open yet"), ("opened", "needs a session"),
        ("closed", "closed"), ("paused", "needs a session"),
    ):  # fmt: skip
        given = {"address": f"{SHOP}/{event_id}"}
        yield Case(f"state {event_id}", "states", given, event_id, state)
        yield Case(f"form {event_id}", "states", {**given, "method": "POST"}, event_id, state)


def addresses() -> Iterator[Case]:
    begin = "the address must begin with http:// or https:// and a host"
    host = "the host must be as a browser sends it: letters, digits, . - and a port"
    for address, error in (
        ("", begin), ("shop.example", begin), ("/checkout", begin), ("ftp://a/", begin),
        ("https:///a", begin), ("https://", begin), ("https://user@/a", begin),
        ("https://?a", begin), ("http\u017f://a/", begin), ("javascript://a", begin),
        ("http://[", host), ("https://bücher.example/", host), ("https://a b/", host),
        ("https://a:b/", host), ("https://a:1:2/", host), ("https://a\\@b\\c/", host),
        ("https://a,b/", host), ("https://a\n.b/", host),
    ):  # fmt: skip
        yield Case(f"address {address[:20]!r}", "shop", {"address": address}, error=error)
    for address, event_id in (
        ("HTTPS://shop.example/checkout", "sale"), ("  https://shop.example/checkout\r\n", "sale"),
        ("https://shop.example/checkout?to=/x#/y?z", "sale"), ("https://shop.example", None),
        ("https://shop.example?/checkout", None), ("https://shop.example#/checkout", None),
        ("https://shop.example/x#/checkout\n", None), ("https://[::1]:8443/checkout", "sale"),
        ("https://user@Shop.example:8443/checkout/a b/é", "sale"), ("http://a_b/checkout", "sale"),
        ("https://a:/checkout", "sale"), ("https://a/check\u200bout", None),
        ("https://a/\u212aart", None), ("https://a//a@b/checkout", "sale"),
        ("https://a/checkout\x00", "vip"), ("https://a/x\ny", "vip"),
    ):  # fmt: skip
        state = "needs a session" if event_id else None
        yield Case(f"address {address[:40]!r}", "shop", {"address": address}, event_id, state)


def text() -> str:
    """Return the file; raises ValueError for an explanation that is not the expected one."""
    lines = []
    for case in cases():
        found = case.found()
        got = (
            found.get("event_id"),
            (found.get("gate") or {}).get("state"),
            found.get("error", ""),
        )
        if got != (case.event_id, case.state, case.error):
            raise ValueError(f"{case.name}: {got}")
        line = {"name": case.name, "documents": case.documents, "given": case.given,
                "expected": compact(found, case.documents)}  # fmt: skip
        lines.append(json.dumps(line))
    documents = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in DOCUMENTS.items()
    )
    joined = ",\n  ".join(lines)
    return f'{{"now": {NOW}, "documents": {{\n{documents}\n}}, "cases": [\n  {joined}\n]}}\n'


def compact(found: dict[str, Any], documents: str) -> dict[str, Any]:
    """Return the explanation with one text for each rule, in the same order.

    Those of the vectors have the matching rules only, so that the file is short.
    """
    if "rules" not in found:
        return found
    rules = [
        f"{one['event_id']} {one['list']} {json.dumps(one['rule'], separators=(',', ':'))}"
        f" {one['effect']} {','.join(one['misses'])}"
        for one in found["rules"]
        if documents != "vectors" or not one["misses"]
    ]
    return {**found, "rules": rules}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
