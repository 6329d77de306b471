# SPDX-License-Identifier: Apache-2.0
"""Reset: the next generation of an event. Older rows become invisible and leave by TTL."""

from __future__ import annotations

from waiting_room.records import EventState


def reset(state: EventState, now: float) -> EventState:
    """The event as it starts again; joins sent up to ``now`` belong to the line that ends."""
    return EventState(event_id=state.event_id, generation=state.generation + 1, reset_at=now)
