# SPDX-License-Identifier: Apache-2.0
"""Openings in the values of the edge's store: events that are open because the room has a fault.

The watchdog adds the member ``w`` (epoch s) to the state of an event: until then requests pass
without a session. The event's own writer keeps ``w`` while the event could be opened, and drops it
with any other change. Both update the store only in the version that they have read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from waiting_room.domain.parsing import UNREADABLE, is_whole

OPEN_FOR = 600  # s for which the watchdog opens an event
RENEW_BELOW = 300  # s that remain when it opens an event again
STATE = "e:"
UNTIL = "w"
ROOM_FOR_OPENING = len(f',"{UNTIL}":') + 10  # bytes of a value that the writer leaves free


def may_open(state: Mapping[str, Any], now: float) -> bool:
    """Return whether the watchdog may open an event with this state.

    The owner chose ``when_unreachable: open`` (``u``), and visitors are being admitted: not before
    ``a``, even if the event is draining; not paused (``h``), not closed (``x``, ``z``).
    """
    closed = state.get("x") or 0 < _time(state, "z") <= now
    may_ever = bool(state.get("u")) and not state.get("h")
    return may_ever and _time(state, "a") <= now and not closed


def openable(items: Mapping[str, str], now: float) -> list[str]:
    """Return the events of the store that the watchdog may open, in the order of their ids."""
    return [event_id for event_id, state in _states(items).items() if may_open(state, now)]


def opened(items: Mapping[str, str], now: float) -> dict[str, int]:
    """Return the events that are open because of a fault, and the end of each opening."""
    return {
        event_id: state[UNTIL]
        for event_id, state in _states(items).items()
        if _time(state, UNTIL) > now and may_open(state, now)
    }


def opening_changes(items: Mapping[str, str], lost: Collection[str], now: int) -> dict[str, str]:
    """Return the values that differ after a run of the watchdog.

    An event of ``lost`` gets OPEN_FOR seconds unless more than RENEW_BELOW remain. An opening of
    any other event ends.
    """
    changed = {}
    for event_id, state in _states(items).items():
        until = _time(state, UNTIL)
        if event_id in lost and may_open(state, now):
            if until - now < RENEW_BELOW:
                changed[STATE + event_id] = _json({**state, UNTIL: now + OPEN_FOR})
        elif until > now:
            changed[STATE + event_id] = _json(_without(state))
    return changed


def with_openings(
    stored: Mapping[str, str], wanted: Mapping[str, str], now: float
) -> dict[str, str]:
    """Return the wanted items with the openings that last: writer and watchdog share the store.

    An opening ends when the event may not be opened any more, and with another generation.
    """
    states, kept = _states(stored), dict(wanted)
    for event_id, state in _states(wanted).items():
        before = states.get(event_id, {})
        lasts = _time(before, UNTIL) > now and before.get("g") == state.get("g")
        if lasts and may_open(state, now):
            kept[STATE + event_id] = _json({**state, UNTIL: before[UNTIL]})
    return kept


def _states(items: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the states by event; a value that is no state has no members."""
    found = {}
    for key in sorted(items):
        if key.startswith(STATE):
            try:
                state = json.loads(items[key])
            except UNREADABLE:
                state = {}
            found[key.removeprefix(STATE)] = state if isinstance(state, dict) else {}
    return found


def _time(state: Mapping[str, Any], name: str) -> int:
    value = state.get(name)
    return value if is_whole(value) else 0


def _without(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != UNTIL}


def _json(value: Any) -> str:
    """Return the text that ``store_items`` makes: equal states have equal texts."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
