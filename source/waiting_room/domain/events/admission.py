# SPDX-License-Identifier: Apache-2.0
"""Automatic admission of an event: by how much to raise the serving counter in a step.

- ``rate`` admits up to ``per_minute`` positions a minute. A quota that is not used accumulates up
  to ``burst``.
- ``active`` keeps up to ``max_active`` visitors on the site and replaces no-shows.
- ``both`` admits what both limits allow. ``manual`` admits no visitor.

Admission never raises the serving counter above the queue counter. The quota accumulates instead,
so a visitor who joins an idle event is admitted by the next step. ``docs/admission.md`` explains
and plots the rules. Times are seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from waiting_room.domain.events import no_shows as rules
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.brake import (
    NO_SIGNAL,
    Health,
    Signal,
    first_brake,
    health_signal,
    next_brake,
)
from waiting_room.domain.events.no_shows import Group, NoShows
from waiting_room.domain.records import Counts

STEP = 10.0  # s between two steps while visitors wait
GATE_STEP = 5.0  # s; behind a gate, a visitor who leaves is replaced within STEP
MINUTE = 60.0
SAFETY_DEVIATIONS = 1.0  # standard deviations kept free below max_active
ALARM_SECONDS = 180.0  # for which a stored alarm state is valid


class AdmissionStrategy(StrEnum):
    """Values of ``admission.strategy``."""

    MANUAL = "manual"
    RATE = "rate"
    ACTIVE = "active"
    BOTH = "both"

    @property
    def limits_rate(self) -> bool:
        """True if ``per_minute`` limits admission."""
        return self in (AdmissionStrategy.RATE, AdmissionStrategy.BOTH)

    @property
    def limits_active(self) -> bool:
        """True if ``max_active`` limits admission."""
        return self in (AdmissionStrategy.ACTIVE, AdmissionStrategy.BOTH)


@dataclass(frozen=True, slots=True)
class AdmissionState:
    """State of an event's admission after the step at ``at``.

    ``credit``: positions that the quota allows and that were not admitted. ``waiting``: visitors
    waited after the step.
    """

    generation: int
    at: float
    credit: float
    brake: float = 1.0
    waiting: bool = False
    no_shows: NoShows = field(default_factory=NoShows)

    def to_json(self) -> dict[str, Any]:
        """Convert to short JSON values."""
        seen = self.no_shows
        return {
            "generation": self.generation,
            "at": round(self.at, 3),
            "credit": round(self.credit, 3),
            "brake": round(self.brake, 4),
            "waiting": int(self.waiting),
            "reached": seen.reached,
            "tokens": seen.tokens,
            "learned": [round(seen.arrived, 2), round(seen.expected, 2)],
            "groups": [
                [int(one.at), int(one.size), round(one.arrived, 2), int(one.is_sample)]
                for one in seen.groups
            ],
        }

    @classmethod
    def from_json(cls, stored: object) -> AdmissionState | None:
        """Read the result of ``to_json``; None for anything else: admission starts afresh."""
        if not isinstance(stored, dict):
            return None
        try:
            arrived, expected = (float(value) for value in stored["learned"])
            groups = tuple(
                Group(float(at), float(size), float(came), bool(sample))
                for at, size, came, sample in stored["groups"]
            )
            return cls(
                int(stored["generation"]),
                float(stored["at"]),
                float(stored["credit"]),
                float(stored["brake"]),
                bool(stored["waiting"]),
                NoShows(int(stored["reached"]), int(stored["tokens"]), groups, arrived, expected),
            )
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class AdmissionRecord:
    """The stored admission of an event. Steps, the site and the alarm reader each write a part.

    ``version`` counts steps. ``health`` is the site's last report, from 0 (down) to 1 (healthy), at
    ``health_at``. ``alarm_state`` is the state of the alarm ``alarm`` at ``alarm_at``.
    """

    event_id: str
    version: int = 0
    state: AdmissionState | None = None
    health: float | None = None
    health_at: int = 0
    alarm: str = ""
    alarm_state: Alarm | None = None
    alarm_at: int = 0


@dataclass(frozen=True, slots=True)
class AdmissionStep:
    """The state after a step, by how much to raise the serving counter, and the reason."""

    state: AdmissionState
    increment: int
    reason: str


def site_signal(admission: Mapping[str, Any], record: AdmissionRecord, now: float) -> Signal:
    """Return the signal of the brake from the alarm of the document and the site's reports.

    An alarm that was not read yet keeps the brake. One that could not be read for ALARM_SECONDS
    counts as unhealthy.
    """
    name = admission["alarm"]
    go = admission["on_insufficient_data"] == "go"
    age = now - record.health_at
    if not name:
        return health_signal(Alarm.NONE, go, record.health, age)
    if record.alarm != name or record.alarm_state is None:
        return health_signal(Alarm.INSUFFICIENT_DATA, False, record.health, age)
    alarm = Alarm.UNREADABLE if now - record.alarm_at > ALARM_SECONDS else record.alarm_state
    return health_signal(alarm, go, record.health, age)


def step_interval(strategy: str, *, is_gated: bool) -> float:
    """Return the seconds between two steps of an event while visitors wait."""
    counts_sessions = is_gated and AdmissionStrategy(strategy).limits_active
    return GATE_STEP if counts_sessions else STEP


def seconds_until_step(state: AdmissionState | None, now: float, interval: float = STEP) -> float:
    """Return in how many seconds the next step is due; 0 if it is due.

    Steps are ``interval`` seconds apart while visitors wait. A step that left no visitor waiting is
    followed by another one as soon as a visitor waits. A clock that stepped back delays no step by
    more than ``interval``.
    """
    if state is None or not state.waiting:
        return 0.0
    return min(interval, max(0.0, state.at + interval - now))


def step(
    admission: Mapping[str, Any],
    state: AdmissionState | None,
    counts: Counts,
    signal: Signal = NO_SIGNAL,
    now: float = 0.0,
    *,
    ahead: bool = False,
) -> AdmissionStep:
    """Decide at ``now``. ``admission`` is the member of the document; ``state`` is None at first.

    The increment is from 0 to the number of waiting positions. ``ahead``: no visitor waits, and
    positions are served before a visitor has them.
    """
    strategy = AdmissionStrategy(admission["strategy"])
    no_show_after = float(admission["no_show_after"])
    elapsed = max(0.0, now - state.at) if state else 0.0
    brake = next_brake(state.brake, signal, elapsed) if state else first_brake(signal)
    if state is None or state.generation != counts.generation:
        seen = rules.begin(counts, now, no_show_after, state.no_shows if state else None)
    else:
        seen = rules.observe(state.no_shows, counts, now, no_show_after)
    pace = pace_of(admission, strategy, brake)
    most = burst(admission, pace)
    credit = min(most, state.credit + pace * elapsed / MINUTE) if state else most
    credit = credit if pace else 0.0
    waiting = max(0, counts.queue - counts.serving)
    limits = [] if ahead else [(waiting, "every position is served")]
    if strategy is AdmissionStrategy.MANUAL:
        limits.append((0, "admission is manual"))
    if strategy.limits_rate:
        limits.append((math.floor(credit), f"{pace:g} per minute{_slowed(signal, brake)}"))
    if strategy.limits_active:
        limits.append(_active_limit(admission, strategy, brake, credit, counts, seen, now, signal))
    increment, reason = min(limits, key=lambda limit: limit[0])
    increment = max(0, increment)
    if increment:
        reached = rules.served_positions(counts, counts.serving + increment)
        seen = rules.serve_up_to(seen, reached, now, no_show_after)
    return AdmissionStep(
        AdmissionState(
            counts.generation,
            state.at if state and now < state.at <= now + STEP else now,  # clocks differ
            max(0.0, credit - increment),
            brake,
            waiting > increment,
            seen,
        ),
        increment,
        reason,
    )


def burst(admission: Mapping[str, Any], per_minute: float) -> float:
    """Return the maximum number of positions that unused quota accumulates.

    At least the quota of one step, and one position.
    """
    return max(float(admission["burst"] or 0), per_minute * STEP / MINUTE, 1.0)


def pace_of(admission: Mapping[str, Any], strategy: AdmissionStrategy, brake: float) -> float:
    """Return the positions per minute. With ``active`` alone it is the minimum rate."""
    high = float(admission["per_minute"]) if strategy.limits_rate else math.inf
    low = min(float(admission["min_per_minute"]), high)
    return low + (high - low) * brake if strategy.limits_rate else low


def _active_limit(
    admission: Mapping[str, Any],
    strategy: AdmissionStrategy,
    brake: float,
    credit: float,
    counts: Counts,
    seen: NoShows,
    now: float,
    signal: Signal,
) -> tuple[int, str]:
    """Return how many positions ``max_active`` allows, and the reason.

    With ``active`` alone the brake lowers the target; the minimum rate is kept below the target of
    the document.
    """
    target = int(admission["max_active"])
    taken = counts.active + max(0, counts.serving - counts.queue)  # headroom holds capacity too
    arriving = rules.expected_arrivals(seen, now, float(admission["no_show_after"]))
    allowed = _free_capacity(target - taken, seen, arriving)
    reason = f"{counts.active} of {target} active, {round(arriving)} expected to arrive"
    if strategy is AdmissionStrategy.ACTIVE and brake < 1:
        slowed = _free_capacity(math.floor(target * brake) - taken, seen, arriving)
        allowed = min(allowed, max(slowed, math.floor(credit)))
    return allowed, reason + _slowed(signal, brake)


def _free_capacity(free: int, seen: NoShows, arriving: float) -> int:
    """Return how many positions to admit so that the active visitors stay within the target.

    ``free`` is the target less the active visitors. Of n admitted visitors about share × n arrive,
    ± SAFETY_DEVIATIONS standard deviations; the upper limit must fit. Capacity that suffices even
    if all of them arrive is always used.
    """
    if free <= 0:
        return 0
    certain = math.floor(free - seen.pending)
    spread = SAFETY_DEVIATIONS * math.sqrt(1 - seen.arrival_share)
    most = ((math.sqrt(spread * spread + 4 * free) - spread) / 2) ** 2
    likely = math.floor((most - arriving) / seen.arrival_share)
    return max(0, certain, likely)


def _slowed(signal: Signal, brake: float) -> str:
    if brake >= 1:
        return ""
    cause = "the site is unhealthy" if signal.health is Health.UNHEALTHY else "the site recovers"
    return f"; brake at {brake:.0%}: {cause}"
