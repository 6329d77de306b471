# SPDX-License-Identifier: Apache-2.0
"""Reset: check of the generation to end. ``EventState.next_generation`` starts the next.

No call returns rows of earlier generations; TTL deletes them.
"""

from __future__ import annotations

from waiting_room.domain.errors import InvalidInput, OtherGeneration
from waiting_room.domain.records import EventState

MAX_GENERATION = 2**53


def check_generation(value: object) -> int | None:
    """Return the generation to end, or None for any; raises InvalidInput."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_GENERATION:
        raise InvalidInput("generation must be a whole number from 1")
    return value


def check_is_current(state: EventState, generation: int | None) -> None:
    """Raise OtherGeneration unless ``generation`` is the current one, or None."""
    if generation is not None and state.generation != generation:
        raise OtherGeneration(state.generation)
