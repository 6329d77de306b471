# SPDX-License-Identifier: Apache-2.0
"""Rules of the visitors who go straight through, while no visitor waits.

The serving counter is a little above the queue counter: positions are served before anyone has
them. The entrance takes such a position by one conditional write. ``line`` and ``shut`` of the
state row stop this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.records import EventState, Join

LINE_INTERVAL = 10  # s between two writes of ``line`` while visitors arrive
LINE_AGE = 30  # s since the last visitor who had to wait, before ``line`` is removed
LATE = 10.0  # s; an older join shows that visitors wait in the join queue
SHUT_AGE = 60  # s after which ``shut`` of an open event is left from a failed action
MICROSECONDS = 1_000_000
NO_REQUIREMENTS = {
    "client_secret": "optional", "proof": "none", "invitation": "none", "identity": "none",
}  # fmt: skip


def allows_straight_through(document: Mapping[str, Any], now: float) -> bool:
    """Return whether visitors of this event may go straight through at ``now`` (epoch s).

    The event is open, its order is first come, first served with one lane, and a join needs no
    secret, proof, invitation or identity.
    """
    return (
        phase_of(document, now) is Phase.OPEN
        and document["opening"] == "first_come"
        and len(document["lanes"]) == 1
        and dict(document["join"]) == NO_REQUIREMENTS
    )


def is_shut(document: Mapping[str, Any]) -> bool:
    """Return whether an action has paused, closed or drained the event."""
    return any(time is not None for time in document["control"].values())


def has_headroom(state: EventState) -> bool:
    """Return whether the next visitor may take a position that is served already."""
    return not state.line and not state.shut and state.queue < state.serving


def may_refill(state: EventState) -> bool:
    """Return whether admission may serve positions that no visitor has."""
    return not state.line and not state.shut and state.queue <= state.serving


def needs_line(state: EventState, now: float) -> bool:
    """Return whether a visitor who has to wait at ``now`` (epoch s) writes ``line``."""
    return not 0 <= now - state.line < LINE_INTERVAL


def may_remove_line(state: EventState, now: float) -> bool:
    """Return whether no visitor has had to wait for LINE_AGE seconds, and all are served."""
    return bool(state.line) and state.queue <= state.serving and now - state.line >= LINE_AGE


def is_late(joins: Iterable[Join], now: float) -> bool:
    """Return whether one of the joins waited longer than LATE seconds for its position."""
    return any(now - join.sent_at > LATE for join in joins)


def is_left_shut(state: EventState, document: Mapping[str, Any], now: float) -> bool:
    """Return whether ``shut`` is left from an action that failed between its two writes."""
    return bool(state.shut) and not is_shut(document) and now - shut_at(state) > SHUT_AGE


def shut_at(state: EventState) -> float:
    """Return the time (epoch s) of the action that set ``shut``."""
    return state.shut / MICROSECONDS


def shut_mark(now: float) -> int:
    """Return the value of ``shut`` for an action at ``now`` (epoch s)."""
    return int(now * MICROSECONDS)
