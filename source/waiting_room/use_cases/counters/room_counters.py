# SPDX-License-Identifier: Apache-2.0
"""The counters as use cases see them, whatever their store is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from waiting_room.domain.records import NO_DETAILS, StateDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from waiting_room.domain.metrics import ServingNumber, WaitingNumber
    from waiting_room.domain.ports.counters import JoinLease
    from waiting_room.domain.records import Counts, EventState, Outcome, PositionStatus


class RoomCounters(Protocol):
    """Numbers of the events of a room. Unless it says otherwise, a method raises Unavailable."""

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers of an event, at least as new as the last lowering."""

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter; as current as ``counts``."""

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the waiting number; as current as ``counts``."""

    def position_status(self, event_id: str, position: int, generation: int = 0) -> PositionStatus:
        """Return the status of a position; as current as ``counts``.

        ``generation`` is the one of the position's row; raises RoomWasReset when a later one is
        current. 0 stands for the current generation.
        """

    def sync(self, state: EventState) -> None:
        """Update the counters to ``state``, which the table contains."""

    def follow(self, state: EventState, details: StateDetails = NO_DETAILS) -> None:
        """Update the counters to ``state`` and ``details`` now or later; raises nothing."""

    def announce(self, state: EventState) -> None:
        """Make an announced lowering known to readers of the counters before it is written."""

    def count_outcome(self, outcome: Outcome) -> bool:
        """Count a new token or an ended session, now or later; raises nothing.

        Returns False when a later generation is current.
        """

    def count_published(self, changed: Sequence[Outcome], extended: Sequence[Outcome]) -> None:
        """Count outcomes that the publisher's stream delivers, where its function counts them.

        ``extended`` are open sessions with a later end.
        """

    def count_delivered(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes that a stream delivers; a repeated delivery changes nothing."""

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Take a lease on each join; raises nothing."""

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Release leases early; raises nothing."""

    def rebuild(self, event_id: str, *, force: bool = False) -> None:
        """Make the counters complete; ``force`` discards a present copy."""

    def keep_up(self, state: EventState, now: int, *, reconciled_at: int, swept_at: int) -> None:
        """Do the upkeep of a minute, and store the times of its jobs; raises nothing."""

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Let the counters of a deleted event end in ``seconds``."""
