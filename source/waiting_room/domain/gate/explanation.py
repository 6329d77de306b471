# SPDX-License-Identifier: Apache-2.0
"""Explanation of a gate's decision about a request: which rule of which event decides, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from waiting_room.domain.gate.path_readings import readings
from waiting_room.domain.gate.request import GateRequest, is_preflight
from waiting_room.domain.gate.rules import (
    Rule,
    find_event,
    is_own_path,
    rule_matches,
    sort_rules,
)
from waiting_room.domain.gate.store import rules_of

RAW = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"  # characters of an address that stay as they are


class Effect(StrEnum):
    """Effect of a rule on a request."""

    DECIDES = "decides"
    BYPASSES = "bypasses"
    BYPASSED = "bypassed"  # it matches, but a bypass rule of the same event matches too
    LATER = "matches, but a rule before it decides"
    NONE = "does not match"


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
class Explanation:
    """The event that protects a request, or None; ``reason`` is a sentence without a period."""

    event_id: str | None
    reason: str
    rules: Sequence[RuleEffect] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON values."""
        return {
            "event_id": self.event_id,
            "reason": self.reason,
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
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("the address must begin with http:// or https:// and a host")
    grouped: dict[str, list[str]] = {"user-agent": [user_agent]} if user_agent else {}
    for name, value in headers:
        grouped.setdefault(name.strip().lower(), []).append(value.strip())
    kept: dict[str, list[str]] = {}
    for name, value in cookies:
        kept.setdefault(name, []).append(value)
    query = quote(parts.query, safe=RAW) if "?" in address else None
    return GateRequest(
        method.upper(), host, quote(parts.path or "/", safe=RAW), query, grouped, kept
    )


def explain(request: GateRequest, documents: Mapping[str, Mapping[str, Any]]) -> Explanation:
    """Explain the decision about a request by the documents of all events, by event id."""
    if is_own_path(request.path):
        return Explanation(None, "the path belongs to the waiting room itself")
    rules = sort_rules(
        one for event_id, document in documents.items() for one in rules_of(event_id, document)
    )
    matching = [rule_matches(rule, request, is_bypass=is_bypass) for _, is_bypass, rule in rules]
    bypassed = {
        event_id
        for (event_id, is_bypass, _), matches in zip(rules, matching, strict=True)
        if is_bypass and matches
    }
    decided = find_event(rules, request)
    found: list[RuleEffect] = []
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
        found.append(RuleEffect(event_id, is_bypass, rule, effect, misses))
    return Explanation(decided, _reason(request, found, decided), found)


def _misses(rule: Rule, request: GateRequest, *, is_bypass: bool) -> tuple[str, ...]:
    """Return the members of a rule that do not match by themselves."""
    return tuple(
        name
        for name, value in rule.items()
        if not rule_matches({name: value}, request, is_bypass=is_bypass)
    )


def _reason(request: GateRequest, found: Sequence[RuleEffect], decided: str | None) -> str:
    count = len(readings(request.path) or ())
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
