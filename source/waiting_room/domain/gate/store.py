# SPDX-License-Identifier: Apache-2.0
"""Content of the store of the edge: rules by host, and the state of each event with the keys.

A value has at most MAX_VALUE bytes. ``h:<host>`` has the rules of a host and those for all hosts,
``h:*`` only the latter. Longer lists continue in ``h:<host>:<tag>:1`` and so on. ``n`` of the first
value counts these parts, and ``v`` is their tag. Other rules have another tag, so that no reader
combines old and new parts. ``e:<event>`` has the state of an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.decision import GateEvent
from waiting_room.domain.gate.opening import ROOM_FOR_OPENING
from waiting_room.domain.gate.rules import Rule, encode_rules, sort_rules
from waiting_room.domain.ports.gate_keys import GateKeySource

MAX_VALUE = 1_024  # bytes of a value in a CloudFront KeyValueStore
ANY_HOST = "*"
TAG = 8  # hexadecimal digits
ROOM = len('{"r":[],"n":99,"v":""}') + TAG


@dataclass(frozen=True, slots=True)
class GatedEvent:
    """An event as its gate sees it; ``changed_at`` (epoch s) is the time of the last change."""

    event_id: str
    document: Mapping[str, Any]
    generation: int
    changed_at: int


def gate_event(event: GatedEvent) -> GateEvent:
    """Return the state of an event at a gate.

    ``pass_through`` opens the gate from the time of the change, or from ``closes_at`` on. A closed
    event is never open to all.
    """
    schedule, control = event.document["schedule"], event.document["control"]
    closed = control["closed_at"] is not None
    closes_at, open_from = schedule["closes_at"] or 0, 0
    if event.document["mode"] == "pass_through":
        open_from = event.changed_at
    elif closes_at and schedule["after"] == "pass_through":
        open_from = closes_at
    passes_after = schedule["after"] == "pass_through"
    return GateEvent(
        generation=event.generation,
        renew_every=event.document["session"]["renew_every"],
        opens_at=schedule["opens_at"] or 0,
        closes_at=0 if passes_after else closes_at,
        closed=closed,
        open_from=0 if closed else open_from,
        open_until=0 if passes_after else closes_at,
        origins=tuple(event.document["site"]["origins"]),
    )


def store_items(events: Iterable[GatedEvent], keys: GateKeySource) -> dict[str, str]:
    """Return all items of the store. Raises ValueError for a state or rule that does not fit."""
    items: dict[str, str] = {}
    rules: list[tuple[str, bool, Rule]] = []
    for event in events:
        rules += rules_of(event.event_id, event.document)
        items[f"e:{event.event_id}"] = _state(event, keys.keys(event.event_id))
    for host, parts in parts_by_host(rules):
        tag = _tag(parts) if len(parts) > 1 else ""
        head: dict[str, Any] = {"r": parts[0]}
        if tag:
            head |= {"n": len(parts) - 1, "v": tag}
        items[f"h:{host}"] = _json(head)
        for index, part in enumerate(parts[1:], 1):
            items[f"h:{host}:{tag}:{index}"] = _json({"r": part})
    return items


def fault_members(document: Mapping[str, Any]) -> dict[str, int]:
    """Return the members of a state for the fail mode ``open``.

    ``u``: requests pass while the gate cannot decide, and while the room does not respond. ``h``:
    paused, so that a fault of the room does not open the event.
    """
    if document["session"]["when_unreachable"] != "open":
        return {}
    control = document["control"]
    paused = control["paused_at"] is not None and control["draining_since"] is None
    return {"u": 1, "h": 1} if paused else {"u": 1}


def rules_of(event_id: str, document: Mapping[str, Any]) -> list[tuple[str, bool, Rule]]:
    """Return the rules of an event: event id, whether it is a bypass rule, and the rule."""
    protect = [(event_id, False, rule) for rule in document["protect"]]
    return protect + [(event_id, True, rule) for rule in document["bypass"]]


def parts_by_host(
    rules: Iterable[tuple[str, bool, Rule]],
) -> Iterator[tuple[str, list[list[list[Any]]]]]:
    """Yield each host, and its encoded rules in parts that fit into one value each.

    Raises ValueError for a rule that does not fit.
    """
    ordered = [(one, encoded) for one in sort_rules(rules) for encoded in encode_rules([one])]
    hosts = {one[2]["host"] for one, _ in ordered if "host" in one[2]}
    for host in (ANY_HOST, *sorted(hosts)):
        of_host = [rule for one, rule in ordered if one[2].get("host", host) == host]
        yield host, list(_parts(of_host))


def _state(event: GatedEvent, keys: GateKeys) -> str:
    state = {**gate_event(event).to_json(), **fault_members(event.document)}
    text = _json({**state, "k": {"signing": keys.signing, "keys": dict(keys.keys)}})
    if len(text.encode()) + ROOM_FOR_OPENING > MAX_VALUE:
        raise ValueError(f"site.origins of {event.event_id} is too long for the store of the gate")
    return text


def _parts(rules: list[list[Any]]) -> Iterator[list[list[Any]]]:
    """Yield consecutive rules that fit into one value each; at least one, maybe empty, part."""
    part: list[list[Any]] = []
    size = ROOM
    for rule in rules:
        needed = len(_json(rule).encode()) + 1
        if ROOM + needed > MAX_VALUE:
            raise ValueError(f"a rule of {rule[0]} is too long for the store of the gate")
        if size + needed > MAX_VALUE:
            yield part
            part, size = [], ROOM
        part.append(rule)
        size += needed
    yield part


def _tag(parts: list[list[list[Any]]]) -> str:
    """Return a name for the parts of a host that no other content has."""
    return sha256(json.dumps(parts).encode()).hexdigest()[:TAG]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
