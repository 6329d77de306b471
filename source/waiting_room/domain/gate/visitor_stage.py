# SPDX-License-Identifier: Apache-2.0
"""Stage of a visitor on the way to the site, for clients without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waiting_room.domain import expiry, serving_counter
from waiting_room.domain.errors import JoinRefused, RoomWasReset
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.registry import entry_of
from waiting_room.domain.records import EventState, Position, PositionStatus, Segment

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
    the seconds until the client asks again.
    """

    stage: Stage
    phase: Phase
    position: int = 0
    ahead: int = 0
    retry_after: int = ASSIGNING
    message: str = ""


def outside(document: Mapping[str, Any], now: float, message: str = "") -> VisitorStage:
    """Return the stage of a visitor who has not joined."""
    phase = phase_of(document, now)
    wait = serving_counter.poll_after(1, 0.0)
    return VisitorStage(Stage.OUTSIDE, phase, retry_after=wait, message=message)


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
    if row is None:
        return VisitorStage(Stage.JOINING, phase, message=message)
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
    return VisitorStage(Stage.WAITING, phase, row.position, ahead, wait, message)


def is_rated(document: Mapping[str, Any]) -> bool:
    """Return whether the event admits visitors at a known rate."""
    return document["admission"]["strategy"] in RATES
