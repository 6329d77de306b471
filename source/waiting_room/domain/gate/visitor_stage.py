# SPDX-License-Identifier: Apache-2.0
"""Stage of a visitor on the way to the site, for clients without scripts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waiting_room.domain import expiry, serving_counter
from waiting_room.domain.errors import JoinRefused, RoomWasReset
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.registry import entry_of
from waiting_room.domain.records import EventState, Position, PositionStatus, Segment

OPENING = 60  # s after which a client that waits for an opening asks again, at most
CLOSED = 300  # s after which a client outside an event without joins asks again
ASSIGNING = 3  # s after which a client asks again for its position
RATES = {"rate", "both"}  # strategies with a known rate


class Stage(StrEnum):
    """Name of a stage."""

    OUTSIDE = "outside"  # has not joined
    JOINING = "joining"  # the join has no position yet
    WAITING = "waiting"
    TURN = "turn"


@dataclass(frozen=True, slots=True)
class VisitorStage:
    """Stage of a visitor, with the phase of the event.

    ``position`` is 0 without one. ``ahead`` are the visitors before this one. ``retry_after`` are
    the seconds until the client asks again. ``opens_in`` are the seconds until joins are accepted,
    or, in the pre-queue, until visitors are served; 0 if that is not known.
    """

    stage: Stage
    phase: Phase
    position: int = 0
    ahead: int = 0
    retry_after: int = ASSIGNING
    message: str = ""
    opens_in: int = 0


def outside(document: Mapping[str, Any], now: float, message: str = "") -> VisitorStage:
    """Return the stage of a visitor who has not joined."""
    phase = phase_of(document, now)
    wait = serving_counter.poll_after(1, 0.0)
    opens_in = opening_in(document, phase, now)
    if phase is Phase.CLOSED or phase is Phase.DRAINING:
        wait = CLOSED
    elif opens_in:
        wait = min(opens_in + 1, OPENING)
    return VisitorStage(Stage.OUTSIDE, phase, retry_after=wait, message=message, opens_in=opens_in)


def opening_in(document: Mapping[str, Any], phase: Phase, now: float) -> int:
    """Return the seconds until the next phase of an event that has not opened; 0 if unknown."""
    schedule = document["schedule"]
    times = {Phase.SCHEDULED: ("pre_queue_at", "opens_at"), Phase.PRE_QUEUE: ("opens_at",)}
    at = next((schedule[name] for name in times.get(phase, ()) if schedule[name] is not None), 0)
    return max(0, math.ceil(at - now))


def stage_of(
    row: Position | None,
    state: EventState,
    served: Sequence[Segment],
    document: Mapping[str, Any],
    now: float,
    message: str = "",
) -> VisitorStage:
    """Return the stage of a visitor who has joined, at ``now`` (epoch s).

    ``served`` are the served positions, which only a served position needs. Raises JoinRefused,
    RoomWasReset and PositionExpired.
    """
    phase = phase_of(document, now)
    if phase is Phase.CLOSED:
        raise JoinRefused("closed")
    opens_in = opening_in(document, phase, now)
    if row is None:
        return VisitorStage(Stage.JOINING, phase, message=message, opens_in=opens_in)
    if row.refused:
        raise JoinRefused(row.refused)
    if row.generation < state.generation:
        raise RoomWasReset
    at = serving_counter.served_at(served, row.position)
    status = PositionStatus(
        state.generation, state.serving, state.expired_through, at, counted=False
    )
    settings = entry_of(1, document).settings("", now)
    turn = expiry.turn_of(row, status, settings, int(now))
    if turn.state is not expiry.TurnState.WAITING:
        expiry.check_turn(turn)
        return VisitorStage(Stage.TURN, phase, row.position, retry_after=0, message=message)
    ahead = max(0, row.position - state.serving - 1)
    rate = document["admission"]["per_minute"] if is_rated(document) else 0
    wait = serving_counter.poll_after(ahead + 1, rate)
    if opens_in:
        wait = min(opens_in + 1, OPENING)
    return VisitorStage(Stage.WAITING, phase, row.position, ahead, wait, message, opens_in)


def is_rated(document: Mapping[str, Any]) -> bool:
    """Return whether the event admits visitors at a known rate."""
    return document["admission"]["strategy"] in RATES
