# SPDX-License-Identifier: Apache-2.0
"""The records that move between rules and stores. Times are whole seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutcomeKind(StrEnum):
    """What became of a served position; decided once, by one conditional write."""

    TOKEN = "token"  # noqa: S105
    EXPIRED = "expired"


class SessionStatus(StrEnum):
    """Where the session of a token stands."""

    OPEN = "open"
    COMPLETED = "completed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Join:
    """A visitor's accepted join, as it left the queue. ``sent_at`` is in seconds with fraction."""

    request_id: str
    sent_at: float
    message_id: str
    client_secret_hash: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What gives a received message back to the queue, and how often it was received."""

    handle: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that can never become a join, and why. ``sent_at_ms`` is 0 when it is unknown."""

    message_id: str
    body: str
    reason: str
    request_id: str = ""
    sent_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the line of one generation of an event; positions start at 1."""

    event_id: str
    generation: int
    request_id: str
    position: int
    entry_time: int
    client_secret_hash: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a position: a token's facts (never the token), or an expiry."""

    event_id: str
    generation: int
    position: int
    request_id: str
    kind: OutcomeKind
    at: int
    expires_at: int = 0
    issuer: str = ""
    key_id: str = ""
    status: SessionStatus = SessionStatus.OPEN
    ended_at: int = 0

    def is_active(self, now: int) -> bool:
        """A token that is neither expired, completed nor abandoned."""
        return self.is_token and self.status is SessionStatus.OPEN and now < self.expires_at

    @property
    def is_token(self) -> bool:
        """Whether the position took a token."""
        return self.kind is OutcomeKind.TOKEN

    @property
    def counted_status(self) -> SessionStatus:
        """The status that the figures count."""
        return counted_status(self.status, self.ended_at, self.expires_at)


def counted_status(status: SessionStatus, ended_at: int, expires_at: int) -> SessionStatus:
    """The status of a session that the figures count.

    A session that ended after its token died is open to them: its visitor left the figures with
    the token, and leaves them once.
    """
    return status if ended_at < expires_at else SessionStatus.OPEN


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call to end a session went: ``done`` by it, now or before; and the row that stands."""

    done: bool
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class ServingMove:
    """One move of the serving counter; ``version`` numbers the moves of a generation from 1.

    ``mark`` is the writer's own, so that it knows its move again when the answer was lost.
    ``actor`` is who made it, as ``Actor.short``; empty in moves from before it was noted.
    """

    version: int
    previous: int
    current: int
    at: int
    reason: str
    mark: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class EventState:
    """The record an event's counters are rebuilt from; one row, changed by conditional writes.

    ``queue`` is the highest position reserved. Up to ``reconciled_through`` every reserved position
    is known to be held or to be one of ``holes``; ``known_holes`` were found above it. Positions up
    to ``pending_through`` were reserved by ``pending_since``; the next reconciliation closes them.
    Up to ``expired_through`` every position has an outcome, ``expired`` of them without a
    token. Up to ``settled_through`` nothing can change any more: the ``settled_*`` counts are final
    there. ``move`` is the latest move of the serving counter.
    ``lowering`` is the version of a write that takes turns back (a move back, a reset) and was
    announced; while it is above ``version``, that write may be under way.
    """

    event_id: str
    generation: int = 1
    reset_at: float = 0.0
    queue: int = 0
    reconciled_through: int = 0
    holes: int = 0
    pending_through: int = 0
    pending_since: int = 0
    serving: int = 0
    version: int = 0
    move: ServingMove | None = None
    expired_through: int = 0
    expired: int = 0
    settled_through: int = 0
    settled_tokens: int = 0
    settled_completed: int = 0
    settled_abandoned: int = 0
    known_holes: tuple[int, ...] = ()
    message: str = ""
    message_at: float = 0.0
    lowering: int = 0

    def next_generation(self, now: float) -> EventState:
        """Return the state after a reset; joins sent up to ``now`` belong to this generation."""
        return EventState(event_id=self.event_id, generation=self.generation + 1, reset_at=now)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to reserve positions, so that a later one can tell what became of it.

    The event's record remembers the latest ``token`` of each of SLOTS slots; a worker has one slot.
    ``lost`` is the token of the worker's last attempt without an answer, for ``lost_count``
    positions.
    """

    slot: int = 0
    token: str = ""
    lost: str = ""
    lost_count: int = 0

    def unused(self, before: str, end: int) -> range:
        """What the lost attempt took, when it was the slot's last before this one, up to ``end``.

        Nobody uses these positions: who reserved them never learned of it.
        """
        if not self.lost or before != self.lost:
            return range(0)
        return range(end - self.lost_count + 1, end + 1)


SLOTS = 8  # of attempts; two workers in one slot only hide a lost attempt from each other
NO_ATTEMPT = Attempt()


@dataclass(frozen=True, slots=True)
class Reservation:
    """The event as a reservation left it, and positions that an attempt before took in vain."""

    state: EventState
    unused: range = range(0)


@dataclass(frozen=True, slots=True)
class Counts:
    """All figures of an event at one moment, from one round trip.

    ``version`` and ``lowering`` are the copy's, as in ``EventState``. ``reconciled_at`` and
    ``swept_at`` are when the audit and the sweep last succeeded, ``admitted_at`` when the counter
    last rose, ``first_moved_at`` when it first rose; 0 when the copy does not know.
    ``admitted_shortly`` counts the last minute. ``latest`` are the latest moves up that stand, at
    most LATEST_MOVES, oldest first.
    """

    generation: int
    queue: int
    serving: int
    holes: int
    tokens: int
    expired: int
    active: int
    completed: int
    abandoned: int
    admitted_recently: int
    admitting_since: int  # when the oldest move that is remembered was made; 0 without one
    message: str = ""
    version: int = 0
    lowering: int = 0
    reconciled_at: int = 0
    swept_at: int = 0
    admitted_at: int = 0
    admitted_shortly: int = 0
    first_moved_at: int = 0
    latest: tuple[Segment, ...] = ()

    @property
    def waiting(self) -> int:
        """Positions given that neither took a token, nor expired, nor are holes; never negative."""
        return max(0, self.queue - self.holes - self.tokens - self.expired)


@dataclass(frozen=True, slots=True)
class PositionStatus:
    """What the counters know about one position.

    ``served_at`` is when the serving counter last reached it, None when it has not. ``version``
    and ``lowering`` are the copy's, as in ``EventState``.
    """

    generation: int
    serving: int
    expired_through: int
    served_at: int | None
    counted: bool
    version: int = 0
    lowering: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Positions ``first`` to ``last`` were last reached by the serving counter at ``at``."""

    first: int
    last: int
    at: int
