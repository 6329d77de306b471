# SPDX-License-Identifier: Apache-2.0
"""What the room needs from the world. Each port has a real adapter and a twin in memory.

Every method may raise ``Unavailable`` when its store does not answer in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Protocol

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
    ServingMove,
    SessionStatus,
    Snapshot,
)
from waiting_room.domain.signing_keys import KeySet

# Shards of the ended sessions of an event. A partition of an index takes 1,000 writes/s and holds
# up its table beyond: 4,000 sessions may end in a second, as many as a new table takes writes.
ENDED_SHARDS = 4


class Clock(Protocol):
    """The time as seconds since the epoch, with fraction."""

    def __call__(self) -> float: ...


class JoinLease(IntEnum):
    """What a worker may do with a join it received."""

    NEW = 0  # nobody has seen it: give it a place
    STALE = 1  # a worker had it and must be dead by now: give it a place if it has none
    HELD = 2  # a worker may be at it: if it has no place yet, let the queue deliver it again


class RebuildLease(IntEnum):
    """Who brings lost counters back."""

    NOT_NEEDED = 0  # nobody needs to
    ACQUIRED = 1  # the caller, who must read the tables after this answer
    HELD = 2  # somebody is at it: ask again shortly


class Counters(Protocol):
    """The fast copy of an event's figures. One round trip per method.

    Raises CountersLost when the copy is missing or older than what it is asked about.
    """

    def counts(self, event_id: str, now: int) -> Counts:
        """All figures."""

    def position_status(self, event_id: str, position: int) -> PositionStatus:
        """What is known about one position."""

    def acquire_join_leases(
        self, event_id: str, request_ids: Sequence[str], now: int
    ) -> list[JoinLease]:
        """Note that this worker has these joins; answers one Claim each."""

    def release_join_leases(self, event_id: str, request_ids: Sequence[str], now: int) -> None:
        """Let the next worker have these joins: its claims answer CHECK."""

    def apply(self, state: EventState, moves: Sequence[ServingMove] = ()) -> None:
        """Bring the copy up to ``state`` and never behind; a later generation empties it first.

        A ``state.lowering`` is remembered until the copy has that version. Raises CountersLost when
        the copy lacks moves before ``state.move``; ``moves``, as the log gives them for ``state``,
        then replace what it has.
        """

    def count_token(self, event_id: str, generation: int, position: int, expires_at: int) -> bool:
        """Count a token once, however often it is called; False, and no count, of an older line."""

    def count_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        expires_at: int,
        status: SessionStatus,
    ) -> bool:
        """Count an ended session once; counts its token too if that was not counted yet.

        False, and no count, of an older line.
        """

    def acquire_rebuild_lease(
        self, event_id: str, lease_id: str, *, force: bool = False
    ) -> RebuildLease:
        """Ask to be the one who rebuilds; ``force`` first gives up the copy that stands.

        A turn lasts some seconds; ``end_rebuild`` gives it away.
        """

    def renew_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Say that the caller is still reading.

        Raises CountersLost when that is in vain: another caller was quicker, or the counters were
        lost after ``lease_id`` was taken.
        """

    def release_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        """Let the next caller try."""

    def revoke_rebuild_leases(self, event_id: str) -> bool:
        """Let every rebuild that is under way read again; False when the copy is whole by now."""

    def restore(self, snapshot: Snapshot, lease_id: str) -> bool:
        """Replace the copy, unless it is whole; True when it was replaced.

        Raises CountersLost when the counters were lost after ``lease_id`` was taken: the snapshot
        may
        be older than what was counted since.
        """

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        """What a rebuild could start from; ``trim`` says when that has changed."""

    def recount(
        self, event_id: str, generation: int, rows: Sequence[LiveToken], unverified: int
    ) -> None:
        """Count what the copy missed of these rows; the mark of unverified rows goes down."""

    def trim(
        self, event_id: str, now: int, *, reconciled_at: int = 0, swept_at: int = 0
    ) -> CounterUpkeepRequest:
        """Forget what no answer needs any more: expiry figures of dead tokens, old moves.

        Notes when the audit and when the sweep succeeded, if they did (0: not). The copy alone has
        these times: a reset keeps them, a rebuild loses them.
        """


class Positions(Protocol):
    """The rows of the line, by request id."""

    def get(self, event_id: str, request_id: str) -> Position | None:
        """The latest row of a request, of whatever generation; a consistent read."""

    def get_with_generation(
        self,
        event_id: str,
        request_id: str,
        *,
        known_generation: int | None,
        consistent: bool = False,
    ) -> tuple[int, Position | None]:
        """The event's generation and the request's row in one request.

        With ``known_generation`` only the row is read. Consistent reads with ``consistent``.
        """

    def get_many(self, event_id: str, request_ids: Sequence[str]) -> dict[str, Position]:
        """The rows of several requests, by request id; consistent reads, 100 a request."""

    def insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write rows whose request has none, 25 a request; answers by request id what stands now.

        That is the row itself, the older row that kept its place, or None where writing failed.
        """

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Position]:
        """The rows of a range of positions, in any order; eventually consistent."""

    def count(self, event_id: str, generation: int, first: int, last: int) -> int:
        """How many rows ``between`` would give, without reading them over the network."""


class Outcomes(Protocol):
    """What became of served positions, by position."""

    def get(self, event_id: str, generation: int, position: int) -> Outcome | None:
        """The outcome of a position; a consistent read."""

    def put_if_absent(self, outcome: Outcome) -> Outcome:
        """Write an outcome if the position has none; answers the one that stands."""

    def put_expired(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Decide many expiries, 25 a request; answers those that stand in the way (tokens).

        Raises Unavailable when any of them could not be decided.
        """

    def end_session(
        self,
        event_id: str,
        generation: int,
        position: int,
        status: SessionStatus,
        now: int,
        mark: str,
    ) -> Ending:
        """Set the status of an open session, also of a token that died; answers what stands then.

        ``mark`` is the call's own: a call that is made again with it finds that it was done.
        """

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Outcome]:
        """The outcomes of a range of positions, in any order; consistent reads."""

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> Iterable[LiveToken]:
        """The tokens of a range of positions, in any order; consistent reads, few attributes."""

    def ended_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids of ended sessions whose token's time is not over, and the mark to go on after
        (None: the end). At most ENDED_SHARDS queries a page; eventually consistent.

        A mark is a token's end and position, in the order of shard, end and position. Ends that are
        past stand for the beginning of the position's shard, so a mark never grows old.
        """

    def expired_page(
        self, event_id: str, generation: int, now: int, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[Outcome], tuple[int, int] | None]:
        """Open sessions whose token's time is over, and the mark to go on after (None: the end).

        A page reads a bounded number of rows, so it may have fewer than ``limit`` and still a mark.
        """


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
        """Change the serving, sweep, audit and settled figures; the queue is left as it is.

        ``lowering`` is written only where the two differ, so that no other writer undoes it. A move
        is in the log before a later one can be written. Raises Conflict when ``before`` is no
        longer what stands.
        """

    def reset(self, before: EventState, after: EventState) -> None:
        """Start the next generation; raises Conflict when ``before`` was reset or moved since."""

    def add_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> EventState:
        """Remember positions that will never be held.

        Raises Conflict after a reset, and when MAX_KNOWN_HOLES are remembered: the audit finds the
        others.
        """

    def set_message(self, event_id: str, generation: int, message: str, at: float) -> None:
        """Set the operators' message; raises Conflict when the room was reset meanwhile."""

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        """The latest whole checkpoint of a generation."""

    def save_checkpoint(self, event_id: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in the place of older ones."""

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        """The logged moves after a version up to the state's own, oldest first.

        Moves that only concern positions up to ``state.expired_through`` may be missing.
        """


class JoinQueue(Protocol):
    """The queue that the joins come from, and its dead letters."""

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Send messages to the dead letters; answers the ids of those that were not taken.

        Raises nothing when the queue does not answer: nothing was taken then.
        """

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Let received messages come again after so many seconds, instead of the queue's own."""


class KeyStore(Protocol):
    """The signing keys, kept secret."""

    def load(self) -> KeySet:
        """The keys, kept by the adapter for a minute or so. Raises NoKeysYet without any.

        The last good ones serve on while they cannot be read, for MAX_STALE_SECONDS at most.
        """

    def refresh(self) -> KeySet:
        """The keys as they stand now; an empty set before the first."""

    def save(self, keys: KeySet, before: KeySet) -> None:
        """Replace the keys ``before``, as they were read; raises Conflict when others stand."""


class PublicKeys(Protocol):
    """The public half of the signing keys, readable without access to the private half."""

    def load(self) -> Publication:
        """The published keys, kept by the adapter as the KeyStore keeps the private ones."""

    def refresh(self) -> Publication:
        """The published keys as they stand now; no key before the first set-up."""

    def save(self, publication: Publication, before: Publication) -> None:
        """Publish; raises Conflict when ``before`` is no longer what stands."""


class EventBus(Protocol):
    """The event bus."""

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Put events on the bus; raises Unavailable when one was not taken."""
