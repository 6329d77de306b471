# SPDX-License-Identifier: Apache-2.0
"""The Counters port in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from waiting_room.domain import counter_snapshot, serving_counter
from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.ports import JoinLease, RebuildLease
from waiting_room.domain.records import (
    Checkpoint,
    CounterUpkeepRequest,
    Counts,
    EventState,
    LiveToken,
    PositionStatus,
    Segment,
    ServingMove,
    SessionStatus,
    Snapshot,
    TokenTally,
)

CLAIM_LIFE = 60  # as in the Redis adapter


@dataclass
class _Copy:
    """What the counters hold of one event."""

    state: EventState
    served: list[Segment]
    settled_through: int
    tokens: int
    live: Counter[int]
    ended: dict[SessionStatus, int]
    taken: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    holes: set[int] = field(default_factory=set)
    unverified: int = 0
    dumped: tuple[int, ...] = ()
    reconciled_at: int = 0
    swept_at: int = 0
    first_moved_at: int = 0

    def figures(self) -> tuple[int, ...]:
        """What a checkpoint has to have."""
        return self.state.version, self.tokens, *self.ended.values()

    def note_first_move(self) -> None:
        """Remember when the oldest move was made, which ``trim`` may forget."""
        if self.served and not self.first_moved_at:
            self.first_moved_at = self.served[0].at


class MemoryCounters:
    """The Counters port in memory; ``lose`` forgets everything, as an emptied server does.

    With ``refuses_writes`` it answers as a server that lacks its replicas (``NOREPLICAS``): a call
    that would write changes nothing and raises Unavailable, a call that only reads is answered.
    """

    def __init__(self) -> None:
        self.refuses_writes = False
        self._copies: dict[str, _Copy] = {}
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
        """All figures."""
        with self._lock:
            copy = self._copy(event_id)
            state = copy.state
            return Counts(
                generation=state.generation,
                queue=state.queue,
                serving=state.serving,
                holes=state.holes + len(copy.holes),
                tokens=copy.tokens,
                expired=state.expired,
                active=sum(count for at, count in copy.live.items() if at > now),
                completed=copy.ended[SessionStatus.COMPLETED],
                abandoned=copy.ended[SessionStatus.ABANDONED],
                admitted_recently=serving_counter.admitted_recently(copy.served, now),
                admitting_since=copy.served[0].at if copy.served else 0,
                message=state.message,
                version=state.version,
                lowering=state.lowering,
                reconciled_at=copy.reconciled_at,
                swept_at=copy.swept_at,
                admitted_at=copy.served[-1].at if copy.served else 0,
                admitted_shortly=serving_counter.admitted_recently(copy.served, now, SHORTEST_RATE),
                first_moved_at=copy.first_moved_at,
                latest=tuple(copy.served[-LATEST_MOVES:]),
            )

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """What is known about one position."""
        with self._lock:
            copy = self._copy(event_id)
            return PositionStatus(
                copy.state.generation,
                copy.state.serving,
                copy.state.expired_through,
                serving_counter.served_at(copy.served, position),
                position in copy.taken or position <= copy.settled_through,
                copy.state.version,
                copy.state.lowering,
            )

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Note that this worker has these joins."""
        with self._lock:
            self._copy(event_id)
            self._writes()
            before = dict(self._claims)
            answers = []
            for request_id in request_ids:
                at, hour = before.get((event_id, request_id), (0, -1))
                if hour < now // 3600 - 1:  # kept for its hour and the next
                    answers.append(JoinLease.NEW)
                else:
                    answers.append(JoinLease.STALE if now - at > CLAIM_LIFE else JoinLease.HELD)
                if answers[-1] is not JoinLease.HELD:
                    self._claims[event_id, request_id] = (now, now // 3600)
            return answers

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Let the next worker have these joins."""
        with self._lock:
            self._writes()
            given_up = (0, now // 3600)
            self._claims.update({(event_id, request_id): given_up for request_id in request_ids})

    def apply(self, state: EventState, moves: Sequence[ServingMove] = ()) -> None:
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
            if state.message_at > had.message_at:
                had = replace(had, message=state.message, message_at=state.message_at)
            holes = {
                hole
                for hole in copy.holes | set(state.known_holes)
                if hole > had.reconciled_through
            }
            if had != copy.state or any(
                hole > had.reconciled_through for hole in state.known_holes
            ):
                self._writes()
            copy.state, copy.holes = had, holes

    def count_token(self, event_id: str, generation: int, position: int, expires_at: int) -> bool:
        """Count a token once."""
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
            state, tally = snapshot.state, counter_snapshot.of_snapshot(snapshot)
            if state.event_id in self._copies:
                return False
            if lease_id not in self._tickets.get(state.event_id, ()):
                raise CountersLost("the counters were lost again")
            self._writes()
            self._turns.pop(state.event_id, None)
            del self._tickets[state.event_id]
            copy = self._new(state)
            copy.settled_through, copy.unverified = tally.base, snapshot.unverified
            copy.served = serving_counter.of_snapshot(snapshot)
            copy.note_first_move()
            copy.tokens = tally.tokens
            copy.taken = counter_snapshot.positions_in(tally.taken)
            copy.closed = counter_snapshot.positions_in(tally.ended)
            copy.live = Counter(dict(tally.live))
            copy.ended = {
                SessionStatus.COMPLETED: tally.completed,
                SessionStatus.ABANDONED: tally.abandoned,
            }
            copy.holes = {hole for hole in state.known_holes if hole > state.reconciled_through}
            return True

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        """What a rebuild could start from."""
        with self._lock:
            copy = self._copy(event_id)
            self._writes()
            copy.dumped = copy.figures()
            taken, ended = bytearray(), bytearray()
            for bits, positions in ((taken, copy.taken), (ended, copy.closed)):
                for position in positions:
                    counter_snapshot.set_bit(bits, position)
            tally = TokenTally(
                base=copy.settled_through,
                taken=bytes(taken),
                ended=bytes(ended),
                live=tuple(sorted(copy.live.items())),
                tokens=copy.tokens,
                completed=copy.ended[SessionStatus.COMPLETED],
                abandoned=copy.ended[SessionStatus.ABANDONED],
            )
            state = copy.state
            return Checkpoint(state.generation, state.version, now, tuple(copy.served), tally)

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
                    self.count_token(event_id, generation, row.position, row.expires_at)
                else:
                    place = (event_id, generation, row.position, row.expires_at)
                    self.count_session(*place, row.status)
            if unverified < copy.unverified:
                self._writes()
                copy.unverified = unverified

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Forget dead tokens' figures."""
        with self._lock:
            copy = self._copy(event_id)
            if reconciled_at > copy.reconciled_at or swept_at > copy.swept_at:
                self._writes()
            copy.reconciled_at = max(copy.reconciled_at, reconciled_at)
            copy.swept_at = max(copy.swept_at, swept_at)
            for at in [at for at in copy.live if at <= now - 600]:
                self._writes()
                del copy.live[at]
            old = [
                part
                for part in copy.served[:-LATEST_MOVES]
                if part.last <= copy.state.expired_through and part.at < now - RATE_WINDOW
            ]
            if old:
                self._writes()
                copy.served = [part for part in copy.served if part not in old]
            return CounterUpkeepRequest(copy.dumped != copy.figures(), copy.unverified)

    def _writes(self) -> None:
        if self.refuses_writes:
            raise Unavailable("the counters are busy: NOREPLICAS")

    def _copy(self, event_id: str) -> _Copy:
        if event_id not in self._copies:
            raise CountersLost(event_id)
        return self._copies[event_id]

    def _current(self, event_id: str, generation: int) -> _Copy | None:
        copy = self._copy(event_id)
        if generation > copy.state.generation:
            raise CountersLost(event_id)
        return copy if generation == copy.state.generation else None

    def _new(self, state: EventState) -> _Copy:
        copy = _Copy(
            state,
            [],
            0,
            0,
            Counter(),
            {SessionStatus.COMPLETED: 0, SessionStatus.ABANDONED: 0},
        )
        self._copies[state.event_id] = copy
        return copy
