# SPDX-License-Identifier: Apache-2.0
"""Position expiry, the sweep and the audit; the lessons under *Expiry*."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.world import EVENT, World, outcome_of
from waiting_room import expiry
from waiting_room.errors import NotServedYet, PositionExpired


def settled(**options: object) -> World:
    world = World(options)
    world.room.set_up()
    return world


def pass_expiry(world: World) -> None:
    for _ in range(2):
        world.minute(91)
    world.minute(901)


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
    world = settled(INCR_SVC_ON_QUEUE_POSITION_EXPIRY=increment)
    visitors = world.visitors(10)
    world.serve(4)
    world.token(visitors[0])
    pass_expiry(world)
    assert world.waiting() == 6
    assert world.room.counts(EVENT).serving == (7 if increment == "true" else 4)
    with pytest.raises(PositionExpired):
        world.token(visitors[1])
    assert outcome_of(lambda: world.token(visitors[0])) == "ok"


def test_the_sweep_passes_holes_and_a_counter_beyond_the_line() -> None:  # lesson 8
    world = settled()
    world.visitors(3)
    world.log.reserve(EVENT, 4, world.log.read(EVENT))  # a worker died: 4 to 7 are holes
    world.visitors(2)
    world.serve(1000)
    pass_expiry(world)
    state = world.log.read(EVENT)
    assert (state.swept, state.expired, state.holes, state.audited) == (9, 5, 4, 9)
    assert world.waiting() == 0


def test_a_missing_log_row_keeps_nobody_out() -> None:  # lesson 9
    world = settled()
    visitor = world.visitors(1)[0]
    world.serve(1)
    world.log.store._moves.clear()
    world.memory.lose()
    assert outcome_of(lambda: world.token(visitor)) in ("ok", "NotServedYet")
    assert outcome_of(lambda: world.room.increment_serving_counter(EVENT, 0)) == "InvalidInput"


@pytest.mark.parametrize("when", ["before", "after"])
def test_mark_and_counter_of_a_sweep_move_together(when: str) -> None:  # lesson 10
    world = settled(INCR_SVC_ON_QUEUE_POSITION_EXPIRY="true")
    world.visitors(10)
    world.serve(5)
    for _ in range(2):
        world.minute(91)
    world.clock.now += 900
    world.log.fail("write", when)
    assert outcome_of(lambda: world.room.sweep(EVENT)) == "Unavailable"
    world.minute(1)
    state = world.log.read(EVENT)
    assert state.expired == state.swept == 5
    assert state.serving == 5 + state.swept
    assert world.room.counts(EVENT).serving == state.serving


def test_a_token_taken_while_the_sweep_looks_is_kept() -> None:
    world = settled(INCR_SVC_ON_QUEUE_POSITION_EXPIRY="true")
    visitors = world.visitors(3)
    world.serve(3)
    for _ in range(2):
        world.minute(91)
    world.clock.now = world.clock.now + 700
    real = world.outcomes.store.expire

    def token_comes_first(outcomes):  # type: ignore[no-untyped-def]
        world.outcomes.store.expire = real
        back, world.clock.now = world.clock.now, world.clock.now - 1000
        world.token(visitors[1])
        world.clock.now = back
        return real(outcomes)

    world.outcomes.store.expire = token_comes_first
    world.clock.now += 901
    world.room.sweep(EVENT)
    state = world.log.read(EVENT)
    assert (state.swept, state.expired, state.serving) == (3, 2, 5)
    assert world.waiting() == 0


def test_the_expiry_call_says_202_while_expiry_is_off_or_the_turn_has_not_come() -> None:
    off = settled(ENABLE_QUEUE_POSITION_EXPIRY="false")
    visitor = off.visitors(1)[0]
    off.serve(1)
    off.clock.now += 5000
    with pytest.raises(NotServedYet):
        off.room.time_to_expiry(EVENT, visitor)
    assert outcome_of(lambda: off.token(visitor)) == "ok"
    on = settled()
    visitor = on.visitors(1)[0]
    with pytest.raises(NotServedYet):
        on.room.time_to_expiry(EVENT, visitor)


def test_a_sweep_of_nothing_reads_no_rows() -> None:
    world = settled()
    world.visitors(5)
    world.serve(5)
    for _ in range(3):
        world.minute(91)
    world.positions.calls.clear()
    world.minute()
    assert world.positions.calls == []


def test_what_is_settled_is_not_read_again_by_a_rebuild() -> None:
    world = settled()
    visitors = world.visitors(30)
    world.serve(20)
    for visitor in visitors[:10]:
        world.token(visitor)
    world.room.update_session(EVENT, visitors[0], 1)
    world.room.update_session(EVENT, visitors[1], -1)
    pass_expiry(world)
    before = world.room.counts(EVENT)
    for _ in range(4):
        world.minute(1200)
    state = world.log.read(EVENT)
    assert (state.swept, state.settled, state.settled_tokens) == (20, 20, 10)
    assert (state.settled_completed, state.settled_abandoned) == (1, 1)
    world.memory.lose()
    after = world.room.counts(EVENT)
    assert (after.waiting, after.tokens, after.completed, after.abandoned) == (
        before.waiting, before.tokens, 1, 1,
    )  # fmt: skip
    assert after.active == 0
