# SPDX-License-Identifier: Apache-2.0
"""Configuration of one event for a gate outside CloudFront: body of ``GET /events/{id}/gate``.

``rules`` and ``state`` have the short form of the edge's store, so that a gate in JavaScript uses
them as they are. ``keys`` are secrets: the body is never logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from waiting_room.domain.gate.credentials import KEY_ID, GateKeys
from waiting_room.domain.gate.decision import GateEvent
from waiting_room.domain.gate.opening import may_open
from waiting_room.domain.gate.rules import (
    RULE_MEMBERS,
    Rule,
    RuleList,
    decode_rules,
    encode_rules,
    sort_rules,
)
from waiting_room.domain.gate.store import GatedEvent, fault_members, gate_event
from waiting_room.domain.parsing import is_whole

NO_KEYS = GateKeys("", {})
NUMBERS = {"g": "generation", "r": "renew_every", "a": "opens_at", "z": "closes_at",
           "p": "open_from", "o": "open_until", "f": "enforced_from",
           "w": "fault_until"}  # fmt: skip
SECRET = re.compile(r"[\x21-\x7e]{32,128}")


class InvalidConfiguration(ValueError):
    """The body has another form; the message names the member and shows no value."""


@dataclass(frozen=True, slots=True)
class GateConfiguration:
    """Rules, state and keys of one event. ``open_unreachable``: ``when_unreachable`` is open.

    ``paused``: a fault of the room does not open the event.
    """

    event_id: str
    version: int
    rules: RuleList
    state: GateEvent
    keys: GateKeys = field(repr=False)
    open_unreachable: bool = False
    paused: bool = False

    @classmethod
    def of_event(cls, event: GatedEvent, version: int, keys: GateKeys) -> GateConfiguration:
        """Return the configuration of an event with the keys of this event."""
        rules: list[tuple[str, bool, Rule]] = [
            (event.event_id, is_bypass, rule)
            for name, is_bypass in (("protect", False), ("bypass", True))
            for rule in event.document[name]
        ]
        fault = fault_members(event.document)
        return cls(
            event.event_id, version, sort_rules(rules), gate_event(event), keys,
            open_unreachable="u" in fault, paused="h" in fault,
        )  # fmt: skip

    @classmethod
    def from_json(cls, event_id: str, content: Mapping[str, Any]) -> GateConfiguration:
        """Read the body for one event. Raises InvalidConfiguration."""
        version = content.get("version")
        if not is_whole(version):
            raise InvalidConfiguration("version must be a whole number")
        state = content.get("state")
        if not isinstance(state, dict):
            raise InvalidConfiguration("state must be an object")
        return cls(
            event_id, version, _rules(event_id, content.get("rules")), _state(state),
            _keys(content.get("keys")), open_unreachable=state.get("u") == 1,
            paused=state.get("h") == 1,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the body of the response."""
        return {
            "version": self.version,
            "rules": encode_rules(self.rules),
            "state": self._whole_state(),
            "keys": {"signing": self.keys.signing, "keys": dict(self.keys.keys)},
        }

    def opens_in_fault(self, now: int) -> bool:
        """Return whether requests pass at ``now`` (epoch s) while the room does not respond."""
        return may_open(self._whole_state(), now)

    def _whole_state(self) -> dict[str, Any]:
        flags = (("u", self.open_unreachable), ("h", self.paused))
        return {**self.state.to_json(), **{name: 1 for name, flag in flags if flag}}


@dataclass(frozen=True, slots=True)
class GateView:
    """All events of one gate: rules, the most specific first, and the configuration by event."""

    rules: RuleList
    events: Mapping[str, GateConfiguration]

    @classmethod
    def of(cls, configurations: Iterable[GateConfiguration]) -> GateView:
        """Combine the configurations of several events."""
        events = {one.event_id: one for one in configurations}
        return cls(sort_rules(rule for one in events.values() for rule in one.rules), events)

    def state(self, event_id: str) -> GateEvent | None:
        """Return the state of an event; None for one that the gate does not have."""
        found = self.events.get(event_id)
        return found.state if found else None

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event; none for one that the gate does not have."""
        found = self.events.get(event_id)
        return found.keys if found else NO_KEYS


def _rules(event_id: str, given: object) -> RuleList:
    if not isinstance(given, list):
        raise InvalidConfiguration("rules must be a list")
    for one in given:
        named = isinstance(one, list) and 2 <= len(one) <= 2 + len(RULE_MEMBERS)
        if not named or one[0] != event_id or one[1] not in (0, 1) or isinstance(one[1], bool):
            raise InvalidConfiguration("rules must have the event and the kind of each rule")
        for name, value in zip(RULE_MEMBERS, one[2:], strict=False):
            is_list = isinstance(value, list) and all(isinstance(text, str) for text in value)
            if value != 0 and not (is_list if name == "methods" else isinstance(value, str)):
                raise InvalidConfiguration(f"rules has an invalid {name}")
    return decode_rules(given)


def _state(given: Mapping[str, Any]) -> GateEvent:
    """Read the short form; absent members have their defaults, ``r`` and ``g`` are required."""
    numbers = {}
    for short, name in NUMBERS.items():
        value = given.get(short, None if short in ("g", "r") else 0)
        if not is_whole(value) or value < 0:
            raise InvalidConfiguration(f"state has an invalid {short}")
        numbers[name] = value
    origins = given.get("c", [])
    if not isinstance(origins, list) or not all(isinstance(one, str) for one in origins):
        raise InvalidConfiguration("state has an invalid c")
    return GateEvent(**numbers, closed=given.get("x", 0) != 0, origins=tuple(origins))


def _keys(given: object) -> GateKeys:
    keys = given.get("keys") if isinstance(given, dict) else None
    signing = given.get("signing") if isinstance(given, dict) else None
    if not isinstance(keys, dict) or not isinstance(signing, str) or signing not in keys:
        raise InvalidConfiguration("keys must have the key that signs")
    for key_id, secret in keys.items():
        if not KEY_ID.fullmatch(key_id) or not isinstance(secret, str):
            raise InvalidConfiguration("keys has an invalid key id")
        if not SECRET.fullmatch(secret):
            raise InvalidConfiguration("keys has a key that is not 32 to 128 printable characters")
    return GateKeys(signing, keys)
