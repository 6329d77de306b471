# SPDX-License-Identifier: Apache-2.0
"""The state row of an event and the log of its serving counter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from waiting_room.domain.counter_snapshot import Checkpoint
from waiting_room.domain.records import NO_ATTEMPT, Attempt, EventState, Reservation, ServingMove


class ServingLog(Protocol):
    """The state of the event and the log of its serving moves."""

    def read(self, event_id: str) -> EventState:
        """The state; a consistent read; an event never seen starts in generation 1."""

    def reserve(
        self, event_id: str, count: int, known: EventState, attempt: Attempt = NO_ATTEMPT
    ) -> Reservation:
        """Take the next ``count`` positions; answers the state after it.

        Raises Conflict when generation or reset differ from ``known``. Never repeated by itself: a
        reservation whose answer was lost is unused, not a place given twice. A later ``attempt``
        is told of it.
        """

    def write(self, before: EventState, after: EventState) -> None:
        """Write all numbers but the queue counter.

        ``lowering`` is written only where the two differ, so that no other writer undoes it. A move
        is in the log before a later one can be written. Raises Conflict when ``before`` is no
        longer what stands.
        """

    def reset(self, before: EventState, after: EventState) -> None:
        """Start the next generation; raises Conflict when ``before`` was reset or moved since."""

    def add_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> EventState:
        """Add unused positions to the state.

        Raises Conflict after a reset, and when MAX_KNOWN_HOLES are remembered: the audit finds the
        others.
        """

    def set_message(self, event_id: str, generation: int, message: str, at: float) -> None:
        """Set the operators' message; raises Conflict when the room was reset meanwhile."""

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        """Return the latest complete checkpoint of a generation."""

    def save_checkpoint(self, event_id: str, checkpoint: Checkpoint) -> None:
        """Store a checkpoint; it replaces an older one."""

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        """The logged moves after a version up to the state's own, oldest first.

        Moves that only concern positions up to ``state.expired_through`` may be missing.
        """
