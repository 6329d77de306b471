# SPDX-License-Identifier: Apache-2.0
"""Content of the store of the edge: rules by host, and the state of each event with the keys.

A value has at most MAX_VALUE bytes. ``h:<host>`` has the rules of a host and those for all hosts,
``h:*`` only the latter. Longer lists continue in ``h:<host>:1`` and so on; ``n`` of the first value
counts these parts. ``e:<event>`` has the state of an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.decision import GateEvent
from waiting_room.domain.gate.rules import Rule, encode_rules, sort_rules
from waiting_room.domain.ports.gate_keys import GateKeySource

MAX_VALUE = 1_024  # bytes of a value in a CloudFront KeyValueStore
ANY_HOST = "*"
ROOM = len(',"n":99')


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
        rules += [(event.event_id, False, rule) for rule in event.document["protect"]]
        rules += [(event.event_id, True, rule) for rule in event.document["bypass"]]
        items[f"e:{event.event_id}"] = _state(event, keys.keys(event.event_id))
    for host in {ANY_HOST, *(rule["host"] for _, _, rule in rules if "host" in rule)}:
        of_host = [one for one in rules if one[2].get("host", host) == host]
        encoded = encode_rules(sort_rules(of_host))
        parts = list(_parts(encoded))
        for index, part in enumerate(parts):
            more = {"n": len(parts) - 1} if index == 0 and len(parts) > 1 else {}
            key = f"h:{host}" if index == 0 else f"h:{host}:{index}"
            items[key] = _json({"r": part, **more})
    return items


def _state(event: GatedEvent, keys: GateKeys) -> str:
    state = gate_event(event).to_json()
    if event.document["session"]["when_unreachable"] == "open":
        state["u"] = 1
    text = _json({**state, "k": {"signing": keys.signing, "keys": dict(keys.keys)}})
    if len(text.encode()) > MAX_VALUE:
        raise ValueError(f"site.origins of {event.event_id} is too long for the store of the gate")
    return text


def _parts(rules: list[list[Any]]) -> Iterator[list[list[Any]]]:
    """Yield consecutive rules that fit into one value each; at least one, maybe empty, part."""
    part: list[list[Any]] = []
    for rule in rules:
        if part and len(_json({"r": [*part, rule]}).encode()) + ROOM > MAX_VALUE:
            yield part
            part = []
        part.append(rule)
        if len(_json({"r": part}).encode()) + ROOM > MAX_VALUE:
            raise ValueError(f"a rule of {rule[0]} is too long for the store of the gate")
    yield part


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
