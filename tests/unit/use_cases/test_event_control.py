# SPDX-License-Identifier: Apache-2.0
"""Increments, moves back, messages and resets by the operator."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import (
    Conflict,
    CountersLost,
    InvalidInput,
    RoomWasReset,
)
from waiting_room.use_cases import counter_recovery


def test_the_serving_counter_never_falls_below_zero(world: InMemoryRoom) -> None:
    assert world.serve(5) == 5
    assert world.serve(-7) == 0


@pytest.mark.parametrize("by", [0, 1.0, "1", None, True, 1_000_001, -1_000_001, [1]])
def test_an_increment_that_nobody_can_mean_is_refused(world: InMemoryRoom, by: object) -> None:
    with pytest.raises(InvalidInput):
        world.room.control.increment(EVENT, by)  # type: ignore[arg-type]
    assert world.room.metrics.counts(EVENT).serving == 0


@pytest.mark.parametrize("message", [None, 5, "x" * 501, "a\x00b", "\x1b[31m"])
def test_a_message_is_short_plain_text(world: InMemoryRoom, message: object) -> None:
    with pytest.raises(InvalidInput):
        world.room.control.set_message(EVENT, message)


def test_a_reset_starts_a_new_line_and_tells_the_old_one(world: InMemoryRoom) -> None:  # lesson 20
    visitors = world.visitors(5)
    world.serve(3)
    world.token(visitors[0])
    late = world.join()
    world.clock.now += 1
    assert world.room.control.reset(EVENT) == 2
    counts = world.room.metrics.counts(EVENT)
    assert (counts.queue, counts.serving, counts.waiting, counts.tokens, counts.active) == (0,) * 5
    for visitor in visitors:
        with pytest.raises(RoomWasReset):
            world.room.positions.queue_number(EVENT, visitor)
        with pytest.raises(RoomWasReset):
            world.token(visitor)
    world.clock.now += 1
    fresh = world.join()
    world.room.workers.assignment.assign(
        EVENT, [late, fresh]
    )  # the message waited in the queue over the reset
    assert world.position(fresh.request_id) == 1
    with pytest.raises(RoomWasReset):
        world.room.positions.queue_number(EVENT, late.request_id)
    assert world.room.metrics.counts(EVENT).queue == 1
    assert ("room_reset", {"event_id": EVENT, "generation": 2}) in world.published


def test_two_resets_at_once_are_one(world: InMemoryRoom) -> None:
    before = world.log.read(EVENT)
    world.room.control.reset(EVENT)
    world.log.store.read = lambda _: before
    real = type(world.log.store).read

    def once(event_id):  # type: ignore[no-untyped-def]
        world.log.store.read = lambda other: real(world.log.store, other)
        return before

    world.log.store.read = once
    assert world.room.control.reset(EVENT) == 2


def test_a_failed_reset_is_repeated_without_harm(world: InMemoryRoom) -> None:
    world.visitors(2)
    for when in ("before", "after"):
        world.log.fail("reset", when)
        assert outcome_of(lambda: world.room.control.reset(EVENT)) == "Unavailable"
    world.room.control.reset(EVENT)
    world.clock.now += 1
    assert world.waiting() == 0
    assert world.position(world.visitors(1)[0]) == 1


def test_another_process_sees_a_reset_at_once_with_the_first_place_after_it(
    world: InMemoryRoom,
) -> None:
    before = world.visitors(1)[0]
    other = world.new_room()
    assert other.positions.queue_number(EVENT, before).position == 1
    world.room.control.reset(EVENT)
    world.clock.now += 0.1  # the other process still remembers the generation
    after = world.visitors(1)[0]
    assert other.positions.queue_number(EVENT, after).position == 1
    with pytest.raises(RoomWasReset):
        other.positions.queue_number(EVENT, before)


def test_another_process_sees_a_reset_within_two_seconds(world: InMemoryRoom) -> None:
    visitor = world.visitors(1)[0]
    other = world.new_room()
    assert other.positions.queue_number(EVENT, visitor).position == 1
    world.room.control.reset(EVENT)
    world.clock.now += 2
    with pytest.raises(RoomWasReset):
        other.positions.queue_number(EVENT, visitor)


def test_events_tell_every_change_of_the_counter(world: InMemoryRoom) -> None:
    world.serve(5)
    world.serve(-2)
    assert world.published == [
        ("serving_counter_changed",
         {"event_id": EVENT, "previous": 0, "current": 5, "reason": "operator"}),
        ("serving_counter_changed",
         {"event_id": EVENT, "previous": 5, "current": 3, "reason": "operator"}),
    ]  # fmt: skip


def test_a_call_that_does_not_move_the_counter_is_not_announced(world: InMemoryRoom) -> None:
    world.serve(-5)
    assert world.log.read(EVENT).serving == 0
    assert world.published == []


def test_writers_that_collide_try_again(world: InMemoryRoom) -> None:
    real, tries = world.log.store.write, []

    def others_first(before, after):  # type: ignore[no-untyped-def]
        tries.append(1)
        if len(tries) < 4:
            raise Conflict
        return real(before, after)

    world.log.store.write = others_first
    assert world.serve(5) == 5
    assert len(tries) == 4


def test_a_write_whose_answer_was_lost_is_not_made_twice(world: InMemoryRoom) -> None:
    real = world.log.store.write

    def answer_lost(before, after):  # type: ignore[no-untyped-def]
        world.log.store.write = real
        real(before, after)
        raise Conflict  # what the client's own retry is told

    world.log.store.write = answer_lost
    assert world.serve(5) == 5
    assert world.log.read(EVENT).serving == 5


def test_a_reset_is_not_answered_before_the_counters_know_it(world: InMemoryRoom) -> None:
    old = world.visitors(3)[0]
    world.serve(3)
    tell_once_then_fail(world)
    assert outcome_of(lambda: world.room.control.reset(EVENT)) == "Unavailable"
    world.counters.fail("apply", "before")
    assert outcome_of(lambda: world.token(old)) == "Unavailable"  # the copy still says 3
    assert outcome_of(lambda: world.token(old)) == "RoomWasReset"
    assert world.room.control.reset(EVENT) == 3
    assert world.room.metrics.counts(EVENT).generation == 3
    assert world.waiting() == 0


def test_a_reset_that_cannot_be_announced_is_not_made(world: InMemoryRoom) -> None:
    visitor = world.visitors(1)[0]
    world.serve(1)
    world.counters.fail("apply", "before")
    assert outcome_of(lambda: world.room.control.reset(EVENT)) == "Unavailable"
    assert world.log.read(EVENT).generation == 1
    assert outcome_of(lambda: world.token(visitor)) == "ok"


def tell_once_then_fail(world: InMemoryRoom) -> None:
    """The next announcement is taken, what follows it is not."""
    world.counters.plan["apply"] = ["", "before"]


def test_the_figures_are_never_those_of_a_line_that_was_reset(world: InMemoryRoom) -> None:
    world.visitors(3)
    world.serve(3)
    tell_once_then_fail(world)
    assert outcome_of(lambda: world.room.control.reset(EVENT)) == "Unavailable"
    world.counters.fail("apply", "before")
    assert outcome_of(lambda: world.room.metrics.status_page(EVENT)) == "Unavailable"
    assert world.room.metrics.status_page(EVENT)["serving_counter"] == 0


def test_expired_tokens_are_those_of_the_line_that_stands(world: InMemoryRoom) -> None:
    visitor = world.visitors(1)[0]
    world.serve(1)
    world.token(visitor)
    world.clock.now += 4000
    tell_once_then_fail(world)
    assert outcome_of(lambda: world.room.control.reset(EVENT)) == "Unavailable"
    assert world.room.sessions.expired(EVENT, 10, None) == ([], None)


def test_a_reset_beside_a_move_is_announced_again(world: InMemoryRoom) -> None:
    """What the move took away from the announcement, the reset says once more."""
    world.visitors(3)
    real = world.log.store.reset

    def moved_first(before, after):  # type: ignore[no-untyped-def]
        world.log.store.reset = real
        world.new_room().control.increment(EVENT, 1)
        return real(before, after)

    world.log.store.reset = moved_first
    assert world.room.control.reset(EVENT) == 2
    assert world.log.read(EVENT).serving == 0


def test_a_move_back_that_the_counters_did_not_follow_lets_nobody_in_above_it(
    world: InMemoryRoom,
) -> None:
    visitor = world.visitors(5)[4]
    world.serve(5)
    tell_once_then_fail(world)
    assert world.serve(-3) == 2
    for told in ("before", "after"):
        world.counters.fail("apply", told)
        assert outcome_of(lambda: world.token(visitor)) == "Unavailable"
    assert outcome_of(lambda: world.token(visitor)) == "NotServedYet"


def test_a_copy_rebuilt_between_announcement_and_move_back_asks_the_tables(
    world: InMemoryRoom,
) -> None:
    visitor = world.visitors(5)[4]
    world.serve(5)
    real = world.log.store.write

    def lost_before_the_move(before, after):  # type: ignore[no-untyped-def]
        if after.version > before.version:
            world.memory.lose()
            world.new_room().metrics.counts(EVENT)
            world.counters.fail("apply", "before")
        return real(before, after)

    world.log.store.write = lost_before_the_move
    assert world.serve(-3) == 2
    assert outcome_of(lambda: world.token(visitor)) == "NotServedYet"


def test_a_rebuild_that_read_before_the_announcement_is_not_restored(world: InMemoryRoom) -> None:
    """Lost counters need no rebuild before a move back; those under way must read again."""
    visitor = world.visitors(5)[4]
    world.serve(5)
    world.memory.lose()
    world.memory.acquire_rebuild_lease(EVENT, "slow")
    old = counter_recovery.read_snapshot(EVENT, world.log.store, world.outcomes.store)
    world.counters.plan["apply"] = ["", "", "before"]
    assert world.serve(-3) == 2
    with pytest.raises(CountersLost):
        world.memory.restore(old, "slow")
    assert outcome_of(lambda: world.token(visitor)) == "NotServedYet"


def test_a_move_back_whose_writer_died_stops_nobody_and_is_overtaken(world: InMemoryRoom) -> None:
    visitors = world.visitors(3)
    world.serve(2)
    before = world.log.read(EVENT)
    world.room.control._states.announce_lowering(before)
    assert outcome_of(lambda: world.token(visitors[0])) == "ok"
    assert outcome_of(lambda: world.token(visitors[2])) == "NotServedYet"
    world.log.calls.clear()
    world.minute()
    world.log.calls.clear()
    assert outcome_of(lambda: world.token(visitors[1])) == "ok"
    assert world.log.calls == []  # nothing is in doubt any more
    assert world.log.read(EVENT).serving == 2
    with pytest.raises(Conflict):  # should it live after all
        world.log.write(before, serving_counter.move(before, -1, int(world.clock()), "operator"))


def test_a_move_back_is_not_made_while_the_counters_do_not_answer(world: InMemoryRoom) -> None:
    visitor = world.visitors(5)[4]
    world.serve(5)
    world.counters.fail("apply", "before")
    assert outcome_of(lambda: world.serve(-3)) == "Unavailable"
    assert world.log.read(EVENT).serving == 5
    assert world.serve(-3) == 2
    assert outcome_of(lambda: world.token(visitor)) == "NotServedYet"


def test_a_clock_that_steps_back_takes_no_time_from_those_who_are_served(
    world: InMemoryRoom,
) -> None:
    visitors = world.visitors(20)
    world.clock.now += 1000
    world.serve(10)
    world.clock.now -= 300
    world.serve(10)
    world.clock.now += 300
    left = [
        world.room.tokens.time_to_expiry(EVENT, visitor) for visitor in (visitors[0], visitors[19])
    ]
    assert left == [900, 900]
