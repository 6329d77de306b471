# SPDX-License-Identifier: Apache-2.0
"""The Counters port in memory.

The module has more than 300 lines because the class is one port, with each of its methods.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from tests.support.fakes.counter_copy import CounterCopy
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import (
    Checkpoint,
    CounterUpkeepRequest,
    LiveToken,
    Snapshot,
)
from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.metrics import ServingNumber, WaitingNumber
from waiting_room.domain.ports.counters import JoinLease, RebuildLease
from waiting_room.domain.records import (
    NO_DETAILS,
    Counts,
    EventState,
    PositionStatus,
    ServingMove,
    SessionStatus,
    StateDetails,
)

JOIN_LEASE_LIFE = 60  # as in the Redis adapter


class MemoryCounters:
    """The Counters port in memory; ``lose`` forgets everything, as an emptied server does.

    With ``refuses_writes`` it behaves as a server without its replicas (``NOREPLICAS``): a call
    that would write changes nothing and raises Unavailable, a call that only reads succeeds.
    """

    def __init__(self) -> None:
        self.refuses_writes = False
        self._copies: dict[str, CounterCopy] = {}
        self._claims: dict[tuple[str, str], tuple[int, int]] = {}  # at (s), hour
        self._turns: dict[str, str] = {}
        self._tickets: dict[str, set[str]] = {}
        self._lock = threading.RLock()

    def lose(self) -> None:
        """Forget everything."""
        with self._lock:
            self._copies.clear()
            self._claims.clear()
            self._turns.clear()
            self._tickets.clear()

    def counts(self, event_id: str, now: int) -> Counts:
        """Return all numbers."""
        with self._lock:
            return self._copy(event_id).counts(now)

    def serving_number(self, event_id: str) -> ServingNumber:
        """Return the serving counter."""
        with self._lock:
            state = self._copy(event_id).state
            return ServingNumber(state.generation, state.version, state.lowering, state.serving)

    def waiting_number(self, event_id: str) -> WaitingNumber:
        """Return the counts of the waiting number."""
        with self._lock:
            counts = self._copy(event_id).counts(0)
            return WaitingNumber(
                counts.generation, counts.version, counts.lowering,
                counts.queue, counts.holes, counts.tokens, counts.expired,
            )  # fmt: skip

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """Return the status of one position."""
        with self._lock:
            return self._copy(event_id).position_status(position)

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Note that this worker has these joins."""
        with self._lock:
            self._copy(event_id)
            self._writes()
            before = dict(self._claims)
            leases = []
            for request_id in request_ids:
                at, hour = before.get((event_id, request_id), (0, -1))
                if hour < now // 3600 - 1:  # kept for its hour and the next
                    leases.append(JoinLease.NEW)
                else:
                    leases.append(JoinLease.STALE if now - at > JOIN_LEASE_LIFE else JoinLease.HELD)
                if leases[-1] is not JoinLease.HELD:
                    self._claims[event_id, request_id] = (now, now // 3600)
            return leases

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Let the next worker have these joins."""
        with self._lock:
            self._writes()
            given_up = (0, now // 3600)
            self._claims.update({(event_id, request_id): given_up for request_id in request_ids})

    def apply(
        self,
        state: EventState,
        moves: Sequence[ServingMove] = (),
        details: StateDetails = NO_DETAILS,
    ) -> None:
        """Bring the copy up to ``state``."""
        with self._lock:
            copy = self._copy(state.event_id)
            had = copy.state
            if state.generation < had.generation:
                return
            if state.generation > had.generation:
                self._writes()
                noted = copy.reconciled_at, copy.swept_at
                copy = self._new(EventState(state.event_id, state.generation))
                copy.reconciled_at, copy.swept_at = noted
                had = copy.state
            if state.version > had.version:
                if not moves and state.version > had.version + 1:
                    raise CountersLost("moves are missing")
                self._writes()
                step = [state.move] if state.move else []
                copy.served = (
                    serving_counter.segments(moves, expired_through=state.expired_through)
                    if moves
                    else serving_counter.segments(
                        step, expired_through=0, version=had.version, start=copy.served
                    )
                )
                copy.note_first_move()
                had = replace(had, version=state.version, serving=state.serving, move=state.move)
            had = replace(
                had,
                queue=max(had.queue, state.queue),
                lowering=max(had.lowering, state.lowering),
            )
            if state.expired_through > had.expired_through:
                had = replace(had, expired_through=state.expired_through, expired=state.expired)
            if state.reconciled_through > had.reconciled_through:
                had = replace(had, reconciled_through=state.reconciled_through, holes=state.holes)
            if details.message_at > copy.message_at:
                self._writes()
                copy.message, copy.message_at = details.message, details.message_at
            holes = {
                hole
                for hole in copy.holes | set(details.unused_positions)
                if hole > had.reconciled_through
            }
            if had != copy.state or any(
                hole > had.reconciled_through for hole in details.unused_positions
            ):
                self._writes()
            copy.state, copy.holes = had, holes

    def count_token(
        self, event_id: str, generation: int, position: int, expires_at: int, until: int = 0
    ) -> bool:
        """Count a token and its session once."""
        with self._lock:
            copy = self._current(event_id, generation)
            if copy is None:
                return False
            if position <= copy.settled_through:
                return True
            self._writes()
            if position not in copy.taken:
                copy.taken.add(position)
                copy.tokens += 1
                copy.live[expires_at] += 1
            copy.mark_session(position, until)
            return True

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> bool:
        """Count an ended session once."""
        with self._lock:
            self.count_token(event_id, generation, position, expires_at)
            copy = self._current(event_id, generation)
            if copy is None:
                return False
            if position > copy.settled_through and position not in copy.closed:
                copy.closed.add(position)
                copy.ended[status] += 1
                copy.sessions.pop(position, None)
                if expires_at in copy.live:
                    copy.live[expires_at] -= 1
            return True

    def acquire_rebuild_lease(
        self, event_id: str, lease_id: str, *, force: bool = False
    ) -> RebuildLease:
        """Ask to be the one who rebuilds."""
        with self._lock:
            if event_id in self._copies and not force:
                return RebuildLease.NOT_NEEDED
            if event_id in self._copies or self._turns.get(event_id, lease_id) == lease_id:
                self._writes()
            if self._copies.pop(event_id, None):
                self._turns.pop(event_id, None)
                self._tickets.pop(event_id, None)
            if self._turns.setdefault(event_id, lease_id) != lease_id:
                return RebuildLease.HELD
            self._tickets.setdefault(event_id, set()).add(lease_id)
            return RebuildLease.ACQUIRED

    def renew_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Say that the caller is still reading."""
        with self._lock:
            if event_id in self._copies or lease_id not in self._tickets.get(event_id, ()):
                raise CountersLost("read again")
            self._writes()

    def release_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Let the next caller try."""
        with self._lock:
            if self._turns.get(event_id) == lease_id:
                self._writes()
                del self._turns[event_id]

    def revoke_rebuild_leases(self, event_id: str) -> bool:
        """Let every rebuild that is under way read again."""
        with self._lock:
            if event_id in self._copies:
                return False
            self._writes()
            self._turns.pop(event_id, None)
            self._tickets.pop(event_id, None)
            return True

    def restore(self, snapshot: Snapshot, lease_id: str) -> bool:
        """Replace the copy."""
        with self._lock:
            state = snapshot.state
            if state.event_id in self._copies:
                return False
            if lease_id not in self._tickets.get(state.event_id, ()):
                raise CountersLost("the counters were lost again")
            self._writes()
            self._turns.pop(state.event_id, None)
            del self._tickets[state.event_id]
            self._copies[state.event_id] = CounterCopy.of_snapshot(snapshot)
            return True

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        """Return a checkpoint for rebuilds."""
        with self._lock:
            copy = self._copy(event_id)
            self._writes()
            return copy.checkpoint(now)

    def recount(
        self, event_id: str, generation: int, rows: Sequence[LiveToken], unverified: int
    ) -> None:
        """Count what the copy missed of these rows."""
        with self._lock:
            copy = self._current(event_id, generation)
            if copy is None:
                return
            for row in rows:
                if row.status is SessionStatus.OPEN:
                    key = (event_id, generation, row.position, row.expires_at)
                    self.count_token(*key, row.until)
                else:
                    key = (event_id, generation, row.position, row.expires_at)
                    self.count_session(*key, row.status)
            if unverified < copy.unverified:
                self._writes()
                copy.unverified = unverified

    def discard(self, event_id: str, generation: int, seconds: int) -> None:
        """Forget the copy at once: it has no clock."""
        with self._lock:
            copy = self._copies.get(event_id)
            if copy is not None and copy.state.generation > generation:
                return
            for mine in (self._copies, self._turns, self._tickets):
                mine.pop(event_id, None)

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Discard the numbers of expired tokens."""
        with self._lock:
            copy = self._copy(event_id)
            if reconciled_at > copy.reconciled_at or swept_at > copy.swept_at:
                self._writes()
            copy.reconciled_at = max(copy.reconciled_at, reconciled_at)
            copy.swept_at = max(copy.swept_at, swept_at)
            if copy.has_old(now):
                self._writes()
                copy.forget_old(now)
            return CounterUpkeepRequest(copy.dumped != copy.checkpointed_counts(), copy.unverified)

    def _writes(self) -> None:
        if self.refuses_writes:
            raise Unavailable("the counters are busy: NOREPLICAS")

    def _copy(self, event_id: str) -> CounterCopy:
        if event_id not in self._copies:
            raise CountersLost(event_id)
        return self._copies[event_id]

    def _current(self, event_id: str, generation: int) -> CounterCopy | None:
        copy = self._copy(event_id)
        if generation > copy.state.generation:
            raise CountersLost(event_id)
        return copy if generation == copy.state.generation else None

    def _new(self, state: EventState) -> CounterCopy:
        copy = self._copies[state.event_id] = CounterCopy(state)
        return copy
