# SPDX-License-Identifier: Apache-2.0
"""Phase of an event, computed from its document and the clock, and never stored."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Phase of an event."""

    SCHEDULED = "scheduled"  # no joins
    PRE_QUEUE = "pre_queue"  # joins are accepted, no turns
    OPEN = "open"
    PAUSED = "paused"  # joins are accepted, no new turns
    DRAINING = "draining"  # no joins, the queue is served
    CLOSED = "closed"  # no joins, turns or tokens
    PASS_THROUGH = "pass_through"  # every join is served at once  # noqa: S105

    @property
    def accepts_joins(self) -> bool:
        """True if a join that the join queue accepts in this phase gets a position."""
        return self not in (Phase.SCHEDULED, Phase.DRAINING, Phase.CLOSED)

    @property
    def serves(self) -> bool:
        """True if operators, inlets and the expiry sweep may raise the serving counter."""
        return self in (Phase.OPEN, Phase.DRAINING)


def phase_of(document: Mapping[str, Any], now: float) -> Phase:
    """Return the phase at ``now`` (epoch s). The first condition that holds decides.

    Only the members ``mode``, ``schedule`` and ``control`` are read. A time is reached in its own
    second.
    """
    schedule, control = document["schedule"], document["control"]
    if _reached(control["closed_at"], now):
        return Phase.CLOSED
    if _reached(schedule["closes_at"], now):
        return Phase(schedule["after"])
    if document["mode"] == Phase.PASS_THROUGH:
        return Phase.PASS_THROUGH
    if _reached(control["draining_since"], now):
        return Phase.DRAINING
    if _reached(control["paused_at"], now):
        return Phase.PAUSED
    if schedule["opens_at"] is None or _reached(schedule["opens_at"], now):
        return Phase.OPEN
    if _reached(schedule["pre_queue_at"], now):
        return Phase.PRE_QUEUE
    return Phase.SCHEDULED


def _reached(time: int | None, now: float) -> bool:
    return time is not None and time <= now
