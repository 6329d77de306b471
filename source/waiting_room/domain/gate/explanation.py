# SPDX-License-Identifier: Apache-2.0
"""Explanation of a gate's decision about a request: which rule of which event decides, and why.

``source/edge/explanation.js`` is the same for the rule tester of the console.
``source/edge/explanations.json`` has the cases that both have to pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.decision import GateEvent, Respond, is_open, judge
from waiting_room.domain.gate.path_readings import readings
from waiting_room.domain.gate.request import GateRequest, Values, is_preflight
from waiting_room.domain.gate.rules import (
    Rule,
    find_event,
    is_own_path,
    matching_reading,
    rule_matches,
    sort_rules,
)
from waiting_room.domain.gate.store import GatedEvent, gate_event, rules_of

RAW = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"  # characters of an address that stay as they are
ADDRESS = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#[\s\S]*)?", re.I | re.A)
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
ROOM_COOKIE = re.compile("(__Host-)?waiting-room[-_]")
NO_KEYS = GateKeys("none", {"none": "0"})  # the outcomes contain no credential
UNKNOWN_START = 1  # epoch s; the document does not have the time since which the gate is open
CLIENTS: Mapping[str, Values] = {
    "page": {
        "sec-fetch-mode": ["navigate"], "sec-fetch-dest": ["document"], "accept": ["text/html"],
    },
    "script": {"sec-fetch-mode": ["cors"], "sec-fetch-dest": ["empty"], "accept": ["*/*"]},
}  # fmt: skip


class Effect(StrEnum):
    """Effect of a rule on a request."""

    DECIDES = "decides"
    BYPASSES = "bypasses"
    BYPASSED = "bypassed"  # it matches, but a bypass rule of the same event matches too
    LATER = "matches, but a rule before it decides"
    NONE = "does not match"


class GateState(StrEnum):
    """State of an event at its gate."""

    OPEN = "open to all"
    CLOSED = "closed"
    NOT_OPEN = "not open yet"
    ENFORCED = "needs a session"


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """A rule of an event and its effect; ``misses`` are the members that do not match."""

    event_id: str
    is_bypass: bool
    rule: Rule
    effect: Effect
    misses: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON values."""
        return {
            "event_id": self.event_id,
            "list": "bypass" if self.is_bypass else "protect",
            "rule": dict(self.rule),
            "effect": self.effect.value,
            "misses": list(self.misses),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """Response to a client without a session; status 0: the request goes to the site."""

    client: str  # a key of CLIENTS
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Protection:
    """The event that protects a request: its state, and what a visitor without a session gets.

    ``reading`` is the reading of the path that the rule matches; None for a path that cannot be
    read. Times are epoch seconds; 0: none, or unknown. ``when_unreachable`` is ``open`` or
    ``closed``: the gate while the room does not respond.
    """

    event_id: str
    reading: str | None
    state: GateState
    open_from: int
    open_until: int
    opens_at: int
    outcomes: Sequence[Outcome]
    when_unreachable: str = "closed"

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON values."""
        return {
            "reading": self.reading,
            "state": self.state.value,
            "open_from": self.open_from,
            "open_until": self.open_until,
            "opens_at": self.opens_at,
            "when_unreachable": self.when_unreachable,
            "without_session": {
                one.client: {"status": one.status, "reason": one.reason} for one in self.outcomes
            },
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which event protects a request, if any; ``reason`` is a sentence without a period."""

    reason: str
    readings: int  # of the path; 0: it cannot be read
    rules: Sequence[RuleEffect] = ()
    protection: Protection | None = None

    @property
    def event_id(self) -> str | None:
        """The event that protects the request."""
        return self.protection.event_id if self.protection else None

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON values."""
        return {
            "event_id": self.event_id,
            "reason": self.reason,
            "readings": self.readings,
            "gate": self.protection.to_json() if self.protection else None,
            "rules": [one.to_json() for one in self.rules],
        }


def request_of(
    address: str,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    cookies: Sequence[tuple[str, str]] = (),
    user_agent: str = "",
) -> GateRequest:
    """Return the request for an address, such as ``https://www.example.com/checkout``.

    The path stays as it is written. Raises ValueError for another address.
    """
    parts = ADDRESS.fullmatch(address.strip(" \t\r\n"))
    host = parts[2].rpartition("@")[2] if parts else ""
    if parts is None or not host:
        raise ValueError("the address must begin with http:// or https:// and a host")
    if not HOST.fullmatch(host):
        raise ValueError("the host must be as a browser sends it: letters, digits, . - and a port")
    grouped: dict[str, list[str]] = {"user-agent": [user_agent]} if user_agent else {}
    for name, value in headers:
        grouped.setdefault(name.strip().lower(), []).append(value.strip())
    kept: dict[str, list[str]] = {}
    for name, value in cookies:
        kept.setdefault(name, []).append(value)
    try:
        path = quote(parts[3] or "/", safe=RAW)
        query = None if parts[4] is None else quote(parts[4], safe=RAW)
    except UnicodeEncodeError:
        raise ValueError("the address has a character that cannot be sent") from None
    return GateRequest(method.upper(), host, path, query, grouped, kept)


def explain(
    request: GateRequest, documents: Mapping[str, Mapping[str, Any]], now: int
) -> Explanation:
    """Explain the decision about a request at ``now`` (epoch s) by the documents, by event id."""
    count = len(readings(request.path) or ())
    if is_own_path(request.path):
        return Explanation("the path belongs to the waiting room itself", count)
    rules = sort_rules(
        one for event_id, document in documents.items() for one in rules_of(event_id, document)
    )
    decided = find_event(rules, request)
    found = list(_effects(rules, request))
    reason = _reason(request, found, decided, count)
    if decided is None:
        return Explanation(reason, count, found)
    rule = next(one.rule for one in found if one.effect is Effect.DECIDES)
    event = gate_event(GatedEvent(decided, documents[decided], 0, UNKNOWN_START))
    protection = Protection(
        event_id=decided,
        reading=matching_reading(rule, request),
        state=_state(event, now),
        open_from=event.open_from if event.open_from > UNKNOWN_START else 0,
        open_until=event.open_until if event.open_from else 0,
        opens_at=event.opens_at,
        outcomes=[_outcome(client, request, decided, event, now) for client in CLIENTS],
        when_unreachable=documents[decided]["session"]["when_unreachable"],
    )
    return Explanation(reason, count, found, protection)


def _effects(rules: Sequence[tuple[str, bool, Rule]], request: GateRequest) -> Iterable[RuleEffect]:
    """Yield the effect of each rule, in the order of the rules."""
    matching = [rule_matches(rule, request, is_bypass=is_bypass) for _, is_bypass, rule in rules]
    bypassed = {
        event_id
        for (event_id, is_bypass, _), matches in zip(rules, matching, strict=True)
        if is_bypass and matches
    }
    is_decided = False
    for (event_id, is_bypass, rule), matches in zip(rules, matching, strict=True):
        effect = Effect.NONE
        if matches and is_bypass:
            effect = Effect.BYPASSES
        elif matches and event_id in bypassed:
            effect = Effect.BYPASSED
        elif matches:
            effect = Effect.LATER if is_decided else Effect.DECIDES
            is_decided = True
        misses = () if matches else _misses(rule, request, is_bypass=is_bypass)
        yield RuleEffect(event_id, is_bypass, rule, effect, misses)


def _state(event: GateEvent, now: int) -> GateState:
    if is_open(event, now):
        return GateState.OPEN
    if event.closed or 0 < event.closes_at <= now:
        return GateState.CLOSED
    return GateState.NOT_OPEN if now < event.opens_at else GateState.ENFORCED


def _outcome(
    client: str, request: GateRequest, event_id: str, event: GateEvent, now: int
) -> Outcome:
    """Return what a client of this kind gets without a session."""
    cookies = {name: one for name, one in request.cookies.items() if not ROOM_COOKIE.match(name)}
    headers = {**request.headers, **CLIENTS[client]}
    asked = replace(request, headers=headers, cookies=cookies)
    found = judge(asked, event_id, event, NO_KEYS, now)
    return Outcome(client, found.status if isinstance(found, Respond) else 0, found.reason)


def _misses(rule: Rule, request: GateRequest, *, is_bypass: bool) -> tuple[str, ...]:
    """Return the members of a rule that do not match by themselves."""
    return tuple(
        name
        for name, value in rule.items()
        if not rule_matches({name: value}, request, is_bypass=is_bypass)
    )


def _reason(
    request: GateRequest, found: Sequence[RuleEffect], decided: str | None, count: int
) -> str:
    ways = "" if count == 1 else f", in one of {count} readings of the path"
    if not count:
        ways = ", because the path cannot be read"
    if decided is None:
        events = sorted({one.event_id for one in found if one.effect is Effect.BYPASSED})
        if events:
            return (
                f"a bypass rule lets it pass at {', '.join(events)}, and no other event protects it"
            )
        return "no rule protects it"
    if is_preflight(request):
        return f"{decided} protects it{ways}; the gate answers this CORS preflight itself"
    return f"{decided} protects it{ways}"
