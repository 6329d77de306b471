# SPDX-License-Identifier: Apache-2.0
"""The counters: a fast copy of an event's numbers, split by who uses them.

``Counters`` is all that a use case needs. ``JoinLeases`` belongs to the join worker.
``CounterRebuild`` and ``CounterUpkeep`` exist where the copy can be lost, as on Redis. One round
trip for each method. Each method raises CountersLost when the copy is missing, or older than what
it is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from waiting_room.domain.counter_snapshot import (
    Checkpoint,
    CounterUpkeepRequest,
    LiveToken,
    Snapshot,
)
from waiting_room.domain.records import (
    Counts,
    EventState,
    PositionStatus,
    ServingMove,
    SessionStatus,
)


class JoinLease(IntEnum):
    """What a worker may do with a join that it received."""

    NEW = 0  # no worker had it: assign a position
    STALE = 1  # a worker had it and must have ended: assign a position if it has none
    HELD = 2  # a worker may have it: if it has no position yet, let the queue deliver it again


class RebuildLease(IntEnum):
    """Who rebuilds lost counters."""

    NOT_NEEDED = 0  # the counters are complete
    ACQUIRED = 1  # the caller, who must read the tables after this call returned
    HELD = 2  # another caller: ask again shortly


class Counters(Protocol):
    """The numbers of an event, for use cases."""

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers of an event."""

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """Return what the counters know about one position."""

    def apply(self, state: EventState, moves: Sequence[ServingMove] = ()) -> None:
        """Bring the copy up to ``state``, never back; a later generation empties it first.

        A ``state.lowering`` is kept until the copy has that version. Raises CountersLost when the
        copy lacks moves before ``state.move``; ``moves``, as the serving log gives them for
        ``state``, then replace what it has.
        """

    def count_token(self, event_id: str, generation: int, position: int, expires_at: int) -> bool:
        """Count a token once, however often it is called.

        Returns False, and counts nothing, for an older generation.
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
    """Short exclusive rights to assign positions to joins."""

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Take a lease on each join; returns one JoinLease for each, in order."""

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Let the next worker have these joins: it gets STALE for them."""


class CounterRebuild(Protocol):
    """The rebuild of lost counters, by one caller at a time."""

    def acquire_rebuild_lease(
        self, event_id: str, lease_id: str, *, force: bool = False
    ) -> RebuildLease:
        """Ask to be the caller who rebuilds; ``force`` first discards the present copy.

        A lease lasts some seconds; ``release_rebuild_lease`` ends it early.
        """

    def renew_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Extend a lease while the caller still reads the tables.

        Raises CountersLost when another caller has rebuilt the counters, or when they were lost
        after ``lease_id`` was taken.
        """

    def release_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Let the next caller rebuild."""

    def revoke_rebuild_leases(self, event_id: str) -> bool:
        """Make every rebuild under way read again; returns False when the copy is complete."""

    def restore(self, snapshot: Snapshot, lease_id: str) -> bool:
        """Replace the copy, unless it is complete; returns True when it was replaced.

        Raises CountersLost when the counters were lost after ``lease_id`` was taken: the snapshot
        may be older than what was counted since.
        """


class CounterUpkeep(Protocol):
    """What the minute worker asks of counters that can be lost."""

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Discard what no caller needs any more: expired tokens' numbers, old moves.

        Records when the reconciliation and the expiry sweep succeeded, if they did (0: not). Only
        the copy has these times: a reset keeps them, a rebuild loses them.
        """

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        """Return what a rebuild can start from; ``trim`` says when that has changed."""

    def recount(
        self, event_id: str, generation: int, rows: Sequence[LiveToken], unverified: int
    ) -> None:
        """Count what the copy lacks of these rows; rows up to ``unverified`` are still unread."""


class RebuildableCounters(Counters, JoinLeases, CounterRebuild, CounterUpkeep, Protocol):
    """Counters on a server that can lose them, such as Redis."""
