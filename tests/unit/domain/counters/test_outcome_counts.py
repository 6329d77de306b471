# SPDX-License-Identifier: Apache-2.0
"""Rows of tokens are counted once, in whatever order and however often they are delivered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.counters.outcome_counts import (
    BLOCK,
    SPAN,
    Block,
    Counting,
    Ends,
    Totals,
    active_at,
    fold,
)
from waiting_room.domain.records import SessionStatus

NOW = 1_800_000_000
OPEN, ENDED = SessionStatus.OPEN, (SessionStatus.COMPLETED, SessionStatus.ABANDONED)
PLACES = (1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 7 * BLOCK + 5)


@st.composite
def histories(draw: st.DrawFn) -> list[LiveToken]:
    """The rows that the stream delivers of some positions: repeated and reordered."""
    rows: list[LiveToken] = []
    for position in draw(st.lists(st.sampled_from(PLACES), unique=True, min_size=1)):
        expires_at = NOW + draw(st.integers(-SPAN, 2 * SPAN))
        untils = draw(st.lists(st.integers(1, 4 * SPAN), max_size=3))
        rows += [LiveToken(position, expires_at, OPEN, NOW + one) for one in untils]
        rows.append(LiveToken(position, expires_at, OPEN))
        if draw(st.booleans()):
            rows.append(LiveToken(position, expires_at, draw(st.sampled_from(ENDED))))
    again = draw(st.lists(st.sampled_from(rows), max_size=6))
    return draw(st.permutations([*rows, *again]))


class Stored:
    """The rows of a table in memory."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.blocks: defaultdict[int, Block] = defaultdict(Block)
        self.ends: dict[int, Ends] = {}

    def count(self, rows: Iterable[LiveToken]) -> Counting:
        counting = Counting(self.totals, self.blocks)
        for row in rows:
            counting.add(row)
        self.totals = counting.totals
        for at, one in counting.ends.items():
            self.ends[at] = self.ends.get(at, Ends()).plus(one.tokens, one.sessions)
        return counting


def expected(rows: Sequence[LiveToken], now: int) -> tuple[int, int, int, int, int]:
    """Tokens, valid tokens, sessions, completed and abandoned ones, by position."""
    found = {row.position: row for row in rows}
    ended = {row.position: row.status for row in rows if row.status is not OPEN}
    until = {one: max(row.until for row in rows if row.position == one) for one in found}
    alive = [one for one in found if one not in ended]
    return (
        len(found),
        sum(found[one].expires_at > now for one in alive),
        sum(until[one] > now for one in alive),
        *(list(ended.values()).count(status) for status in ENDED),
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(histories(), st.lists(st.integers(-SPAN, 5 * SPAN), max_size=4), st.integers(1, 5))
@example([LiveToken(1, NOW, OPEN), LiveToken(1, NOW, ENDED[0])], [5], 1)
def test_each_row_counts_once_in_any_order_and_after_any_fold(
    rows: list[LiveToken], folds: list[int], size: int
) -> None:
    stored = Stored()
    for start in range(0, len(rows), size):
        stored.count(rows[start : start + size])
        if folds:
            stored.totals = fold(stored.totals, stored.ends, NOW + folds.pop())
    for now in (NOW - SPAN - 1, NOW, NOW + 1, NOW + SPAN, NOW + 5 * SPAN):
        active = active_at(stored.totals, stored.ends, now)
        totals = stored.totals
        assert (
            totals.tokens, active.tokens, active.sessions, totals.completed, totals.abandoned,
        ) == expected(rows, now)  # fmt: skip
    assert not stored.count(rows).changed, "all rows are counted"


def test_a_fold_never_goes_back() -> None:
    later = Totals(folded_through=NOW, dead=3)
    assert fold(later, {NOW - 5: Ends(1, 1)}, NOW - 1) == later


def test_a_block_has_at_most_820_bytes_with_all_its_sessions() -> None:
    """With its keys and the longest event id, its row is below 1 kB."""
    stored = Stored()
    stored.count(LiveToken(BLOCK + index, NOW, OPEN, NOW + 1) for index in range(BLOCK))
    stored.count(LiveToken(BLOCK + index, NOW, ENDED[0]) for index in range(BLOCK))
    block = stored.blocks[1]
    assert (len(block.taken), len(block.ended)) == (BLOCK // 8, BLOCK // 8)
    assert len(block.taken) + len(block.ended) + len(block.until) <= 820
