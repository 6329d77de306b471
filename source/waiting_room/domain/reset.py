# SPDX-License-Identifier: Apache-2.0
"""Reset: the next generation of an event. Older rows become invisible and leave by TTL."""

from __future__ import annotations

from waiting_room.domain.errors import InvalidInput, OtherGeneration
from waiting_room.domain.records import EventState

MAX_GENERATION = 2**53


def reset(state: EventState, now: float) -> EventState:
    """The event as it starts again; joins sent up to ``now`` belong to the line that ends."""
    return EventState(event_id=state.event_id, generation=state.generation + 1, reset_at=now)


def check_generation(value: object) -> int | None:
    """The generation that a caller means to reset, None for whichever; raises InvalidInput."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_GENERATION:
        raise InvalidInput("generation must be a whole number from 1")
    return value


def check_stands(state: EventState, generation: int | None) -> None:
    """Raise OtherGeneration unless ``generation`` is the one that stands, or none was meant."""
    if generation is not None and state.generation != generation:
        raise OtherGeneration("another generation of the waiting room stands", state.generation)
