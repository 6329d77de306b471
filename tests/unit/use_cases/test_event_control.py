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


def test_the_serving_counter_never_falls_below_zero(in_memory_room: InMemoryRoom) -> None:
    assert in_memory_room.serve(5) == 5
    assert in_memory_room.serve(-7) == 0


@pytest.mark.parametrize("by", [0, 1.0, "1", None, True, 1_000_001, -1_000_001, [1]])
def test_an_increment_that_nobody_can_mean_is_refused(
    in_memory_room: InMemoryRoom, by: object
) -> None:
    with pytest.raises(InvalidInput):
        in_memory_room.room.control.increment(EVENT, by)  # type: ignore[arg-type]
    assert in_memory_room.room.metrics.counts(EVENT).serving == 0


@pytest.mark.parametrize("message", [None, 5, "x" * 501, "a\x00b", "\x1b[31m"])
def test_a_message_is_short_plain_text(in_memory_room: InMemoryRoom, message: object) -> None:
    with pytest.raises(InvalidInput):
        in_memory_room.room.control.set_message(EVENT, message)


def test_a_reset_starts_a_new_line_and_tells_the_old_one(
    in_memory_room: InMemoryRoom,
) -> None:  # lesson 20
    visitors = in_memory_room.visitors(5)
    in_memory_room.serve(3)
    in_memory_room.token(visitors[0])
    late = in_memory_room.join()
    in_memory_room.clock.now += 1
    assert in_memory_room.room.control.reset(EVENT) == 2
    counts = in_memory_room.room.metrics.counts(EVENT)
    assert (counts.queue, counts.serving, counts.waiting, counts.tokens, counts.active) == (0,) * 5
    for visitor in visitors:
        with pytest.raises(RoomWasReset):
            in_memory_room.room.positions.queue_number(EVENT, visitor)
        with pytest.raises(RoomWasReset):
            in_memory_room.token(visitor)
    in_memory_room.clock.now += 1
    fresh = in_memory_room.join()
    in_memory_room.room.workers.assignment.assign(
        EVENT, [late, fresh]
    )  # the message waited in the queue over the reset
    assert in_memory_room.position(fresh.request_id) == 1
    with pytest.raises(RoomWasReset):
        in_memory_room.room.positions.queue_number(EVENT, late.request_id)
    assert in_memory_room.room.metrics.counts(EVENT).queue == 1
    assert ("room_reset", {"event_id": EVENT, "generation": 2}) in in_memory_room.published


def test_two_resets_at_once_are_one(in_memory_room: InMemoryRoom) -> None:
    before = in_memory_room.log.read(EVENT)
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.log.store.read = lambda _: before
    real = type(in_memory_room.log.store).read

    def once(event_id):  # type: ignore[no-untyped-def]
        in_memory_room.log.store.read = lambda other: real(in_memory_room.log.store, other)
        return before

    in_memory_room.log.store.read = once
    assert in_memory_room.room.control.reset(EVENT) == 2


def test_a_failed_reset_is_repeated_without_harm(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.visitors(2)
    for when in ("before", "after"):
        in_memory_room.log.fail("reset", when)
        assert outcome_of(lambda: in_memory_room.room.control.reset(EVENT)) == "Unavailable"
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.clock.now += 1
    assert in_memory_room.waiting() == 0
    assert in_memory_room.position(in_memory_room.visitors(1)[0]) == 1


def test_another_process_sees_a_reset_at_once_with_the_first_place_after_it(
    in_memory_room: InMemoryRoom,
) -> None:
    before = in_memory_room.visitors(1)[0]
    other = in_memory_room.new_room()
    assert other.positions.queue_number(EVENT, before).position == 1
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.clock.now += 0.1  # the other process still remembers the generation
    after = in_memory_room.visitors(1)[0]
    assert other.positions.queue_number(EVENT, after).position == 1
    with pytest.raises(RoomWasReset):
        other.positions.queue_number(EVENT, before)


def test_another_process_sees_a_reset_within_two_seconds(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    other = in_memory_room.new_room()
    assert other.positions.queue_number(EVENT, visitor).position == 1
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.clock.now += 2
    with pytest.raises(RoomWasReset):
        other.positions.queue_number(EVENT, visitor)


def test_events_tell_every_change_of_the_counter(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.serve(5)
    in_memory_room.serve(-2)
    assert in_memory_room.published == [
        ("serving_counter_changed",
         {"event_id": EVENT, "previous": 0, "current": 5, "reason": "operator"}),
        ("serving_counter_changed",
         {"event_id": EVENT, "previous": 5, "current": 3, "reason": "operator"}),
    ]  # fmt: skip


def test_a_call_that_does_not_move_the_counter_is_not_announced(
    in_memory_room: InMemoryRoom,
) -> None:
    in_memory_room.serve(-5)
    assert in_memory_room.log.read(EVENT).serving == 0
    assert in_memory_room.published == []


def test_writers_that_collide_try_again(in_memory_room: InMemoryRoom) -> None:
    real, tries = in_memory_room.log.store.write, []

    def others_first(before, after):  # type: ignore[no-untyped-def]
        tries.append(1)
        if len(tries) < 4:
            raise Conflict
        return real(before, after)

    in_memory_room.log.store.write = others_first
    assert in_memory_room.serve(5) == 5
    assert len(tries) == 4


def test_a_write_whose_answer_was_lost_is_not_made_twice(in_memory_room: InMemoryRoom) -> None:
    real = in_memory_room.log.store.write

    def answer_lost(before, after):  # type: ignore[no-untyped-def]
        in_memory_room.log.store.write = real
        real(before, after)
        raise Conflict  # what the client's own retry is told

    in_memory_room.log.store.write = answer_lost
    assert in_memory_room.serve(5) == 5
    assert in_memory_room.log.read(EVENT).serving == 5


def test_a_reset_is_not_answered_before_the_counters_know_it(in_memory_room: InMemoryRoom) -> None:
    old = in_memory_room.visitors(3)[0]
    in_memory_room.serve(3)
    tell_once_then_fail(in_memory_room)
    assert outcome_of(lambda: in_memory_room.room.control.reset(EVENT)) == "Unavailable"
    in_memory_room.counters.fail("apply", "before")
    assert outcome_of(lambda: in_memory_room.token(old)) == "Unavailable"  # the copy still says 3
    assert outcome_of(lambda: in_memory_room.token(old)) == "RoomWasReset"
    assert in_memory_room.room.control.reset(EVENT) == 3
    assert in_memory_room.room.metrics.counts(EVENT).generation == 3
    assert in_memory_room.waiting() == 0


def test_a_reset_that_cannot_be_announced_is_not_made(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    in_memory_room.counters.fail("apply", "before")
    assert outcome_of(lambda: in_memory_room.room.control.reset(EVENT)) == "Unavailable"
    assert in_memory_room.log.read(EVENT).generation == 1
    assert outcome_of(lambda: in_memory_room.token(visitor)) == "ok"


def tell_once_then_fail(in_memory_room: InMemoryRoom) -> None:
    """The next announcement is taken, what follows it is not."""
    in_memory_room.counters.plan["apply"] = ["", "before"]


def test_the_figures_are_never_those_of_a_line_that_was_reset(in_memory_room: InMemoryRoom) -> None:
    in_memory_room.visitors(3)
    in_memory_room.serve(3)
    tell_once_then_fail(in_memory_room)
    assert outcome_of(lambda: in_memory_room.room.control.reset(EVENT)) == "Unavailable"
    in_memory_room.counters.fail("apply", "before")
    assert outcome_of(lambda: in_memory_room.room.metrics.status_page(EVENT)) == "Unavailable"
    assert in_memory_room.room.metrics.status_page(EVENT)["serving_counter"] == 0


@pytest.mark.parametrize(("read", "before"), [("serving_number", 3), ("waiting_number", 4)])
def test_a_single_number_is_recovered_and_never_that_of_a_line_that_was_reset(
    in_memory_room: InMemoryRoom, read: str, before: int
) -> None:
    in_memory_room.visitors(4)
    in_memory_room.serve(3)
    number = getattr(in_memory_room.room.metrics, read)
    in_memory_room.memory.lose()
    assert number(EVENT) == before
    tell_once_then_fail(in_memory_room)
    assert outcome_of(lambda: in_memory_room.room.control.reset(EVENT)) == "Unavailable"
    in_memory_room.counters.fail("apply", "before")
    assert outcome_of(lambda: number(EVENT)) == "Unavailable"
    assert number(EVENT) == 0
    with pytest.raises(InvalidInput):
        number("Other")


def test_expired_tokens_are_those_of_the_line_that_stands(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    in_memory_room.token(visitor)
    in_memory_room.clock.now += 4000
    tell_once_then_fail(in_memory_room)
    assert outcome_of(lambda: in_memory_room.room.control.reset(EVENT)) == "Unavailable"
    assert in_memory_room.room.sessions.expired(EVENT, 10, None) == ([], None)


def test_a_reset_beside_a_move_is_announced_again(in_memory_room: InMemoryRoom) -> None:
    """What the move took away from the announcement, the reset says once more."""
    in_memory_room.visitors(3)
    real = in_memory_room.log.store.reset

    def moved_first(before, after):  # type: ignore[no-untyped-def]
        in_memory_room.log.store.reset = real
        in_memory_room.new_room().control.increment(EVENT, 1)
        return real(before, after)

    in_memory_room.log.store.reset = moved_first
    assert in_memory_room.room.control.reset(EVENT) == 2
    assert in_memory_room.log.read(EVENT).serving == 0


def test_a_move_back_that_the_counters_did_not_follow_lets_nobody_in_above_it(
    in_memory_room: InMemoryRoom,
) -> None:
    visitor = in_memory_room.visitors(5)[4]
    in_memory_room.serve(5)
    tell_once_then_fail(in_memory_room)
    assert in_memory_room.serve(-3) == 2
    for told in ("before", "after"):
        in_memory_room.counters.fail("apply", told)
        assert outcome_of(lambda: in_memory_room.token(visitor)) == "Unavailable"
    assert outcome_of(lambda: in_memory_room.token(visitor)) == "NotServedYet"


def test_a_copy_rebuilt_between_announcement_and_move_back_asks_the_tables(
    in_memory_room: InMemoryRoom,
) -> None:
    visitor = in_memory_room.visitors(5)[4]
    in_memory_room.serve(5)
    real = in_memory_room.log.store.write

    def lost_before_the_move(before, after):  # type: ignore[no-untyped-def]
        if after.version > before.version:
            in_memory_room.memory.lose()
            in_memory_room.new_room().metrics.counts(EVENT)
            in_memory_room.counters.fail("apply", "before")
        return real(before, after)

    in_memory_room.log.store.write = lost_before_the_move
    assert in_memory_room.serve(-3) == 2
    assert outcome_of(lambda: in_memory_room.token(visitor)) == "NotServedYet"


def test_a_rebuild_that_read_before_the_announcement_is_not_restored(
    in_memory_room: InMemoryRoom,
) -> None:
    """Lost counters need no rebuild before a move back; those under way must read again."""
    visitor = in_memory_room.visitors(5)[4]
    in_memory_room.serve(5)
    in_memory_room.memory.lose()
    in_memory_room.memory.acquire_rebuild_lease(EVENT, "slow")
    old = counter_recovery.read_snapshot(
        EVENT, in_memory_room.log.store, in_memory_room.outcomes.store
    )
    in_memory_room.counters.plan["apply"] = ["", "", "before"]
    assert in_memory_room.serve(-3) == 2
    with pytest.raises(CountersLost):
        in_memory_room.memory.restore(old, "slow")
    assert outcome_of(lambda: in_memory_room.token(visitor)) == "NotServedYet"


def test_a_move_back_whose_writer_died_stops_nobody_and_is_overtaken(
    in_memory_room: InMemoryRoom,
) -> None:
    visitors = in_memory_room.visitors(3)
    in_memory_room.serve(2)
    before = in_memory_room.log.read(EVENT)
    in_memory_room.room.control._states.announce_lowering(before)
    assert outcome_of(lambda: in_memory_room.token(visitors[0])) == "ok"
    assert outcome_of(lambda: in_memory_room.token(visitors[2])) == "NotServedYet"
    in_memory_room.log.calls.clear()
    in_memory_room.minute()
    in_memory_room.log.calls.clear()
    assert outcome_of(lambda: in_memory_room.token(visitors[1])) == "ok"
    assert in_memory_room.log.calls == []  # nothing is in doubt any more
    assert in_memory_room.log.read(EVENT).serving == 2
    with pytest.raises(Conflict):  # should it live after all
        in_memory_room.log.write(
            before, serving_counter.move(before, -1, int(in_memory_room.clock()), "operator")
        )


def test_a_move_back_is_not_made_while_the_counters_do_not_answer(
    in_memory_room: InMemoryRoom,
) -> None:
    visitor = in_memory_room.visitors(5)[4]
    in_memory_room.serve(5)
    in_memory_room.counters.fail("apply", "before")
    assert outcome_of(lambda: in_memory_room.serve(-3)) == "Unavailable"
    assert in_memory_room.log.read(EVENT).serving == 5
    assert in_memory_room.serve(-3) == 2
    assert outcome_of(lambda: in_memory_room.token(visitor)) == "NotServedYet"


def test_a_clock_that_steps_back_takes_no_time_from_those_who_are_served(
    in_memory_room: InMemoryRoom,
) -> None:
    visitors = in_memory_room.visitors(20)
    in_memory_room.clock.now += 1000
    in_memory_room.serve(10)
    in_memory_room.clock.now -= 300
    in_memory_room.serve(10)
    in_memory_room.clock.now += 300
    left = [
        in_memory_room.room.tokens.time_to_expiry(EVENT, visitor)
        for visitor in (visitors[0], visitors[19])
    ]
    assert left == [900, 900]
