# SPDX-License-Identifier: Apache-2.0
"""Records that rules and stores exchange. Times are whole seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum


class OutcomeKind(StrEnum):
    """Outcome of a served position; one conditional write decides it once."""

    TOKEN = "token"  # noqa: S105
    EXPIRED = "expired"


class SessionStatus(StrEnum):
    """Status of a token's session."""

    OPEN = "open"
    COMPLETED = "completed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Join:
    """An accepted join from the join queue. ``sent_at`` is in epoch seconds with fraction."""

    request_id: str
    sent_at: float
    message_id: str
    client_secret_hash: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the queue of one generation of an event; positions start at 1.

    A join without a position has position 0: it is of an earlier generation, or ``refused`` is the
    reason for which the event did not accept it.
    """

    event_id: str
    generation: int
    request_id: str
    position: int
    entry_time: int
    client_secret_hash: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a position: an expiry, or the attributes of a token (never the token itself).

    ``session_until`` is the end of the session at a gate (epoch s); None: no session began. It
    never changes ``expires_at``, the end of the token.
    """

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
    session_until: int | None = None

    def is_active(self, now: int) -> bool:
        """Return whether this is a token that is not expired, completed or abandoned."""
        return self.is_token and self.status is SessionStatus.OPEN and now < self.expires_at

    @property
    def is_token(self) -> bool:
        """True if a token was issued for the position."""
        return self.kind is OutcomeKind.TOKEN

    @property
    def counted_status(self) -> SessionStatus:
        """Status of the session that the metrics count."""
        last = max(self.expires_at, self.session_until or 0)
        return counted_status(self.status, self.ended_at, last)

    @property
    def open_until(self) -> int:
        """End of an open session at a gate (epoch s); 0 without one."""
        return (self.session_until or 0) if self.status is SessionStatus.OPEN else 0


def counted_status(status: SessionStatus, ended_at: int, last: int) -> SessionStatus:
    """Return the status of a session that the metrics count.

    ``last`` is the later of the ends of token and session. A session that was ended after it counts
    as open. The time already removed it from the active ones, and it must be removed only once.
    """
    return status if ended_at < last else SessionStatus.OPEN


@dataclass(frozen=True, slots=True)
class Ending:
    """Result of a call to end a session; ``done`` if this call or its first try ended it.

    ``outcome`` is the current row.
    """

    done: bool
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class ServingMove:
    """One move of the serving counter; ``version`` numbers the moves of a generation from 1.

    ``mark`` is unique to the call, so that a retry recognises its own move after a lost response.
    ``actor`` is the author of the change, as ``Actor.short``; empty in moves of older versions.
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
    """The state row, from which an event's counters are rebuilt; changed by conditional writes.

    - ``queue``: the highest position assigned.
    - ``reconciled_through``: up to here every assigned position has a row or is one of ``holes``
      (unused positions).
    - ``pending_through``: positions up to here were assigned by ``pending_since``; the next
      reconciliation closes them.
    - ``expired_through``: up to here every position has an outcome, ``expired`` of them without a
      token.
    - ``settled_through``: up to here the ``settled_*`` counts are final.
    - ``move``: the latest move of the serving counter.
    - ``unlogged``: moves before it that the state row contains, oldest first; not compared.
    - ``lowering``: the version of an announced write that withdraws admissions (a move back or a
      reset). While it is above ``version``, that write may be in progress.
    - ``line``: the last second in which a visitor at a gate had to wait; 0: no visitor waits.
    - ``shut``: the time (epoch µs) of the action that paused, closed or drained the event; 0: none.
      While ``line`` or ``shut`` is set, no visitor goes straight through.
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
    lowering: int = 0
    line: int = 0
    shut: int = 0
    unlogged: tuple[ServingMove, ...] = field(default=(), compare=False)

    @property
    def row_moves(self) -> tuple[ServingMove, ...]:
        """The moves that the state row contains, oldest first."""
        return (*self.unlogged, self.move) if self.move else ()

    def next_generation(self, now: float) -> EventState:
        """Return the state after a reset; joins sent up to ``now`` belong to this generation."""
        return EventState(self.event_id, self.generation + 1, now, shut=self.shut)


@dataclass(frozen=True, slots=True)
class StateDetails:
    """Message and unused positions of one generation, in rows of their own beside the state row.

    ``unused_positions`` are known unused positions, in order. Those up to ``reconciled_through`` of
    the state row are part of its ``holes`` too; readers ignore them.
    """

    message: str = ""
    message_at: float = 0.0
    unused_positions: tuple[int, ...] = ()


NO_DETAILS = StateDetails()


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts of an event at one moment, from one round trip.

    ``version`` and ``lowering`` are those of the counters, as in ``EventState``. ``reconciled_at``
    and ``swept_at`` are when the reconciliation and the expiry sweep last succeeded.
    ``admitted_at`` is when the serving counter last rose, ``first_moved_at`` when it first rose.
    ``active`` counts tokens, ``sessions`` sessions at a gate that have not ended.
    These times are 0 when the counters do not contain them. ``admitted_shortly`` counts the last
    minute. ``latest`` are the latest increases that no later move withdrew, at most LATEST_MOVES,
    oldest first.
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
    admitting_since: int  # time of the oldest stored move; 0 without one
    message: str = ""
    version: int = 0
    lowering: int = 0
    reconciled_at: int = 0
    swept_at: int = 0
    admitted_at: int = 0
    admitted_shortly: int = 0
    first_moved_at: int = 0
    sessions: int = 0
    latest: tuple[Segment, ...] = ()

    def at_gate(self) -> Counts:
        """Return the counts with the sessions as the active visitors."""
        return replace(self, active=self.sessions)

    @property
    def waiting(self) -> int:
        """Assigned positions without a token, not expired and not unused; never negative."""
        return waiting(self.queue, self.holes, self.tokens, self.expired)


def waiting(queue: int, holes: int, tokens: int, expired: int) -> int:
    """Return the number of waiting visitors; never negative."""
    return max(0, queue - holes - tokens - expired)


@dataclass(frozen=True, slots=True)
class PositionStatus:
    """Status of one position in the counters.

    ``served_at`` is when the serving counter last reached it; None when it is above the counter.
    ``version`` and ``lowering`` are those of the counters, as in ``EventState``.
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
    """Positions ``first`` to ``last``, which the serving counter last reached at ``at``."""

    first: int
    last: int
    at: int
