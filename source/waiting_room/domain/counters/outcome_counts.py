# SPDX-License-Identifier: Apache-2.0
"""Counts of tokens and sessions, from token rows that are delivered in any order and repeatedly.

A row of a block of positions records which of them are counted. So each token and each end of a
session counts once, whatever was delivered before. Times are epoch seconds.

The number of valid tokens at a time needs the number that expired before. ``Ends`` has it by the
second. The totals contain the sum up to ``folded_through``; only later seconds are added on a read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from waiting_room.domain.counter_snapshot import LiveToken, has_bit, set_bit
from waiting_room.domain.records import SessionStatus

BLOCK = 192  # positions of a block: its row has at most 1 kB, also with the ends of sessions
SPAN = 64  # seconds of a row of ends: it has at most 1 kB
WIDTH = 4  # bytes of the end of a session in a block


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of one generation of an event; ``version`` numbers their writes from 1.

    ``tokens``, ``completed`` and ``abandoned`` only grow. ``open`` counts the tokens without an
    ended session, ``sessions`` the sessions at a gate that were not ended; both also after the time
    of the token or session. Of these, ``dead`` and ``over`` are those whose time is up to
    ``folded_through``. ``first_moved_at`` is when the serving counter first rose; 0: unknown.
    """

    version: int = 0
    tokens: int = 0
    completed: int = 0
    abandoned: int = 0
    open: int = 0
    dead: int = 0
    sessions: int = 0
    over: int = 0
    folded_through: int = 0
    first_moved_at: int = 0


@dataclass(frozen=True, slots=True)
class Ends:
    """Numbers of tokens and of sessions that end in a second, or the changes of both."""

    tokens: int = 0
    sessions: int = 0

    def plus(self, tokens: int = 0, sessions: int = 0) -> Ends:
        """Return the sum."""
        return Ends(self.tokens + tokens, self.sessions + sessions)


@dataclass(slots=True)
class Block:
    """Counted tokens and sessions of BLOCK positions; bit 0 is the first position.

    ``until`` has the end of each session at a gate, WIDTH bytes each; empty without any.
    """

    version: int = 0
    taken: bytearray = field(default_factory=bytearray)
    ended: bytearray = field(default_factory=bytearray)
    until: bytearray = field(default_factory=bytearray)

    def session_end(self, index: int) -> int:
        """Return the end of the session of a position; 0 without one."""
        return int.from_bytes(self.until[index * WIDTH : (index + 1) * WIDTH], "big")

    def set_session_end(self, index: int, until: int) -> None:
        """Set the end of the session of a position."""
        if not self.until:
            self.until.extend(bytes(BLOCK * WIDTH))
        self.until[index * WIDTH : (index + 1) * WIDTH] = until.to_bytes(WIDTH, "big")


@dataclass(slots=True)
class Counting:
    """Counts rows into ``totals`` and ``blocks`` (by number), which are then written together.

    ``blocks`` are changed in place. ``changed`` are the numbers of blocks to write, ``ends`` the
    changes by second.
    """

    totals: Totals
    blocks: Mapping[int, Block]
    changed: set[int] = field(default_factory=set)
    ends: dict[int, Ends] = field(default_factory=dict)

    def add(self, row: LiveToken) -> None:
        """Count a row, unless an equal or later one was counted."""
        number, index = divmod(row.position, BLOCK)
        block = self.blocks[number]
        if _set(block.taken, index):
            self.changed.add(number)
            self.totals = replace(self.totals, tokens=self.totals.tokens + 1)
            self._change(row.expires_at, tokens=1)
        if has_bit(block.ended, index):
            return
        before = block.session_end(index)
        if row.status is not SessionStatus.OPEN:
            _set(block.ended, index)
            self.changed.add(number)
            name = row.status.value
            self.totals = replace(self.totals, **{name: getattr(self.totals, name) + 1})
            self._change(row.expires_at, tokens=-1)
            if before:
                self._change(before, sessions=-1)
        elif row.until > before:
            block.set_session_end(index, row.until)
            self.changed.add(number)
            self._change(row.until, sessions=1)
            if before:
                self._change(before, sessions=-1)

    def _change(self, second: int, tokens: int = 0, sessions: int = 0) -> None:
        self.ends[second] = self.ends.get(second, Ends()).plus(tokens, sessions)
        found = self.totals
        found = replace(found, open=found.open + tokens, sessions=found.sessions + sessions)
        if second <= found.folded_through:
            found = replace(found, dead=found.dead + tokens, over=found.over + sessions)
        self.totals = found


def _set(bits: bytearray, index: int) -> bool:
    """Set a bit of a block; True if it was clear. A block is stored without spare bytes."""
    clear = set_bit(bits, index)
    del bits[BLOCK // 8 :]
    return clear


def active_at(totals: Totals, ends: Mapping[int, Ends], now: int) -> Ends:
    """Return the valid tokens and the sessions at ``now``.

    ``ends`` has all seconds between ``folded_through`` and ``now``, whichever is the later one.
    """
    early, late = sorted((totals.folded_through, now))
    between = sum_of(one for at, one in ends.items() if early < at <= late)
    sign = 1 if now > totals.folded_through else -1
    return Ends(
        totals.open - totals.dead - sign * between.tokens,
        totals.sessions - totals.over - sign * between.sessions,
    )


def fold(totals: Totals, ends: Mapping[int, Ends], now: int) -> Totals:
    """Return the totals with ``folded_through`` at ``now``, from the ends since the last fold."""
    if now <= totals.folded_through:
        return totals
    passed = sum_of(one for at, one in ends.items() if totals.folded_through < at <= now)
    return replace(
        totals,
        folded_through=now,
        dead=totals.dead + passed.tokens,
        over=totals.over + passed.sessions,
    )


def sum_of(parts: Iterable[Ends]) -> Ends:
    """Return the sum of ends."""
    total = Ends()
    for one in parts:
        total = total.plus(one.tokens, one.sessions)
    return total
