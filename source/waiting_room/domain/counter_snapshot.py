# SPDX-License-Identifier: Apache-2.0
"""Input of a counter rebuild: a snapshot of the tables, and the tally of tokens.

Adding a row to a tally is idempotent: one bit for each position records that it is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from waiting_room.domain import serving_counter
from waiting_room.domain.limits import CLOCK_STEP
from waiting_room.domain.records import (
    NO_DETAILS,
    EventState,
    Segment,
    ServingMove,
    SessionStatus,
    StateDetails,
)

SPARE = 1024  # bytes by which a bitmap grows at once
READ_AT_ONCE = 10_000  # positions whose token rows one caller reads: 0.5 s on one core
MANY_MOVES = 2_000  # serving moves above which a rebuild needs a checkpoint


@dataclass(frozen=True, slots=True)
class LiveToken:
    """The attributes of a token row that the counters use; ``status`` is the counted status.

    ``until`` is the end of an open session at a gate (epoch s); 0 without one.
    """

    position: int
    expires_at: int
    status: SessionStatus
    until: int = 0

    def is_final(self, now: int) -> bool:
        """Return whether token and session are over, also for a clock that is CLOCK_STEP behind.

        A function with such a clock may still renew the session.
        """
        return now >= self.expires_at and (not self.until or now >= self.until + CLOCK_STEP)


@dataclass(frozen=True, slots=True)
class TokenTally:
    """The tokens of an event, one bit for each position as Redis's SETBIT stores them.

    ``taken`` contains the positions with a token, ``ended`` those whose session ended. Positions up
    to ``base`` have no bits, because their counts are final. ``live`` counts the open sessions by
    the second (epoch s) at which their token expires. ``sessions`` are the positions with an open
    session at a gate, each with its end (epoch s).
    """

    base: int = 0
    taken: bytes = b""
    ended: bytes = b""
    live: tuple[tuple[int, int], ...] = ()
    tokens: int = 0
    completed: int = 0
    abandoned: int = 0
    sessions: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> TokenTally:
        """Return the tally of the checkpoint, if there is one, plus the rows of the snapshot."""
        state = snapshot.state
        start = (
            snapshot.checkpoint.tally
            if snapshot.checkpoint
            else cls(
                base=state.settled_through,
                tokens=state.settled_tokens,
                completed=state.settled_completed,
                abandoned=state.settled_abandoned,
            )
        )
        return start.with_rows(snapshot.tokens)

    def with_rows(self, rows: Iterable[LiveToken]) -> TokenTally:
        """Return the tally with these rows added; rows that are already counted change nothing."""
        taken, ended = bytearray(self.taken), bytearray(self.ended)
        live = Counter(dict(self.live))
        closed: Counter[SessionStatus] = Counter()
        tokens, sessions = self.tokens, dict(self.sessions)
        for row in rows:
            if row.position <= self.base:
                continue
            if set_bit(taken, row.position):
                tokens += 1
                live[row.expires_at] += 1
            if row.until and not has_bit(ended, row.position):
                sessions[row.position] = max(row.until, sessions.get(row.position, 0))
            if row.status is not SessionStatus.OPEN and set_bit(ended, row.position):
                closed[row.status] += 1
                sessions.pop(row.position, None)
                if row.expires_at in live:
                    live[row.expires_at] -= 1
        return replace(
            self,
            taken=bytes(taken),
            ended=bytes(ended),
            live=tuple(sorted((at, count) for at, count in live.items() if count)),
            tokens=tokens,
            completed=self.completed + closed[SessionStatus.COMPLETED],
            abandoned=self.abandoned + closed[SessionStatus.ABANDONED],
            sessions=tuple(sorted(sessions.items())),
        )

    def with_unread_renewals(self, since: int, until: int) -> TokenTally:
        """Return the tally with all sessions that were open at ``since`` lasting to ``until``.

        They may have been renewed since. Both are epoch seconds.
        """
        sessions = ((one, max(end, until) if end > since else end) for one, end in self.sessions)
        return replace(self, sessions=tuple(sessions))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The counters of a generation at ``at`` (epoch s), with the serving log at ``version``."""

    generation: int
    version: int
    at: int
    segments: tuple[Segment, ...]
    tally: TokenTally


@dataclass(frozen=True, slots=True)
class CounterUpkeepRequest:
    """Work that the counters need from the minute worker.

    ``changed``: no checkpoint contains the latest changes. The token rows of positions up to
    ``unverified`` are not yet compared with the counters.
    """

    changed: bool
    unverified: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Content of the counters, as read from the tables.

    With a ``checkpoint``, ``moves`` and ``tokens`` contain what was read of the changes after it.
    Token rows of positions up to ``unverified`` were not read.
    """

    state: EventState
    moves: tuple[ServingMove, ...]
    tokens: tuple[LiveToken, ...]
    checkpoint: Checkpoint | None = None
    unverified: int = 0
    details: StateDetails = NO_DETAILS

    def segments(self) -> list[Segment]:
        """Return the segments of positions that the serving counter reached, with their times."""
        start, expired_through = self.checkpoint, self.state.expired_through
        if start is None:
            return serving_counter.segments(self.moves, expired_through=expired_through)
        return serving_counter.segments(
            self.moves,
            expired_through=expired_through,
            version=start.version,
            start=start.segments,
        )


def needs_checkpoint(state: EventState) -> bool:
    """Return whether a rebuild without a checkpoint takes longer than a caller can wait."""
    return state.queue - state.settled_through > READ_AT_ONCE or state.version > MANY_MOVES


def set_bit(bits: bytearray, position: int) -> bool:
    """Set a bit as SETBIT does (bit 0 is the highest of the first byte); True if it was clear."""
    byte, mask = position >> 3, 0x80 >> (position & 7)
    if byte >= len(bits):
        bits.extend(bytes(byte + 1 - len(bits) + SPARE))
    clear = not bits[byte] & mask
    bits[byte] |= mask
    return clear


def has_bit(bits: bytes | bytearray, position: int) -> bool:
    """Return whether the bit of a position is set."""
    byte = position >> 3
    return byte < len(bits) and bool(bits[byte] & (0x80 >> (position & 7)))


def positions_in(bits: bytes) -> set[int]:
    """Return the positions whose bit is set."""
    return {
        index * 8 + bit
        for index, byte in enumerate(bits)
        if byte
        for bit in range(8)
        if byte & (0x80 >> bit)
    }
