# SPDX-License-Identifier: Apache-2.0
"""What operators do: increments, sessions, messages, look-ups, reset; and recovery."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, START, InMemoryRoom, outcome_of
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import (
    Conflict,
    CountersLost,
    InvalidInput,
    NoLiveSession,
    RoomWasReset,
    SessionEnded,
)
from waiting_room.use_cases import counter_recovery


@pytest.fixture
def world() -> InMemoryRoom:
    made = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    made.room.setup.run()
    return made


def test_the_serving_counter_never_falls_below_zero(world: InMemoryRoom) -> None:
    assert world.serve(5) == 5
    assert world.serve(-7) == 0


@pytest.mark.parametrize("by", [0, 1.0, "1", None, True, 1_000_001, -1_000_001, [1]])
def test_an_increment_that_nobody_can_mean_is_refused(world: InMemoryRoom, by: object) -> None:
    with pytest.raises(InvalidInput):
        world.room.control.increment(EVENT, by)  # type: ignore[arg-type]
    assert world.room.metrics.counts(EVENT).serving == 0


def test_the_waiting_number_counts_those_who_wait(world: InMemoryRoom) -> None:
    visitors = world.visitors(5)
    assert world.waiting() == 5
    world.serve(2)
    assert world.waiting() == 5
    world.token(visitors[0])
    assert world.waiting() == 4


def test_the_status_is_all_a_page_needs(world: InMemoryRoom) -> None:
    world.visitors(100)
    world.serve(50)
    world.room.control.set_message(EVENT, "Doors open at ten")
    assert world.room.metrics.status_page(EVENT) == {
        "event_id": EVENT, "serving_counter": 50, "waiting_num": 100, "queue_counter": 100,
        "admission_rate_per_minute": 50.0, "poll_after_seconds": 2,
        "message": "Doors open at ten", "now": START + 1, "optimistic_rate_per_minute": 50.0,
        "moved_at": START + 1, "first_moved_at": START + 1, "every": None,
    }  # fmt: skip
    assert world.room.control.set_message(EVENT, "") == ""
    assert world.room.metrics.status_page(EVENT)["message"] == ""


def test_the_rate_of_a_room_that_has_just_opened_is_not_spread_over_the_time_before(
    world: InMemoryRoom,
) -> None:
    world.visitors(1_000)
    rates = []
    for _ in range(12):  # ten a second, told every ten seconds, for two minutes
        world.serve(100)
        world.clock.now += 10
        rates.append(world.room.metrics.status_page(EVENT)["admission_rate_per_minute"])
    assert rates[5:] == [600.0] * 7
    world.clock.now += 400
    assert world.room.metrics.status_page(EVENT)["admission_rate_per_minute"] == 0.0


def test_a_page_learns_when_the_line_moved_and_when_it_will(world: InMemoryRoom) -> None:
    def told() -> tuple[object, ...]:
        status = world.room.metrics.status_page(EVENT)
        names = ("optimistic_rate_per_minute", "moved_at", "first_moved_at", "every", "now")
        return tuple(status[name] for name in names)

    world.visitors(1_000)
    world.clock.now = START + 0.126
    assert told() == (0.0, None, None, None, START + 0.13)
    for _ in range(4):
        world.clock.now += 20
        world.serve(100)
    assert told() == (300.0, START + 80, START + 20, 20, START + 80.13)
    world.clock.now += 4_000  # a pause changes nothing but the time
    assert told() == (300.0, START + 80, START + 20, 20, START + 4_080.13)
    world.room.control.reset(EVENT)
    assert told()[:4] == (0.0, None, None, None)


def test_what_the_sweep_lets_in_counts_as_moves() -> None:
    world = InMemoryRoom({"INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"})
    world.room.setup.run()
    world.visitors(20)
    world.serve(4)
    for seconds in (91, 91, 901):
        world.minute(seconds)
    status = world.room.metrics.status_page(EVENT)
    assert (status["serving_counter"], status["moved_at"]) == (8, START + 1 + 1083)
    assert (status["first_moved_at"], status["every"]) == (START + 1, 1083)
    assert status["optimistic_rate_per_minute"] == 0.8


@pytest.mark.parametrize("message", [None, 5, "x" * 501, "a\x00b", "\x1b[31m"])
def test_a_message_is_short_plain_text(world: InMemoryRoom, message: object) -> None:
    with pytest.raises(InvalidInput):
        world.room.control.set_message(EVENT, message)


def test_a_session_ends_once(world: InMemoryRoom) -> None:
    visitor, other = world.visitors(2)
    world.serve(2)
    for status in (0, 2, "1", True, None):
        with pytest.raises(InvalidInput):
            world.room.sessions.end(EVENT, visitor, status)
    with pytest.raises(NoLiveSession):
        world.room.sessions.end(EVENT, visitor, 1)
    world.token(visitor)
    world.token(other)
    world.room.sessions.end(EVENT, visitor, -1)
    with pytest.raises(NoLiveSession):
        world.room.sessions.end(EVENT, visitor, 1)
    counts = world.room.metrics.counts(EVENT)
    assert (counts.active, counts.tokens, counts.abandoned, counts.completed) == (1, 2, 1, 0)


def test_the_look_up_tells_each_state(world: InMemoryRoom) -> None:
    one, two, three, four, five = world.visitors(5)
    world.serve(4)
    for visitor in (one, two):
        world.token(visitor)
    world.room.sessions.end(EVENT, one, 1)

    def state(visitor: str) -> str:
        return str(world.room.sessions.request_status(EVENT, visitor)["state"])

    assert [state(v) for v in (one, two, three, five)] == [
        "completed", "token_issued", "eligible", "waiting",
    ]  # fmt: skip
    assert world.room.sessions.request_status(EVENT, three)["expires_in"] == 900
    assert world.room.sessions.request_status(EVENT, two)["expires_in"] == 3600
    world.clock.now += 3601
    assert [state(v) for v in (two, four)] == ["token_expired", "position_expired"]


def test_expired_tokens_are_those_nobody_ended(world: InMemoryRoom) -> None:
    visitors = world.visitors(6)
    world.serve(6)
    for visitor in visitors[:5]:
        world.token(visitor)
    world.room.sessions.end(EVENT, visitors[0], 1)
    assert world.room.sessions.expired(EVENT, 10, None) == ([], None)
    world.clock.now += 3600
    page, mark = world.room.sessions.expired(EVENT, 3, None)
    rest, end = world.room.sessions.expired(EVENT, 3, mark)
    assert page + rest == visitors[1:5]
    assert end is None


def test_the_session_of_an_expired_token_ends_once_and_changes_no_figure(
    world: InMemoryRoom,
) -> None:
    visitors = world.visitors(4)
    world.serve(4)
    for visitor in visitors:
        world.token(visitor)
    world.room.sessions.end(EVENT, visitors[3], 1)
    world.clock.now += 3600
    assert world.room.sessions.expired(EVENT, 10, None) == (visitors[:3], None)
    before = world.room.metrics.counts(EVENT)
    assert (before.tokens, before.active, before.completed, before.abandoned) == (4, 0, 1, 0)
    for visitor, status in zip(visitors[:2], (-1, 1), strict=True):
        world.room.sessions.end(EVENT, visitor, status)
        with pytest.raises(NoLiveSession) as told:
            world.room.sessions.end(EVENT, visitor, -1)
        assert told.value.members == {"reason": "already_set", "status": status}
        with pytest.raises(SessionEnded):
            world.token(visitor)
    assert world.room.sessions.expired(EVENT, 10, None) == (visitors[2:3], None)
    assert world.room.sessions.ended(EVENT) == ([], None)
    rows = [world.outcomes.get(EVENT, 1, position) for position in (1, 2, 3, 4)]
    world.room.publisher.publish_outcomes(rows)
    ended = [detail for kind, detail in world.published if kind == "session_updated"]
    assert [(one["request_id"], one["status"]) for one in ended] == [
        (visitors[0], "abandoned"), (visitors[1], "completed"), (visitors[3], "completed"),
    ]  # fmt: skip
    assert world.room.metrics.counts(EVENT) == before
    world.memory.lose()
    assert world.room.metrics.counts(EVENT) == before


def test_an_ending_behind_the_settled_mark_changes_no_figure(world: InMemoryRoom) -> None:
    visitor = world.visitors(1)[0]
    world.serve(1)
    world.token(visitor)
    for seconds in (91, 91, 3600, 60):
        world.minute(seconds)
    assert world.log.read(EVENT).settled_through == 1
    world.room.sessions.end(EVENT, visitor, -1)
    for _ in range(2):
        counts = world.room.metrics.counts(EVENT)
        assert (counts.tokens, counts.active, counts.completed, counts.abandoned) == (1, 0, 0, 0)
        world.memory.lose()


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
    world.room.assignment.assign(
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


def test_lost_counters_come_back_before_the_next_answer(world: InMemoryRoom) -> None:  # lesson 6
    visitors = world.visitors(20)
    world.serve(10)
    for visitor in visitors[:4]:
        world.token(visitor)
    world.room.sessions.end(EVENT, visitors[3], 1)
    world.room.control.set_message(EVENT, "hi")
    before = world.room.metrics.counts(EVENT)
    for ask in (
        lambda: world.room.metrics.counts(EVENT),
        lambda: world.token(visitors[5]),
        lambda: world.room.control.increment(EVENT, 1),
        lambda: world.room.sessions.end(EVENT, visitors[0], 1),
        lambda: world.visitors(1),
        lambda: world.room.sessions.request_status(EVENT, visitors[2]),
        lambda: world.minute(1),
    ):
        world.memory.lose()
        ask()
    after = world.room.metrics.counts(EVENT)
    assert after.queue == before.queue + 1
    assert after.serving == before.serving + 1
    assert after.tokens == before.tokens + 1
    assert (after.active, after.completed, after.message) == (3, 2, "hi")


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


def test_the_minute_report_carries_the_contracts_fields(world: InMemoryRoom) -> None:
    visitors = world.visitors(3)
    world.serve(2)
    world.token(visitors[0])
    world.room.metrics.report(EVENT)
    assert world.published[-1] == (
        "waiting_room_metrics",
        {
            "event_id": EVENT, "num_active_tokens": 1, "total_num_tokens": 1, "queue_counter": 3,
            "serving_number": 2, "completed_sessions": 0, "abandoned_sessions": 0,
        },
    )  # fmt: skip


@pytest.mark.parametrize("event_id", ["", "sample", "Other", "Sample ", "\x00"])
def test_an_unknown_event_is_refused_everywhere(world: InMemoryRoom, event_id: str) -> None:
    request = "00000000-0000-4000-8000-000000000000"
    room = world.room
    for call in (
        lambda: room.positions.queue_number(event_id, request),
        lambda: room.metrics.counts(event_id),
        lambda: room.metrics.status_page(event_id),
        lambda: room.tokens.time_to_expiry(event_id, request),
        lambda: room.tokens.issue(event_id, request),
        lambda: room.keys.public_key(event_id),
        lambda: room.control.increment(event_id, 1),
        lambda: room.sessions.end(event_id, request, 1),
        lambda: room.sessions.request_status(event_id, request),
        lambda: room.sessions.expired(event_id, 1, None),
        lambda: room.control.set_message(event_id, ""),
        lambda: room.control.reset(event_id),
        lambda: room.sessions.ended(event_id),
    ):
        assert outcome_of(call) == "InvalidInput"


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


def test_the_minute_worker_believes_no_clock_that_runs_ahead_of_the_schedule(
    world: InMemoryRoom,
) -> None:
    world.visitors(10)
    world.serve(10)
    start = world.clock.now
    state = world.log.read(EVENT)
    world.log.reserve(EVENT, 5, state)  # a worker is at it
    world.room.reconciliation.run(EVENT, start)
    world.clock.now += 20_000
    for _ in range(3):
        world.room.reconciliation.run(EVENT, start + 60)
        world.room.expiry_sweep.run(EVENT, start + 60)
    assert world.log.read(EVENT).holes == 0
    assert world.log.read(EVENT).expired_through == 0
    for minutes in (2, 4):
        world.room.reconciliation.run(EVENT, start + 60 * minutes)
    world.room.expiry_sweep.run(EVENT, start + 902)
    assert world.log.read(EVENT).holes == 5
    assert world.log.read(EVENT).expired_through == 10


def test_a_minute_worker_whose_clock_was_behind_closes_nothing_early(world: InMemoryRoom) -> None:
    world.visitors(2)
    start = world.clock.now
    world.log.reserve(EVENT, 5, world.log.read(EVENT))
    world.clock.now -= 300
    world.room.reconciliation.run(EVENT, start)
    world.clock.now += 310
    world.room.reconciliation.run(EVENT, start + 10)
    assert world.log.read(EVENT).holes == 0


def test_counters_that_do_not_answer_do_not_keep_the_minute_worker_from_expiring(
    world: InMemoryRoom,
) -> None:
    world.visitors(5)
    world.serve(5)
    world.minute(91)
    world.minute(91)
    for _ in range(20):
        world.counters.fail("*", "before")
    world.minute(901)
    assert world.log.read(EVENT).expired_through == 5


def test_the_state_remembers_only_so_many_holes(world: InMemoryRoom) -> None:
    for _ in range(3):
        world.positions.store.insert = lambda rows: dict.fromkeys(row.request_id for row in rows)
        joins = [world.join(world.clock.now + index / 1e4) for index in range(900)]
        assert len(world.room.assignment.assign(EVENT, joins).retry) == 900
    state = world.log.read(EVENT)
    assert 1000 <= len(state.known_holes) < 2000
    for _ in range(2):
        world.minute(91)
    assert world.log.read(EVENT).holes == 2700
    assert world.waiting() == 0


def test_a_set_up_never_replaces_keys_that_it_could_not_read(world: InMemoryRoom) -> None:
    before = world.keys.store.load()
    world.keys.fail("refresh", "before")
    assert outcome_of(world.room.setup.run) == "Unavailable"
    assert world.keys.store.load() == before
