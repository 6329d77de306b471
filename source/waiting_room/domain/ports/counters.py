# SPDX-License-Identifier: Apache-2.0
"""Ports of the counters of an event, one port per kind of caller.

Use cases need ``Counters`` only; the join worker uses ``JoinLeases``. ``CounterRebuild`` and
``CounterUpkeep`` are for a store that can lose the copy, such as Redis. Each method takes one round
trip. It raises CountersLost when the copy is missing, or older than its arguments require.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from waiting_room.domain.records import NO_DETAILS, StateDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from waiting_room.domain.counter_snapshot import (
        Checkpoint,
        CounterUpkeepRequest,
        LiveToken,
        Snapshot,
    )
    from waiting_room.domain.metrics import ServingNumber, WaitingNumber
    from waiting_room.domain.records import (
        Counts,
        EventState,
        PositionStatus,
        ServingMove,
        SessionStatus,
    )


class JoinLease(IntEnum):
    """State of a join that a worker received."""

    NEW = 0  # no other lease: assign a position
    STALE = 1  # an earlier lease has ended: assign a position if it has none
    HELD = 2  # leased: if it has no position yet, the queue delivers it again


class RebuildLease(IntEnum):
    """Result of a request for the rebuild lease."""

    NOT_NEEDED = 0  # the counters are complete
    ACQUIRED = 1  # the caller rebuilds; it reads the tables after this call
    HELD = 2  # another caller rebuilds: retry after a short pause


class Counters(Protocol):
    """Numbers of an event, for use cases."""

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers of an event."""

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter."""

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the waiting number and the counts of which it is made."""

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """Return the status of one position."""

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Update the copy to ``state``, unless it is newer; a later generation empties it first.

        Of ``details``, which belong to the generation of ``state``, the copy takes a later message
        and further unused positions.
        The copy keeps a ``state.lowering`` until it has that version. Raises CountersLost when the
        copy lacks moves before ``state.move``; the caller then passes ``moves``, all moves of the
        serving log up to ``state``, which replace those of the copy.
        """

    def count_token(
        self, event_id: str, generation: int, position: int, expires_at: int, until: int = 0
    ) -> bool:
        """Count a token once, and its session at a gate until ``until`` (0: none); idempotent.

        An earlier ``until`` than before, and one of an ended session, changes nothing. Returns
        False, and counts nothing, for an older generation.
        """

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> bool:
        """Count an ended session once, and its token if that was not counted yet.

        Returns False, and counts nothing, for an older generation.
        """


class JoinLeases(Protocol):
    """Leases for assigning positions to joins."""

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Take a lease on each join; returns one JoinLease for each, in order."""

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Release leases: the next worker gets STALE for these joins."""


class CounterRebuild(Protocol):
    """Rebuild of lost counters, by one caller at a time."""

    def acquire_rebuild_lease(
        self, event_id: str, lease_id: str, *, force: bool = False
    ) -> RebuildLease:
        """Request the rebuild lease; ``force`` first discards the present copy.

        A lease lasts some seconds; ``release_rebuild_lease`` ends it early.
        """

    def renew_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Extend the lease while the caller reads the tables.

        Raises CountersLost when another caller has rebuilt the counters, or when they were lost
        after ``lease_id`` was taken.
        """

    def release_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Release the lease, so that another caller can rebuild."""

    def revoke_rebuild_leases(self, event_id: str) -> bool:
        """Revoke all leases, so that rebuilds read again; returns False if the copy is complete."""

    def restore(self, snapshot: Snapshot, lease_id: str) -> bool:
        """Replace the copy, unless it is complete; returns True when it was replaced.

        Raises CountersLost when the counters were lost after ``lease_id`` was taken: the snapshot
        may lack later counts.
        """


class CounterDisposal(Protocol):
    """Removal of the counters of a deleted event."""

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Let the copy end in ``seconds``, unless it has a later generation.

        Until then, callers that do not know of the deletion read it and do not rebuild it. An id
        that is used again before has a later generation, which replaces the copy at once.
        """


class CounterUpkeep(Protocol):
    """Upkeep of counters that can be lost, by the minute worker."""

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Discard data out of use: expired tokens and old moves.

        Stores the times at which the reconciliation and the expiry sweep succeeded (0: they did
        not). Only the copy has these times: a reset keeps them, a rebuild loses them.
        """

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        """Return a checkpoint for rebuilds; the result of ``trim`` shows whether it changed."""

    def recount(
        self, event_id: str, generation: int, rows: Sequence[LiveToken], unverified: int
    ) -> None:
        """Count the rows that the copy lacks; rows up to ``unverified`` are still unread."""


class RebuildableCounters(
    Counters, JoinLeases, CounterRebuild, CounterDisposal, CounterUpkeep, Protocol
):
    """Counters on a server that can lose them, such as Redis."""


class TableCounterStore(Counters, JoinLeases, CounterDisposal, Protocol):
    """Counters in the tables of the room: nothing is copied, and nothing has to be rebuilt.

    ``apply`` changes nothing: the state row is part of the counters. ``count_token`` and
    ``count_session`` are for single rows; a worker counts the rows of the tokens' stream.
    """

    def count(self, event_id: str, generation: int, rows: Sequence[LiveToken]) -> None:
        """Count rows, in any order; rows that are counted already change nothing.

        Raises Unavailable: some rows may be counted then, and the call can be repeated.
        """

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Shorten later reads, and store the times of jobs; as ``CounterUpkeep.trim``."""
