# SPDX-License-Identifier: Apache-2.0
"""The brake of admission: a share from 0 (stopped) to 1 (free) that follows the site's health.

While the site is unhealthy the brake halves every 30 s. It recovers within five minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from waiting_room.domain.events.alarms import NO_DATA, Alarm, alarm_hold_reason

HALF_LIFE = 30.0  # s in which the brake halves while the site is unhealthy
RECOVERY_SECONDS = 300.0  # from 0 to 1 once the site is healthy
REPORT_SECONDS = 120.0  # for which a health report is valid; then no report means unhealthy
LOWEST = 0.001  # a lower brake stops admission


class Health(StrEnum):
    """Health of the site."""

    NOT_REPORTED = "absent"  # neither alarm nor report: no brake
    HEALTHY = "good"
    UNHEALTHY = "poor"
    UNKNOWN = "unknown"  # keep the brake


@dataclass(frozen=True, slots=True)
class Signal:
    """Health, and the ``ceiling`` (0 to 1) of the brake."""

    health: Health = Health.NOT_REPORTED
    ceiling: float = 1.0


NO_SIGNAL = Signal()


def health_signal(
    alarm: Alarm, go_on_insufficient_data: bool, reported: float | None, age: float
) -> Signal:
    """Combine the alarm with the report from ``age`` seconds ago; the worse one decides."""
    no_source = alarm is Alarm.NONE and reported is None
    health, ceiling = Health.NOT_REPORTED if no_source else Health.HEALTHY, 1.0
    if alarm in NO_DATA:
        health = Health.HEALTHY if go_on_insufficient_data else Health.UNKNOWN
    elif alarm_hold_reason(alarm, go_on_insufficient_data):
        health = Health.UNHEALTHY
    if reported is not None:
        if age > REPORT_SECONDS:
            health = Health.UNHEALTHY
        else:
            ceiling = min(1.0, max(0.0, reported))
    return Signal(health, ceiling)


def first_brake(signal: Signal) -> float:
    """Return the brake at the first step."""
    return 0.0 if signal.health is Health.UNHEALTHY else signal.ceiling


def next_brake(brake: float, signal: Signal, elapsed: float) -> float:
    """Return the brake ``elapsed`` seconds after it was ``brake``."""
    if signal.health is Health.UNHEALTHY:
        brake *= 0.5 ** (elapsed / HALF_LIFE)
        brake = brake if brake >= LOWEST else 0.0
    elif signal.health is Health.NOT_REPORTED:
        brake = 1.0
    elif signal.health is Health.HEALTHY:
        brake += elapsed / RECOVERY_SECONDS
    return min(brake, signal.ceiling)
