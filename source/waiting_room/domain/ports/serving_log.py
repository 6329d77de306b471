# SPDX-License-Identifier: Apache-2.0
"""Port of the serving log: state row, its details, and serving moves of an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from waiting_room.domain.counter_snapshot import Checkpoint
from waiting_room.domain.records import EventState, ServingMove, StateDetails


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to reserve positions; a later attempt finds out whether it succeeded.

    The state row stores the latest ``token`` of each of SLOTS slots; a worker has one slot.
    ``lost`` is the token of the worker's last attempt without a response, for ``lost_count``
    positions.
    """

    slot: int = 0
    token: str = ""
    lost: str = ""
    lost_count: int = 0

    def unused(self, before: str, end: int) -> range:
        """Return the positions up to ``end`` that the lost attempt reserved.

        Empty unless ``before``, the slot's previous token, is that of the lost attempt. No worker
        assigns these positions, because the response to their reservation was lost.
        """
        if not self.lost or before != self.lost:
            return range(0)
        return range(end - self.lost_count + 1, end + 1)


SLOTS = 8  # attempts stored; two workers in one slot only hide a lost attempt from each other
NO_ATTEMPT = Attempt()


@dataclass(frozen=True, slots=True)
class Reservation:
    """The state after a reservation, and the unused positions of an earlier lost attempt."""

    state: EventState
    unused: range = range(0)


class ServingLog(Protocol):
    """State rows and logged moves."""

    def read(self, event_id: str) -> EventState:
        """Return the state by a consistent read; an event without a row is in generation 1."""

    def read_with_details(self, event_id: str) -> tuple[EventState, StateDetails]:
        """Return the state as ``read`` does, and the details of its generation, by one request.

        The two may be of different moments; the state is the older one.
        """

    def reserve(
        self, event_id: str, count: int, known: EventState, attempt: Attempt = NO_ATTEMPT
    ) -> Reservation:
        """Reserve the next ``count`` positions; return the new state.

        Raises Conflict when generation or reset differ from ``known``. The adapter does not retry:
        without a response, the positions stay unused, and none is assigned twice. The result of a
        later ``attempt`` contains them.
        """

    def write(self, before: EventState, after: EventState) -> EventState:
        """Write the numbers that differ, but not the queue counter; return the new state.

        Numbers that other writers change at any time, such as ``lowering``, are written only if the
        two states differ in them. The state contains the latest moves; they are logged before a
        state without them can be written. Raises Conflict when ``before`` is not current.
        """

    def reset(self, before: EventState, after: EventState) -> None:
        """Start the next generation; raises Conflict after another reset or move."""

    def add_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> StateDetails:
        """Add to the known unused positions of a generation; return all of them.

        Raises Conflict when a later generation has some, and above MAX_UNUSED_POSITIONS; the
        reconciliation finds the others.
        """

    def remove_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> None:
        """Remove known unused positions, which ``holes`` of the state row counts by now."""

    def set_message(self, event_id: str, generation: int, message: str, at: float) -> None:
        """Set the operators' message of a generation.

        Raises Conflict when there is one of a later generation, or of the same one at or after
        ``at`` (s).
        """

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        """Return the latest complete checkpoint of a generation."""

    def save_checkpoint(self, event_id: str, checkpoint: Checkpoint) -> None:
        """Store a checkpoint and replace an older one."""

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        """Return the logged moves after a version, up to the state's version, oldest first.

        Moves that only concern positions up to ``state.expired_through`` may be missing.
        """
