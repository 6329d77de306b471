# SPDX-License-Identifier: Apache-2.0
"""Packed moves are those that were packed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from waiting_room.adapters.dynamodb.packed_moves import MOST, pack, runs, unpack
from waiting_room.domain.records import ServingMove

MARKS = st.one_of(
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.text(max_size=6),
)
KNOWN = ("operator", "inlet", "person \u00e4da|x:y")
NAMES = st.one_of(st.sampled_from(KNOWN), st.text(max_size=8))
STEPS = st.tuples(st.integers(-50, 99), st.integers(-700, 9_999), NAMES, MARKS, NAMES)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(1, 2**53), st.integers(0, 2**53), st.lists(STEPS, min_size=1, max_size=9))
def test_what_is_unpacked_was_packed(
    version: int, previous: int, steps: list[tuple[int, int, str, str, str]]
) -> None:
    moves, at = [], 1_800_000_000
    for index, (by, seconds, reason, mark, actor) in enumerate(steps):
        at += seconds
        moves.append(ServingMove(version + index, previous, previous + by, at, reason, mark, actor))
        previous += by
    assert unpack(pack(moves)) == moves
    assert list(runs(moves)) == [moves]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 1)), max_size=3 * MOST))
def test_each_part_of_moves_continues_and_all_parts_are_the_moves(
    gaps: list[tuple[int, int]],
) -> None:
    version = current = 0
    moves = []
    for missing, jump in gaps:
        version += 1 if missing < 2 or len(moves) % 5 else 2
        previous = current + (jump if len(moves) % 7 == 0 else 0)
        current = previous + 1
        moves.append(ServingMove(version, previous, current, 9, "operator"))
    parts = list(runs(moves))
    assert [move for part in parts for move in part] == moves
    assert all(0 < len(part) <= MOST for part in parts)
    assert all(unpack(pack(part)) == list(part) for part in parts)
