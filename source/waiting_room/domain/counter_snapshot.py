# SPDX-License-Identifier: Apache-2.0
"""The account of tokens that the counters keep: who took one, whose session ended, who lives.

Adding a row is idempotent: a bit for each position says whether it is in the figures already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from waiting_room.domain.records import LiveToken, SessionStatus, Snapshot, TokenTally

SPARE = 1024  # bytes by which a bitmap grows at once


def of_snapshot(snapshot: Snapshot) -> TokenTally:
    """The account as the tables tell it: the checkpoint's, if there is one, and the rows read."""
    state = snapshot.state
    start = (
        snapshot.checkpoint.tally
        if snapshot.checkpoint
        else TokenTally(
            base=state.settled_through,
            tokens=state.settled_tokens,
            completed=state.settled_completed,
            abandoned=state.settled_abandoned,
        )
    )
    return with_rows(start, snapshot.tokens)


def with_rows(account: TokenTally, rows: Iterable[LiveToken]) -> TokenTally:
    """The account after these rows; those that it knows change nothing."""
    taken, ended = bytearray(account.taken), bytearray(account.ended)
    live = Counter(dict(account.live))
    closed: Counter[SessionStatus] = Counter()
    tokens = account.tokens
    for row in rows:
        if row.position <= account.base:
            continue
        if set_bit(taken, row.position):
            tokens += 1
            live[row.expires_at] += 1
        if row.status is not SessionStatus.OPEN and set_bit(ended, row.position):
            closed[row.status] += 1
            if row.expires_at in live:
                live[row.expires_at] -= 1
    return TokenTally(
        base=account.base,
        taken=bytes(taken),
        ended=bytes(ended),
        live=tuple(sorted((at, count) for at, count in live.items() if count)),
        tokens=tokens,
        completed=account.completed + closed[SessionStatus.COMPLETED],
        abandoned=account.abandoned + closed[SessionStatus.ABANDONED],
    )


def set_bit(bits: bytearray, position: int) -> bool:
    """Set a bit as SETBIT does (bit 0 is the highest of the first byte); True if it was clear."""
    byte, mask = position >> 3, 0x80 >> (position & 7)
    if byte >= len(bits):
        bits.extend(bytes(byte + 1 - len(bits) + SPARE))
    clear = not bits[byte] & mask
    bits[byte] |= mask
    return clear


def positions_in(bits: bytes) -> set[int]:
    """The positions whose bit is set."""
    return {
        index * 8 + bit
        for index, byte in enumerate(bits)
        if byte
        for bit in range(8)
        if byte & (0x80 >> bit)
    }
