# SPDX-License-Identifier: Apache-2.0
"""The numbers that the counters in memory hold of one event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from waiting_room.domain import counter_snapshot, serving_counter
from waiting_room.domain.counter_snapshot import Checkpoint, Snapshot, TokenTally
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.records import Counts, EventState, PositionStatus, Segment, SessionStatus


def _no_sessions() -> dict[SessionStatus, int]:
    return {SessionStatus.COMPLETED: 0, SessionStatus.ABANDONED: 0}


@dataclass
class CounterCopy:
    """The copy of one event's numbers, from its state row and from what was counted."""

    state: EventState
    served: list[Segment] = field(default_factory=list)
    settled_through: int = 0
    tokens: int = 0
    live: Counter[int] = field(default_factory=Counter)  # expiry: sessions
    ended: dict[SessionStatus, int] = field(default_factory=_no_sessions)
    taken: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    holes: set[int] = field(default_factory=set)
    unverified: int = 0
    dumped: tuple[int, ...] = ()
    reconciled_at: int = 0
    swept_at: int = 0
    first_moved_at: int = 0
    message: str = ""
    message_at: float = 0.0
    sessions: dict[int, int] = field(default_factory=dict)  # position: end
    session_changes: int = 0

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> CounterCopy:
        """The copy that a rebuild restores."""
        state, tally = snapshot.state, TokenTally.from_snapshot(snapshot)
        copy = cls(
            state,
            snapshot.segments(),
            tally.base,
            tally.tokens,
            Counter(dict(tally.live)),
            {SessionStatus.COMPLETED: tally.completed, SessionStatus.ABANDONED: tally.abandoned},
            counter_snapshot.positions_in(tally.taken),
            counter_snapshot.positions_in(tally.ended),
            {hole for hole in snapshot.details.unused_positions if hole > state.reconciled_through},
            snapshot.unverified,
            message=snapshot.details.message,
            message_at=snapshot.details.message_at,
            sessions=dict(tally.sessions),
        )
        copy.note_first_move()
        return copy

    def checkpointed_counts(self) -> tuple[int, ...]:
        """The numbers whose change makes a new checkpoint due."""
        return self.state.version, self.tokens, *self.ended.values(), self.session_changes

    def mark_session(self, position: int, until: int) -> None:
        """Set the end of a gate's session to a later second, unless the session was ended."""
        if until > self.sessions.get(position, 0) and position not in self.closed:
            self.sessions[position] = until
            self.session_changes += 1

    def note_first_move(self) -> None:
        """Remember the time of the oldest move, which ``forget_old`` may remove."""
        if self.served and not self.first_moved_at:
            self.first_moved_at = self.served[0].at

    def counts(self, now: int) -> Counts:
        """All numbers."""
        state = self.state
        return Counts(
            generation=state.generation,
            queue=state.queue,
            serving=state.serving,
            holes=state.holes + len(self.holes),
            tokens=self.tokens,
            expired=state.expired,
            active=sum(count for at, count in self.live.items() if at > now),
            completed=self.ended[SessionStatus.COMPLETED],
            abandoned=self.ended[SessionStatus.ABANDONED],
            admitted_recently=serving_counter.admitted_recently(self.served, now),
            admitting_since=self.served[0].at if self.served else 0,
            message=self.message,
            version=state.version,
            lowering=state.lowering,
            reconciled_at=self.reconciled_at,
            swept_at=self.swept_at,
            admitted_at=self.served[-1].at if self.served else 0,
            admitted_shortly=serving_counter.admitted_recently(self.served, now, SHORTEST_RATE),
            first_moved_at=self.first_moved_at,
            sessions=sum(until > now for until in self.sessions.values()),
            latest=tuple(self.served[-LATEST_MOVES:]),
        )

    def position_status(self, position: int) -> PositionStatus:
        """The status of one position."""
        return PositionStatus(
            self.state.generation,
            self.state.serving,
            self.state.expired_through,
            serving_counter.served_at(self.served, position),
            position in self.taken or position <= self.settled_through,
            self.state.version,
            self.state.lowering,
        )

    def checkpoint(self, now: int) -> Checkpoint:
        """The checkpoint that a rebuild can start from."""
        self.dumped = self.checkpointed_counts()
        taken, ended = bytearray(), bytearray()
        for bits, positions in ((taken, self.taken), (ended, self.closed)):
            for position in positions:
                counter_snapshot.set_bit(bits, position)
        tally = TokenTally(
            base=self.settled_through,
            taken=bytes(taken),
            ended=bytes(ended),
            live=tuple(sorted(self.live.items())),
            tokens=self.tokens,
            completed=self.ended[SessionStatus.COMPLETED],
            abandoned=self.ended[SessionStatus.ABANDONED],
            sessions=tuple(sorted(self.sessions.items())),
        )
        return Checkpoint(self.state.generation, self.state.version, now, tuple(self.served), tally)

    def has_old(self, now: int) -> bool:
        """Return whether ``forget_old`` would remove something."""
        return bool(self._dead(now) or self._over(now) or self._old_moves(now))

    def forget_old(self, now: int) -> None:
        """Remove expiries ten minutes past and moves that no number needs."""
        for at in self._dead(now):
            del self.live[at]
        for position in self._over(now):
            del self.sessions[position]
        old = self._old_moves(now)
        self.served = [part for part in self.served if part not in old]

    def _dead(self, now: int) -> list[int]:
        return [at for at in self.live if at <= now - 600]

    def _over(self, now: int) -> list[int]:
        return [position for position, until in self.sessions.items() if until <= now - 600]

    def _old_moves(self, now: int) -> list[Segment]:
        return [
            part
            for part in self.served[:-LATEST_MOVES]
            if part.last <= self.state.expired_through and part.at < now - RATE_WINDOW
        ]
