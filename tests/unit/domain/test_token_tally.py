# SPDX-License-Identifier: Apache-2.0
"""The tally of tokens and sessions that a rebuild starts the counters from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_memory_room import EVENT
from waiting_room.domain import counter_snapshot
from waiting_room.domain.counter_snapshot import (
    Checkpoint,
    LiveToken,
    Snapshot,
    TokenTally,
)
from waiting_room.domain.records import (
    EventState,
    SessionStatus,
)

OPEN, COMPLETED, ABANDONED = SessionStatus.OPEN, SessionStatus.COMPLETED, SessionStatus.ABANDONED
NOW = 1_800_000_000


def token(position: int, dies: int, status: SessionStatus = OPEN) -> LiveToken:
    return LiveToken(position, dies, status)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 4), st.sampled_from(SessionStatus))))
def test_the_account_counts_each_position_once_whatever_comes_twice(
    rows: list[tuple[int, int, SessionStatus]],
) -> None:
    base = 10
    start = TokenTally(base=base, tokens=3, completed=2, abandoned=1)
    found = start.with_rows([
        token(position, position % 5, status) for position, _, status in rows
    ])  # fmt: skip
    above = [(position, status) for position, _, status in rows if position > base]
    taken = {position for position, _ in above}
    ended: dict[int, SessionStatus] = {}
    for position, status in above:
        if status is not OPEN:
            ended.setdefault(position, status)
    assert found.tokens == 3 + len(taken)
    assert found.completed == 2 + sum(one is COMPLETED for one in ended.values())
    assert found.abandoned == 1 + sum(one is ABANDONED for one in ended.values())
    assert counter_snapshot.positions_in(found.taken) == taken
    assert counter_snapshot.positions_in(found.ended) == set(ended)
    living = [position % 5 for position in taken - set(ended)]
    assert dict(found.live) == {at: living.count(at) for at in set(living)}


@given(st.lists(st.tuples(st.integers(8, 14), st.integers(0, 9), st.booleans())))
def test_a_session_lasts_to_its_latest_end_until_it_is_ended(
    rows: list[tuple[int, int, bool]],
) -> None:
    base, expected, ended = 10, {12: 5}, set[int]()
    found = TokenTally(base=base, sessions=((12, 5),)).with_rows([
        LiveToken(position, 9, COMPLETED if ends else OPEN, 0 if ends else until)
        for position, until, ends in rows
    ])  # fmt: skip
    for position, until, ends in rows:
        if position <= base:
            continue
        if ends:
            ended.add(position)
            expected.pop(position, None)
        elif until and position not in ended:
            expected[position] = max(until, expected.get(position, 0))
    assert dict(found.sessions) == expected


@pytest.mark.parametrize(("position", "byte", "value"), [(0, 0, 0x80), (7, 0, 1), (8, 1, 0x80)])
def test_a_bit_stands_where_redis_puts_it(position: int, byte: int, value: int) -> None:
    bits = bytearray()
    assert counter_snapshot.set_bit(bits, position)
    assert bits[byte] == value
    assert len(bits) == byte + 1 + counter_snapshot.SPARE
    assert sum(bits) == value
    assert not counter_snapshot.set_bit(bits, position)
    assert counter_snapshot.positions_in(bytes(bits)) == {position}


def test_an_account_starts_from_the_settled_figures_or_from_the_checkpoint() -> None:
    state = EventState(EVENT, settled_through=10, settled_tokens=8, settled_completed=3,
                       settled_abandoned=2)  # fmt: skip
    rows = (token(9, NOW), token(11, NOW))
    found = TokenTally.from_snapshot(Snapshot(state, (), rows))
    assert (found.base, found.tokens, found.completed, found.abandoned) == (10, 9, 3, 2)
    kept = Checkpoint(1, 40, NOW, (), TokenTally(base=5, tokens=4))
    found = TokenTally.from_snapshot(Snapshot(state, (), rows, kept))
    assert (found.base, found.tokens) == (5, 6)
