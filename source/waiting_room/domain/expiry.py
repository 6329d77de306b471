# SPDX-License-Identifier: Apache-2.0
"""Position expiry and the turn rule: the single definition for all calls and the expiry sweep.

A position expires ``period`` seconds after the later of two times: its entry, and the time at which
the serving counter reached it. It is expired when ``elapsed > period``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from waiting_room.domain.errors import NotServedYet, PositionExpired
from waiting_room.domain.records import (
    EventState,
    Outcome,
    OutcomeKind,
    Position,
    PositionStatus,
    Segment,
)
from waiting_room.domain.room_settings import EventSettings
from waiting_room.domain.serving_counter import move, served_at

MAX_AUTO_INCREMENT = 1_000_000


class TurnState(Enum):
    """State of a position before a token is issued for it."""

    WAITING = auto()
    SERVED = auto()
    EXPIRED = auto()


@dataclass(frozen=True, slots=True)
class Turn:
    """State of a position, and the seconds until a served position expires (None: never)."""

    state: TurnState
    expires_in: int | None = None


def turn_of(row: Position, status: PositionStatus, event: EventSettings, now: int) -> Turn:
    """Return the turn of a position at ``now`` (epoch s), independent of its outcome."""
    if row.position <= status.expired_through:
        return Turn(TurnState.EXPIRED)
    if row.position > status.serving or status.served_at is None:
        return Turn(TurnState.WAITING)
    if not event.position_expiry_enabled:
        return Turn(TurnState.SERVED)
    left = time_left(row.entry_time, status.served_at, event.position_expiry_period, now)
    return Turn(TurnState.EXPIRED) if left < 0 else Turn(TurnState.SERVED, left)


def check_turn(turn: Turn) -> None:
    """Raise PositionExpired or NotServedYet unless the position is served."""
    if turn.state is TurnState.EXPIRED:
        raise PositionExpired
    if turn.state is TurnState.WAITING:
        raise NotServedYet


def time_left(entry_time: int, reached_at: int, period: int, now: int) -> int:
    """Return the seconds until the position expires; negative when it is expired."""
    return max(entry_time, reached_at) + period - now


def is_expired(entry_time: int, reached_at: int, period: int, now: int) -> bool:
    """Return whether ``elapsed > period``."""
    return time_left(entry_time, reached_at, period, now) < 0


@dataclass(frozen=True, slots=True)
class Sweep:
    """Result of a sweep: last position examined, expiries to write, and counts of that range."""

    upto: int
    expire: tuple[Outcome, ...]
    expired: int
    tokens: int


def sweep(
    *,
    state: EventState,
    upto: int,
    rows: Sequence[Position],
    outcomes: Mapping[int, Outcome],
    served: Sequence[Segment],
    period: int,
    now: int,
) -> Sweep:
    """Examine positions above ``state.expired_through`` in order, and select those to expire.

    ``rows`` are the position rows above ``state.expired_through`` up to ``upto``. A position
    without a row is unused (reconciliation has passed it) and never stops the sweep. The sweep
    stops at the first position whose expiry time is not past, unless an expiry is already written.
    This is exact only while no position expires before an earlier one.
    """
    held = {row.position: row for row in rows}
    expire: list[Outcome] = []
    expired = tokens = 0
    reached = state.expired_through
    for position in range(state.expired_through + 1, upto + 1):
        row, outcome = held.get(position), outcomes.get(position)
        at = served_at(served, position) if row else None
        if row is not None and outcome is not None and outcome.is_token:
            if at is None or not is_expired(row.entry_time, at, period, now):
                break
            tokens += 1
        elif row is not None and outcome is not None:
            expired += 1
        elif row is not None:
            if at is None or not is_expired(row.entry_time, at, period, now):
                break
            expired += 1
            expire.append(
                Outcome(
                    row.event_id, row.generation, position, row.request_id, OutcomeKind.EXPIRED, now
                )
            )
        reached = position
    return Sweep(reached, tuple(expire), expired, tokens)


def after_sweep(
    state: EventState, done: Sweep, *, increment: bool, now: int, actor: str = ""
) -> EventState:
    """Return the state after a sweep; mark, count and serving counter change in one write.

    With ``increment`` the counter rises by the number of positions of the range without a token.
    """
    swept = replace(state, expired_through=done.upto, expired=state.expired + done.expired)
    unused = done.upto - state.expired_through - done.tokens
    if increment and unused > 0:
        return move(swept, min(unused, MAX_AUTO_INCREMENT), now, "expiry", actor=actor)
    return swept
