# SPDX-License-Identifier: Apache-2.0
"""Times at which automatic admission of an event runs."""

from __future__ import annotations

from waiting_room.domain.events.admission import AdmissionStrategy
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.events.registry import RegistryEntry


def admits(entry: RegistryEntry, now: float) -> bool:
    """Return whether the room raises the serving counter of this event by itself at ``now``."""
    phase = entry.phase(now)
    if phase is Phase.PASS_THROUGH:
        return True
    return phase.serves and entry.strategy != AdmissionStrategy.MANUAL


def works(entry: RegistryEntry, now: float) -> bool:
    """Return whether the workers of admission process this event at ``now``.

    Behind a gate they also remove ``line`` and open the headroom of an open event.
    """
    return admits(entry, now) or (entry.gated and entry.phase(now) is Phase.OPEN)


def admits_from(entry: RegistryEntry, now: float, end: float) -> float | None:
    """Return when the room begins to raise the serving counter by the schedule, before ``end``.

    None if it does so at ``now``, or does not begin in between. Times are epoch seconds.
    """
    if admits(entry, now):
        return None
    schedule = entry.now.schedule
    times = (schedule["opens_at"], schedule["closes_at"])
    return min((at for at in times if at and now < at < end and admits(entry, at)), default=None)
