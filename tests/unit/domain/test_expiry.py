# SPDX-License-Identifier: Apache-2.0
"""Position expiry, the sweep and the audit; the lessons under *Expiry*."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of
from waiting_room.domain import expiry, serving_counter
from waiting_room.domain.errors import NotServedYet, PositionExpired
from waiting_room.domain.records import EventState, ServingMove


def settled(**options: object) -> InMemoryRoom:
    in_memory_room = InMemoryRoom(options)
    in_memory_room.room.workers.setup.run()
    return in_memory_room


def pass_expiry(in_memory_room: InMemoryRoom) -> None:
    for _ in range(2):
        in_memory_room.minute(91)
    in_memory_room.minute(901)


@example(0, 5, 10, 15)
@example(0, 5, 10, 16)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**4), st.integers(0, 10**6))
def test_expired_is_elapsed_longer_than_the_period(
    entry: int, reached: int, period: int, now: int
) -> None:
    elapsed = now - max(entry, reached)
    assert expiry.is_expired(entry, reached, period, now) == (elapsed > period)
    assert (expiry.time_left(entry, reached, period, now) < 0) == (elapsed > period)


@pytest.mark.parametrize("increment", ["true", "false"])
def test_expired_visitors_are_never_counted_as_waiting(increment: str) -> None:  # lesson 7
    in_memory_room = settled(INCR_SVC_ON_QUEUE_POSITION_EXPIRY=increment)
    visitors = in_memory_room.visitors(10)
    in_memory_room.serve(4)
    in_memory_room.token(visitors[0])
    pass_expiry(in_memory_room)
    assert in_memory_room.waiting() == 6
    assert in_memory_room.room.metrics.counts(EVENT).serving == (7 if increment == "true" else 4)
    with pytest.raises(PositionExpired):
        in_memory_room.token(visitors[1])
    assert outcome_of(lambda: in_memory_room.token(visitors[0])) == "ok"


def test_the_sweep_passes_holes_and_a_counter_beyond_the_line() -> None:  # lesson 8
    in_memory_room = settled()
    in_memory_room.visitors(3)
    in_memory_room.log.reserve(
        EVENT, 4, in_memory_room.log.read(EVENT)
    )  # a worker died: 4 to 7 are holes
    in_memory_room.visitors(2)
    in_memory_room.serve(1000)
    pass_expiry(in_memory_room)
    state = in_memory_room.log.read(EVENT)
    assert (state.expired_through, state.expired, state.holes, state.reconciled_through) == (
        9,
        5,
        4,
        9,
    )
    assert in_memory_room.waiting() == 0


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_missing_log_row_keeps_nobody_out(missing: int) -> None:  # lesson 9
    in_memory_room = settled()
    visitors = in_memory_room.visitors(8)
    for _ in range(4):
        in_memory_room.serve(2)
        in_memory_room.clock.now += 100
    line = in_memory_room.log.store._moves[EVENT, 1]
    line[:] = [move for move in line if move.version != missing]
    in_memory_room.memory.lose()
    assert all(
        in_memory_room.room.tokens.time_to_expiry(EVENT, visitor) >= 0 for visitor in visitors
    )
    assert [outcome_of(lambda v=v: in_memory_room.token(v)) for v in visitors] == ["ok"] * 8


def test_a_missing_log_row_does_not_stop_the_sweep() -> None:  # lesson 9
    in_memory_room = settled()
    in_memory_room.visitors(6)
    for _ in range(3):
        in_memory_room.serve(2)
    in_memory_room.log.store._moves.clear()
    pass_expiry(in_memory_room)
    state = in_memory_room.log.read(EVENT)
    assert (state.expired_through, state.expired) == (6, 6)
    assert in_memory_room.waiting() == 0


def test_an_increment_by_zero_overwrites_nothing() -> None:  # lesson 9
    in_memory_room = settled()
    in_memory_room.visitors(2)
    in_memory_room.serve(1)
    before = in_memory_room.log.read(EVENT)
    assert outcome_of(lambda: in_memory_room.room.control.increment(EVENT, 0)) == "InvalidInput"
    assert in_memory_room.log.read(EVENT) == before
    assert [move.current for move in in_memory_room.log.moves(before)] == [1]


def true_turns(moves: list[ServingMove]) -> dict[int, int]:
    """Since when each served position is served: one position and one move after the other."""
    since: dict[int, int] = {}
    for move in moves:
        since = {position: at for position, at in since.items() if position <= move.current}
        since |= dict.fromkeys(range(move.previous + 1, move.current + 1), move.at)
    return since


@given(
    st.lists(st.sampled_from([1, 2, 5, -1, -3, 0]), min_size=1, max_size=12),
    st.sets(st.integers(1, 11)),
    st.integers(0, 6),
)
def test_whoever_is_served_has_a_turn_and_loses_none_of_it_to_missing_rows(
    steps: list[int], missing: set[int], swept: int
) -> None:
    state, moves = EventState(EVENT), []
    for index, by in enumerate(steps):
        state = serving_counter.move(state, by, 100 * (index + 1), "operator")
        moves += [state.move] if state.move else []
    left = [move for move in moves if move.version not in missing or move is moves[-1]]
    turns = true_turns(moves)
    assert sorted(turns) == list(range(1, state.serving + 1))
    whole = serving_counter.segments(moves, expired_through=0)
    assert [serving_counter.served_at(whole, position) for position in sorted(turns)] == [
        turns[position] for position in sorted(turns)
    ]
    found = serving_counter.segments(left, expired_through=swept)
    for position in range(swept + 1, state.serving + 1):
        at = serving_counter.served_at(found, position)
        assert at is not None, "kept out"
        assert at >= turns[position], "a shorter turn"
    for position in range(state.serving + 1, state.serving + 9):
        assert serving_counter.served_at(found, position) is None, "let in early"
    assert all(a.last < b.first for a, b in pairwise(found))


@pytest.mark.parametrize("when", ["before", "after"])
def test_mark_and_counter_of_a_sweep_move_together(when: str) -> None:  # lesson 10
    in_memory_room = settled(INCR_SVC_ON_QUEUE_POSITION_EXPIRY="true")
    in_memory_room.visitors(10)
    in_memory_room.serve(5)
    for _ in range(2):
        in_memory_room.minute(91)
    in_memory_room.clock.now += 900
    in_memory_room.log.fail("write", when)
    assert outcome_of(lambda: in_memory_room.room.workers.expiry_sweep.run(EVENT)) == "Unavailable"
    in_memory_room.minute(1)
    state = in_memory_room.log.read(EVENT)
    assert state.expired == state.expired_through == 5
    assert state.serving == 5 + state.expired_through
    assert in_memory_room.room.metrics.counts(EVENT).serving == state.serving


def test_a_token_taken_while_the_sweep_looks_is_kept() -> None:
    in_memory_room = settled(INCR_SVC_ON_QUEUE_POSITION_EXPIRY="true")
    visitors = in_memory_room.visitors(3)
    in_memory_room.serve(3)
    for _ in range(2):
        in_memory_room.minute(91)
    in_memory_room.clock.now = in_memory_room.clock.now + 700
    real = in_memory_room.outcomes.store.put_expired

    def token_comes_first(outcomes):  # type: ignore[no-untyped-def]
        in_memory_room.outcomes.store.put_expired = real
        back, in_memory_room.clock.now = in_memory_room.clock.now, in_memory_room.clock.now - 1000
        in_memory_room.token(visitors[1])
        in_memory_room.clock.now = back
        return real(outcomes)

    in_memory_room.outcomes.store.put_expired = token_comes_first
    in_memory_room.clock.now += 901
    in_memory_room.room.workers.expiry_sweep.run(EVENT)
    state = in_memory_room.log.read(EVENT)
    assert (state.expired_through, state.expired, state.serving) == (3, 2, 5)
    assert in_memory_room.waiting() == 0


def test_the_expiry_call_says_202_while_expiry_is_off_or_the_turn_has_not_come() -> None:
    off = settled(ENABLE_QUEUE_POSITION_EXPIRY="false")
    visitor = off.visitors(1)[0]
    off.serve(1)
    off.clock.now += 5000
    with pytest.raises(NotServedYet):
        off.room.tokens.time_to_expiry(EVENT, visitor)
    assert outcome_of(lambda: off.token(visitor)) == "ok"
    on = settled()
    visitor = on.visitors(1)[0]
    with pytest.raises(NotServedYet):
        on.room.tokens.time_to_expiry(EVENT, visitor)


def test_a_sweep_of_nothing_reads_no_rows() -> None:
    in_memory_room = settled()
    in_memory_room.visitors(5)
    in_memory_room.serve(5)
    for _ in range(3):
        in_memory_room.minute(91)
    in_memory_room.positions.calls.clear()
    in_memory_room.minute()
    assert in_memory_room.positions.calls == []


def test_what_is_settled_is_not_read_again_by_a_rebuild() -> None:
    in_memory_room = settled()
    visitors = in_memory_room.visitors(30)
    in_memory_room.serve(20)
    for visitor in visitors[:10]:
        in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, visitors[0], 1)
    in_memory_room.room.sessions.end(EVENT, visitors[1], -1)
    pass_expiry(in_memory_room)
    before = in_memory_room.room.metrics.counts(EVENT)
    for _ in range(4):
        in_memory_room.minute(1200)
    state = in_memory_room.log.read(EVENT)
    assert (state.expired_through, state.settled_through, state.settled_tokens) == (20, 20, 10)
    assert (state.settled_completed, state.settled_abandoned) == (1, 1)
    in_memory_room.memory.lose()
    after = in_memory_room.room.metrics.counts(EVENT)
    assert (after.waiting, after.tokens, after.completed, after.abandoned) == (
        before.waiting, before.tokens, 1, 1,
    )  # fmt: skip
    assert after.active == 0
