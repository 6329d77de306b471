# SPDX-License-Identifier: Apache-2.0
"""Decision whether an event accepts a join, by the time at which the join queue accepted it."""

from __future__ import annotations

from waiting_room.domain.events.phase import Phase
from waiting_room.domain.events.registry import RegistryEntry
from waiting_room.domain.records import Join

UNKNOWN_EVENT = "unknown_event"
REASONS = {Phase.SCHEDULED: "not_open", Phase.DRAINING: "draining", Phase.CLOSED: "closed"}


def refusal(entry: RegistryEntry | None, join: Join) -> str:
    """Return the reason for which an event refuses a join; empty if it accepts the join.

    ``entry`` is None for an event that does not exist.
    """
    if entry is None:
        return UNKNOWN_EVENT
    phase = entry.phase_when(join.sent_at)
    if not phase.accepts_joins:
        return REASONS[phase]
    if entry.client_secret_required and not join.client_secret_hash:
        return "client_secret"
    return ""
