# SPDX-License-Identifier: Apache-2.0
"""Rules of a gate: which requests an event protects, and which of them its bypass rules let pass.

A rule is an object as in the document of an event: ``host``, ``path``, ``methods``, ``header``,
``cookie`` and ``user_agent``, each optional. All members that it has must match. A gate has one
list of rules, the most specific first; each is ``(event id, is bypass, rule)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from waiting_room.domain.gate.path_readings import fold, readings
from waiting_room.domain.gate.request import GateRequest, Values

OWN_PATHS = "/_waiting-room"  # the room's own paths on a protected host
SAFE = ("GET", "HEAD", "OPTIONS")
OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
WILDCARDS = re.compile(r"/\*\*/|\*\*?")
MEANINGS = {"*": "[^/]*", "**": r"[\s\S]*", "/**/": r"/(?:[\s\S]*/)?"}
RULE_MEMBERS = ("path", "host", "methods", "header", "cookie", "user_agent")  # as encoded
Rule = Mapping[str, Any]
RuleList = Sequence[tuple[str, bool, Rule]]


def sort_rules(rules: Iterable[tuple[str, bool, Rule]]) -> list[tuple[str, bool, Rule]]:
    """Return rules with the most specific first.

    A rule with a host is before one without. Then the longer path without wildcards is first, then
    the rule with more members, then the smaller event id.
    """

    def key(one: tuple[str, bool, Rule]) -> tuple[Any, ...]:
        event_id, is_bypass, rule = one
        literal = len(WILDCARDS.sub("", rule.get("path", "")).rstrip("/"))
        text = sorted(f"{name}={value}" for name, value in rule.items())
        return ("host" not in rule, -literal, -len(rule), event_id, is_bypass, text)

    return sorted(rules, key=key)


def is_own_path(path: str) -> bool:
    """Return whether a path leads to the room, by every reading."""
    return path.startswith(f"{OWN_PATHS}/") and readings(path) == [path]


def encode_rules(rules: RuleList) -> list[list[Any]]:
    """Return rules as the store of the edge has them: lists, without absent members at the end."""
    found = []
    for event_id, is_bypass, rule in rules:
        one = [event_id, int(is_bypass), *(rule.get(name, 0) for name in RULE_MEMBERS)]
        while one[-1] == 0 and len(one) > 2:
            one.pop()
        found.append(one)
    return found


def decode_rules(encoded: Iterable[Sequence[Any]]) -> RuleList:
    """Return the rules of ``encode_rules``, in the same order."""
    return [
        (
            one[0],
            bool(one[1]),
            {name: value for name, value in zip(RULE_MEMBERS, one[2:], strict=False) if value != 0},
        )
        for one in encoded
    ]


def find_event(rules: RuleList, request: GateRequest) -> str | None:
    """Return the event whose rule protects a request; None if no rule does.

    The first protecting rule decides. An event whose bypass rule matches protects nothing of this
    request.
    """
    found = readings(request.path)
    bypassed = [
        event_id
        for event_id, is_bypass, rule in rules
        if is_bypass and _opens(rule, request, found)
    ]
    for event_id, is_bypass, rule in rules:
        if not is_bypass and event_id not in bypassed and _protects(rule, request, found):
            return event_id
    return None


def matching_reading(rule: Rule, request: GateRequest) -> str | None:
    """Return the first reading of the path that a protecting rule matches; None without one."""
    found = readings(request.path) or ()
    return next((one for one in found if _protects(rule, request, [one])), None)


def rule_matches(rule: Rule, request: GateRequest, *, is_bypass: bool) -> bool:
    """Return whether a request matches a rule of ``protect``, or of ``bypass``."""
    return (_opens if is_bypass else _protects)(rule, request, readings(request.path))


def _protects(rule: Rule, request: GateRequest, found: list[str] | None) -> bool:
    """Return whether any reading of the request matches a protecting rule."""
    methods = rule.get("methods")
    if (
        methods is not None
        and request.method.upper() not in _with_head(methods)
        and not any(name in request.headers for name in OVERRIDES)
    ):
        return False
    if found is not None and "path" in rule:
        pattern = path_pattern(fold(rule["path"]))
        if not any(pattern.fullmatch(fold(one)) for one in found):
            return False
    return _has_conditions(rule, request)


def _opens(rule: Rule, request: GateRequest, found: list[str] | None) -> bool:
    """Return whether each reading of the request matches a bypass rule."""
    methods = rule.get("methods")
    if methods is not None and (
        request.method not in _with_head(methods)
        or any(name in request.headers for name in OVERRIDES)
    ):
        return False
    if "path" in rule:
        pattern = path_pattern(rule["path"])
        if found is None or not all(pattern.fullmatch(one) for one in found):
            return False
    return _has_conditions(rule, request)


def path_pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a rule's path: itself, and all below it by segment.

    ``*`` matches any text within a segment, ``**`` any text, and ``/**/`` also a single slash.
    """
    pieces, at = [], 0
    text = path.rstrip("/")
    for star in WILDCARDS.finditer(text):
        pieces += [re.escape(text[at : star.start()]), MEANINGS[star[0]]]
        at = star.end()
    return re.compile("".join([*pieces, re.escape(text[at:])]) + r"(/[\s\S]*)?")


def _has_conditions(rule: Rule, request: GateRequest) -> bool:
    """Return whether host, header, cookie and user agent match."""
    if "host" in rule and _host(request.host) != rule["host"]:
        return False
    if "header" in rule:
        name, colon, value = rule["header"].partition(":")
        if not _has(request.headers, name.strip().lower(), value.strip() if colon else None):
            return False
    if "cookie" in rule:
        name, equals, value = rule["cookie"].partition("=")
        if not _has(request.cookies, name, value if equals else None):
            return False
    agent = fold(rule.get("user_agent", ""))
    return agent in fold(request.header("user-agent"))


def _has(values: Values, name: str, value: str | None) -> bool:
    found = values.get(name, ())
    return bool(found) if value is None else value in found


def _with_head(methods: Sequence[str]) -> Sequence[str]:
    return [*methods, "HEAD"] if "GET" in methods else methods


def _host(host: str) -> str:
    """Return a host in lower case, without port and final dot."""
    return re.sub(r"\.?(:\d*)?$", "", fold(host))
