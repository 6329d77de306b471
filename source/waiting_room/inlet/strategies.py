# SPDX-License-Identifier: Apache-2.0
"""The strategies of the inlet: by how much to raise the serving counter now.

Pure; times are seconds since the epoch. *Periodic* admits a fixed number per minute unless the
alarm holds it. *MaxSize* replaces the visitors who left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from waiting_room.domain.events.alarms import NO_DATA, Alarm
from waiting_room.domain.parsing import is_whole


class Strategy(StrEnum):
    """Strategies, by their names in the deployment parameter ``InletStrategy``."""

    PERIODIC = "Periodic"
    MAX_SIZE = "MaxSize"


METRICS = {
    "generation": "generation", "serving": "serving_counter", "queue": "queue_counter",
    "holes": "holes", "tokens": "total_tokens", "expired": "positions_expired",
    "active": "active_tokens",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoomMetrics:
    """The members of ``GET /metrics`` that strategies use: counts, and the generation."""

    generation: int = 1
    serving: int = 0
    queue: int = 0
    holes: int = 0
    tokens: int = 0
    expired: int = 0
    active: int = 0

    @classmethod
    def from_metrics(cls, answer: Mapping[str, Any]) -> RoomMetrics:
        """Parse the response of the private API; raises ValueError for a value that is no count."""
        values: dict[str, int] = {}
        for name, shown in METRICS.items():
            value = answer.get(shown)
            if not is_whole(value) or value < 0:
                raise ValueError(f"{shown} must be a whole number from 0")
            values[name] = value
        return cls(**values)

    @property
    def outstanding(self) -> int:
        """Served positions that have no token yet and may still take one; never negative."""
        return max(0, self.serving - self.tokens - self.expired - self.holes)


@dataclass(frozen=True, slots=True)
class IncrementDecision:
    """Raise the serving counter by ``by`` (0: hold), with the reason for operators."""

    by: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """Working time of an inlet: from ``start`` until before ``end``; 0 means no end."""

    start: int = 0
    end: int = 0

    def closed_reason(self, now: float) -> str:
        """Return why the inlet does not work at ``now``; empty when it works."""
        if now < self.start:
            return "the start time is in the future"
        if self.end and now >= self.end:
            return "the end time is in the past"
        return ""

    def is_closed_throughout(self, first: float, last: float) -> bool:
        """Return whether the inlet works at no time from ``first`` to ``last``."""
        return last < self.start or bool(self.end and first >= self.end)


def with_missing_alarm(decision: IncrementDecision, alarm: Alarm) -> IncrementDecision:
    """Return the decision; its reason mentions an alarm that does not exist."""
    if alarm is not Alarm.MISSING:
        return decision
    return IncrementDecision(decision.by, f"{decision.reason}; {NO_DATA[alarm]}")


def tick_share(total: int, tick: int, ticks: int) -> int:
    """Return part ``tick`` (from 0) of ``total`` in ``ticks`` parts that differ by at most 1."""
    return total * (tick + 1) // ticks - total * tick // ticks


def periodic(increment_by: int, tick: int, ticks: int) -> IncrementDecision:
    """Decide for tick ``tick`` of a minute in which ``increment_by`` positions are admitted."""
    return IncrementDecision(tick_share(increment_by, tick, ticks), f"{increment_by} per minute")


def max_size(
    size: int, metrics: RoomMetrics, left: int, exited: int, *, fill: bool
) -> IncrementDecision:
    """Decide after ``left`` visitors left, ``exited`` of them without an ended session.

    Visitors without an ended session still count as active, unless their tokens expired. The
    increment is from 0 to ``size`` − active. It leaves room for all served visitors who have no
    token yet. An empty site, or a scheduled run (``fill``), is filled up to ``size``.
    """
    free = size - metrics.active - metrics.outstanding + min(exited, metrics.active)
    empty = metrics.active == 0 and metrics.outstanding == 0
    wanted = free if fill or empty else min(left, free)
    increment = max(0, min(wanted, size - metrics.active))
    usage = f"{metrics.active} of {size} active, {metrics.outstanding} served without a token"
    return IncrementDecision(increment, f"{left} left; {usage}" if left else usage)


@dataclass(frozen=True, slots=True)
class InletRecord:
    """The row that an inlet and its operators share; one per event.

    ``deployed`` are the targets of the deployment, ``targets`` the current ones.
    ``controller_state`` belongs to the strategy (JSON values). ``handled_ids`` are ids of recent
    Lambda events. ``last_at`` is 0 before the first run. ``alarm`` is the name of the watched
    alarm, or empty. ``alarm_state`` is its state in the last run, None if that run did not read
    it. ``alarm_holds`` is true while the alarm holds the inlet.
    """

    event_id: str
    strategy: Strategy
    deployed: Mapping[str, int]
    targets: Mapping[str, int]
    paused: bool = False
    version: int = 0
    controller_state: Mapping[str, Any] = field(default_factory=dict)
    handled_ids: tuple[str, ...] = ()
    last_at: int = 0
    last_increment: int = 0
    last_reason: str = ""
    alarm: str = ""
    alarm_state: Alarm | None = None
    alarm_holds: bool = False
