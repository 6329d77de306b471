# SPDX-License-Identifier: Apache-2.0
"""Message and unused positions, which have rows of their own beside the state row."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.records import StateDetails


def message(in_memory_room: InMemoryRoom) -> str:
    return in_memory_room.room.metrics.counts(EVENT).message


def test_a_message_survives_the_loss_of_the_counters_but_not_a_reset() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.room.control.set_message(EVENT, "soon")
    in_memory_room.memory.lose()
    assert message(in_memory_room) == "soon"
    in_memory_room.room.control.reset(EVENT)
    assert message(in_memory_room) == ""
    in_memory_room.memory.lose()
    assert message(in_memory_room) == ""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_message_set_while_the_event_is_reset_belongs_to_the_next_generation(when: str) -> None:
    """The call has read the first generation; the reset comes before or after its write."""
    in_memory_room = InMemoryRoom()
    store, write = in_memory_room.log.store, in_memory_room.log.store.set_message

    def and_reset(*args: object) -> None:
        store.set_message = write
        if when == "before":
            in_memory_room.room.control.reset(EVENT)
        write(*args)
        if when == "after":
            in_memory_room.room.control.reset(EVENT)

    store.set_message = and_reset
    assert in_memory_room.room.control.set_message(EVENT, "soon") == "soon"
    for _ in range(2):
        assert message(in_memory_room) == "soon"
        in_memory_room.memory.lose()
    assert store.read_with_details(EVENT)[0].generation == 2


def test_the_later_of_two_concurrent_messages_wins_in_table_and_counters() -> None:
    in_memory_room = InMemoryRoom()
    write = in_memory_room.log.store.set_message

    def after_another(*args: object) -> None:
        in_memory_room.log.store.set_message = write
        in_memory_room.clock.now += 1
        in_memory_room.room.control.set_message(EVENT, "other")
        in_memory_room.clock.now -= 1
        write(*args)

    in_memory_room.log.store.set_message = after_another
    in_memory_room.room.control.set_message(EVENT, "mine")
    assert message(in_memory_room) == "mine"
    in_memory_room.memory.lose()
    assert message(in_memory_room) == "mine"


def test_the_minute_worker_brings_what_the_counters_missed() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(3)
    in_memory_room.counters.fail("apply", "before")
    in_memory_room.room.control.set_message(EVENT, "soon")
    in_memory_room.log.add_unused_positions(EVENT, 1, [2])
    assert (message(in_memory_room), in_memory_room.waiting()) == ("", 3)
    in_memory_room.minute()
    assert (message(in_memory_room), in_memory_room.waiting()) == ("soon", 2)


@pytest.mark.parametrize("reset", [False, True])
def test_a_rebuild_counts_the_unused_positions_of_its_generation(reset: bool) -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(3)
    in_memory_room.log.add_unused_positions(EVENT, 1, [2])
    if reset:
        in_memory_room.room.control.reset(EVENT)
        in_memory_room.clock.now += 1
        in_memory_room.visitors(3)
    in_memory_room.memory.lose()
    assert in_memory_room.waiting() == (3 if reset else 2)


def test_unused_positions_are_counted_once_while_they_are_reconciled() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(3)
    in_memory_room.positions.store.insert = lambda rows: dict.fromkeys(
        row.request_id for row in rows
    )
    in_memory_room.room.workers.assignment.assign(EVENT, [in_memory_room.join() for _ in range(2)])
    steps = []
    for _ in range(4):
        in_memory_room.minute(91)
        details = in_memory_room.log.read_with_details(EVENT)[1]
        steps.append((in_memory_room.log.read(EVENT).holes, details.unused_positions))
        for _ in range(2):
            assert in_memory_room.waiting() == 3
            in_memory_room.memory.lose()
    assert steps[0] == (0, (4, 5))
    assert (2, (4, 5)) in steps, "the run that counts them keeps them for rebuilds under way"
    assert steps[-1] == (2, ())


def test_a_reset_before_unused_positions_are_removed_is_no_error() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.visitors(3)
    in_memory_room.minute()
    in_memory_room.minute(91)
    assert in_memory_room.log.read(EVENT).reconciled_through == 3
    in_memory_room.log.add_unused_positions(EVENT, 1, [2])
    remove = in_memory_room.log.store.remove_unused_positions

    def too_late(*args: object) -> None:
        in_memory_room.room.control.reset(EVENT)
        in_memory_room.log.add_unused_positions(EVENT, 2, [1])
        remove(*args)

    in_memory_room.log.store.remove_unused_positions = too_late
    in_memory_room.minute()
    assert in_memory_room.log.read_with_details(EVENT)[1] == StateDetails(unused_positions=(1,))
