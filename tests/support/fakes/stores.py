# SPDX-License-Identifier: Apache-2.0
"""The twin of every port in memory: for tests and for reading. One suite holds twins and stores
to the same behaviour (``tests/contract``)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from waiting_room.domain import counter_snapshot, serving_counter
from waiting_room.domain.errors import Conflict, CountersLost, NoKeysYet, Unavailable
from waiting_room.domain.ports import ENDED_SHARDS, JoinLease, RebuildLease
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.records import (
    NO_ATTEMPT,
    Attempt,
    Checkpoint,
    CounterUpkeepRequest,
    Counts,
    DeadLetter,
    Ending,
    EventState,
    LiveToken,
    Outcome,
    Position,
    PositionStatus,
    Receipt,
    Reservation,
    Segment,
    ServingMove,
    SessionStatus,
    Snapshot,
    TokenTally,
)
from waiting_room.domain.room_settings import (
    LATEST_MOVES,
    MAX_KNOWN_HOLES,
    RATE_WINDOW,
    SHORTEST_RATE,
)
from waiting_room.domain.signing_keys import KeySet

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


class MemoryPositions:
    """The Positions port in memory; reads the generation from a MemoryServingLog."""

    def __init__(self, log: MemoryServingLog) -> None:
        self._log = log
        self._rows: dict[tuple[str, str], Position] = {}
        self._lock = threading.Lock()

    def get(self, event_id: str, request_id: str) -> Position | None:
        """The row of a request."""
        return self._rows.get((event_id, request_id))

    def get_with_generation(
        self,
        event_id: str,
        request_id: str,
        *,
        known_generation: int | None,
        consistent: bool = False,
    ) -> tuple[int, Position | None]:
        """The generation and the row."""
        generation = known_generation
        if generation is None:
            generation = self._log.read(event_id).generation
        return generation, self.get(event_id, request_id)

    def get_many(self, event_id: str, request_ids: Sequence[str]) -> dict[str, Position]:
        """The rows of several requests."""
        rows = {request_id: self.get(event_id, request_id) for request_id in request_ids}
        return {request_id: row for request_id, row in rows.items() if row}

    def insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write rows whose request has none."""
        with self._lock:
            return {
                row.request_id: self._rows.setdefault((row.event_id, row.request_id), row)
                for row in rows
            }

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Position]:
        """The rows of a range, without their secrets."""
        return [
            replace(row, client_secret_hash="")
            for row in list(self._rows.values())
            if (row.event_id, row.generation) == (event_id, generation)
            and row.position
            and first <= row.position <= last
        ]

    def count(self, event_id: str, generation: int, first: int, last: int) -> int:
        """How many rows there are in a range."""
        return len(list(self.in_range(event_id, generation, first, last)))


class MemoryOutcomes:
    """The Outcomes port in memory."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int, int], Outcome] = {}
        self._ended_by: dict[tuple[str, int, int], str] = {}
        self._lock = threading.Lock()

    def get(self, event_id: str, generation: int, position: int) -> Outcome | None:
        """The outcome of a position."""
        return self._rows.get((event_id, generation, position))

    def put_if_absent(self, outcome: Outcome) -> Outcome:
        """Write an outcome if there is none."""
        with self._lock:
            return self._rows.setdefault(_place(outcome), outcome)

    def put_expired(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Decide many expiries."""
        return [stands for one in outcomes if (stands := self.put_if_absent(one)).is_token]

    def end_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        status: SessionStatus,
        now: int,
        mark: str,
    ) -> Ending:
        """Set the status of an open session."""
        with self._lock:
            place = (event_id, generation, position)
            row = self._rows.get(place)
            if row is None or not row.is_token or row.status is not SessionStatus.OPEN:
                return Ending(self._ended_by.get(place) == mark, row)
            ended = replace(row, status=status, ended_at=now)
            self._rows[place], self._ended_by[place] = ended, mark
            return Ending(True, ended)

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Outcome]:
        """The outcomes of a range."""
        return [
            row
            for row in list(self._rows.values())
            if (row.event_id, row.generation) == (event_id, generation)
            and first <= row.position <= last
        ]

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> Iterable[LiveToken]:
        """The tokens of a range."""
        return [
            LiveToken(row.position, row.expires_at, row.counted_status)
            for row in self.in_range(event_id, generation, first, last)
            if row.is_token
        ]

    def ended_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids of ended sessions whose token's time is not over, by shard."""
        ends, position = after or (0, 0)
        if ends <= now:
            ends, position = 0, position % ENDED_SHARDS - ENDED_SHARDS  # before the shard's first
        found = sorted(
            (row.position % ENDED_SHARDS, row.expires_at, row.position, row.request_id)
            for row in self.in_range(event_id, generation, 1, 2**53)
            if row.is_token
            and row.status is not SessionStatus.OPEN
            and now < row.expires_at
            and (row.position % ENDED_SHARDS, row.expires_at, row.position)
            > (position % ENDED_SHARDS, ends, position)
        )
        page = found[:limit]
        mark = (page[-1][1], page[-1][2]) if len(found) > limit else None
        return [request_id for *_, request_id in page], mark

    def expired_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[Outcome], tuple[int, int] | None]:
        """Open sessions whose token's time is over, by position."""
        found = sorted(
            (
                row
                for row in self.in_range(event_id, generation, 1, 2**53)
                if row.is_token
                and row.status is SessionStatus.OPEN
                and row.expires_at <= now
                and row.position > (after or (0, 0))[1]
            ),
            key=lambda row: row.position,
        )
        page = found[:limit]
        return page, (0, page[-1].position) if len(found) > limit else None


class MemoryServingLog:
    """The ServingLog port in memory."""

    def __init__(self) -> None:
        self._states: dict[str, EventState] = {}
        self._moves: dict[tuple[str, int], list[ServingMove]] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._tries: dict[tuple[str, int, int], tuple[str, int]] = {}
        self._lock = threading.Lock()

    def read(self, event_id: str) -> EventState:
        """The state."""
        with self._lock:
            return self._states.setdefault(event_id, EventState(event_id))

    def reserve(
        self, event_id: str, count: int, known: EventState, attempt: Attempt = NO_ATTEMPT
    ) -> Reservation:
        """Take the next ``count`` positions."""
        with self._lock:
            state = self._of(event_id, known.generation)
            if state.reset_at != known.reset_at:
                raise Conflict
            state = self._put(replace(state, queue=state.queue + count))
            key = event_id, state.generation, attempt.slot
            token, end = self._tries.get(key, ("", 0))
            self._tries[key] = attempt.token, state.queue
            return Reservation(state, attempt.unused(token, end))

    def write(self, before: EventState, after: EventState) -> None:
        """Change everything but the queue."""
        with self._lock:
            state = self._standing(before)
            if after.version > before.version and before.move:
                line = self._moves.setdefault((before.event_id, before.generation), [])
                line.append(before.move)
            holes = set(state.known_holes) - (set(before.known_holes) - set(after.known_holes))
            self._put(
                replace(
                    after,
                    queue=state.queue,
                    known_holes=tuple(sorted(holes)),
                    message=state.message,
                    message_at=state.message_at,
                    lowering=state.lowering
                    if after.lowering == before.lowering
                    else after.lowering,
                )
            )

    def reset(self, before: EventState, after: EventState) -> None:
        """Start the next generation."""
        with self._lock:
            if self._of(before.event_id, before.generation).version != before.version:
                raise Conflict
            self._put(after)

    def add_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> EventState:
        """Remember positions that will never be held."""
        with self._lock:
            state = self._of(event_id, generation)
            if len(state.known_holes) >= MAX_KNOWN_HOLES:
                raise Conflict
            noted = list(positions)[:MAX_KNOWN_HOLES]
            holes = tuple(sorted({*state.known_holes, *noted}))
            return self._put(replace(state, known_holes=holes))

    def set_message(self, event_id: str, generation: int, message: str, at: float) -> None:
        """Set the operators' message."""
        with self._lock:
            self._put(replace(self._of(event_id, generation), message=message, message_at=at))

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        """The latest checkpoint."""
        found = self._checkpoints.get(event_id)
        return found if found and found.generation == generation else None

    def save_checkpoint(self, event_id: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint."""
        self._checkpoints[event_id] = checkpoint

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        """The logged moves; the latest is the state's own until the next one is written."""
        if state.move is None or state.version <= after_version:
            return []
        found = [state.move]
        line = self._moves.get((state.event_id, state.generation), [])
        for move in sorted(line, key=lambda move: -move.version):
            if serving_counter.reaches_back(state, found[-1], after_version):
                break
            if move.version < state.version:
                found.append(move)
        return found[::-1]

    def _of(self, event_id: str, generation: int) -> EventState:
        state = self._states.get(event_id)
        if state is None or state.generation != generation:
            raise Conflict
        return state

    def _standing(self, before: EventState) -> EventState:
        state = self._of(before.event_id, before.generation)
        for name in (
            "version",
            "expired_through",
            "reconciled_through",
            "pending_since",
            "settled_through",
        ):
            if getattr(state, name) != getattr(before, name):
                raise Conflict
        return state

    def _put(self, state: EventState) -> EventState:
        self._states[state.event_id] = state
        return state


class MemoryKeys:
    """The KeyStore port in memory; nothing is kept apart from what stands."""

    def __init__(self, keys: KeySet | None = None) -> None:
        self._keys = keys or KeySet(())
        self._lock = threading.Lock()

    def load(self) -> KeySet:
        """The keys."""
        if not self._keys.keys:
            raise NoKeysYet
        return self._keys

    def refresh(self) -> KeySet:
        """The keys; an empty set before the first."""
        return self._keys

    def save(self, keys: KeySet, before: KeySet) -> None:
        """Replace the keys."""
        with self._lock:
            if self._keys.version != before.version:
                raise Conflict
            self._keys = replace(keys, version=f"{int(before.version or 0) + 1}")


class MemoryPublicKeys:
    """The PublicKeys port in memory; nothing is kept apart from what stands."""

    def __init__(self, publication: Publication | None = None) -> None:
        self._publication = publication or Publication()
        self._lock = threading.Lock()

    def refresh(self) -> Publication:
        """The published keys."""
        return self._publication

    load = refresh

    def save(self, publication: Publication, before: Publication) -> None:
        """Publish."""
        with self._lock:
            if self._publication.version != before.version:
                raise Conflict
            self._publication = publication


class MemoryEventBus:
    """The Events port in memory: ``published`` lists (detail type, detail)."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, object]]] = []

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Put events on the bus."""
        self.published.extend((detail_type, detail) for detail in details)


def _place(outcome: Outcome) -> tuple[str, int, int]:
    return outcome.event_id, outcome.generation, outcome.position


class MemoryJoinQueue:
    """The JoinsQueue port in memory."""

    def __init__(self) -> None:
        self.buried: list[DeadLetter] = []
        self.due: dict[Receipt, int] = {}

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Keep messages as dead letters."""
        self.buried += letters
        return frozenset()

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Remember when messages come again."""
        self.due |= receipts
