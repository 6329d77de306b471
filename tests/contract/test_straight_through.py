# SPDX-License-Identifier: Apache-2.0
"""Writes of visitors who go straight through: the twin in memory, moto and DynamoDB Local."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.conftest import Tables
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.ports.straight_through import Taking
from waiting_room.domain.records import EventState

NOW, MARK = 1_800_000_000, 1_800_000_000_000_000


def serve(tables: Tables, event_id: str, by: int) -> EventState:
    """Move the serving counter; return the state."""
    state = tables.log.read(event_id)
    tables.log.write(state, serving_counter.move(state, by, NOW, "operator"))
    return tables.log.read(event_id)


def test_a_position_is_taken_while_it_is_served(tables: Tables, event_id: str) -> None:
    known = tables.log.read(event_id)
    assert tables.straight.take(known) == Taking(known)
    serve(tables, event_id, 2)
    found = [tables.straight.take(known) for _ in range(3)]
    assert [one.position for one in found] == [1, 2, 0]
    assert [one.state.queue for one in found] == [1, 2, 2]
    assert tables.log.read(event_id) == found[-1].state


def test_joins_and_visitors_get_one_sequence_of_positions(tables: Tables, event_id: str) -> None:
    known = serve(tables, event_id, 10)
    assert tables.straight.take(known).position == 1
    assert tables.log.reserve(event_id, 5, known).state.queue == 6
    assert tables.straight.take(known).position == 7


def test_a_move_keeps_the_positions_taken_meanwhile(tables: Tables, event_id: str) -> None:
    before = serve(tables, event_id, 3)
    tables.straight.take(before)
    tables.straight.set_line(event_id, 1, NOW, 10)
    tables.straight.shut(event_id, MARK)
    tables.log.write(before, serving_counter.move(before, 4, NOW, "operator"))
    state = tables.log.read(event_id)
    assert (state.queue, state.serving, state.line, state.shut) == (1, 7, NOW, MARK)


def test_another_generation_or_reset_is_refused_with_the_current_state(
    tables: Tables, event_id: str
) -> None:
    before = serve(tables, event_id, 3)
    tables.log.reset(before, before.next_generation(NOW))
    after = serve(tables, event_id, 5)
    assert tables.straight.take(before) == Taking(after)
    assert tables.straight.take(replace(after, reset_at=NOW - 1.0)) == Taking(after)
    assert tables.straight.take(after).position == 1


def test_line_stops_visitors_until_it_is_removed(tables: Tables, event_id: str) -> None:
    known = serve(tables, event_id, 3)
    tables.straight.set_line(event_id, 1, NOW, 10)
    seen = tables.straight.take(known)
    assert (seen.position, seen.state.line) == (0, NOW)
    assert tables.straight.remove_line(seen.state)
    assert not tables.straight.remove_line(seen.state)
    assert tables.straight.take(known).position == 1


def test_line_is_written_once_in_ten_seconds(tables: Tables, event_id: str) -> None:
    tables.log.read(event_id)
    for second, expected in ((0, 0), (9, 0), (10, 10), (19, 10), (5, 10)):
        tables.straight.set_line(event_id, 1, NOW + second, 10)
        assert tables.log.read(event_id).line == NOW + expected
    tables.straight.set_line(event_id, 2, NOW + 100, 10)
    assert tables.log.read(event_id).line == NOW + 10


def test_line_stays_while_a_position_is_not_served_or_after_a_later_wait(
    tables: Tables, event_id: str
) -> None:
    known = serve(tables, event_id, 1)
    tables.straight.set_line(event_id, 1, NOW, 10)
    seen = tables.log.read(event_id)
    tables.straight.set_line(event_id, 1, NOW + 10, 10)
    assert not tables.straight.remove_line(seen)
    tables.log.reserve(event_id, 2, known)
    assert not tables.straight.remove_line(tables.log.read(event_id))
    serve(tables, event_id, 1)
    assert not tables.straight.remove_line(replace(tables.log.read(event_id), generation=2))
    assert tables.straight.remove_line(tables.log.read(event_id))
    assert not tables.straight.remove_line(tables.log.read(event_id))


def test_a_state_without_line_removes_none(tables: Tables, event_id: str) -> None:
    assert not tables.straight.remove_line(tables.log.read(event_id))
    assert not tables.straight.remove_line(EventState("unknown"))


def test_shut_stops_visitors_until_its_own_action_ends_it(tables: Tables, event_id: str) -> None:
    known = serve(tables, event_id, 3)
    tables.straight.shut(event_id, MARK)
    assert tables.straight.take(known).position == 0
    tables.straight.shut(event_id, MARK + 1)
    tables.straight.reopen(event_id, MARK)
    assert tables.log.read(event_id).shut == MARK + 1
    tables.straight.reopen(event_id, MARK + 1)
    assert tables.log.read(event_id).shut == 0
    assert tables.straight.take(known).position == 1


def test_an_event_without_a_state_row_cannot_be_shut(tables: Tables, event_id: str) -> None:
    with pytest.raises(Unavailable):
        tables.straight.shut(event_id, MARK)
    tables.straight.reopen(event_id, MARK)
    assert tables.log.read(event_id) == EventState(event_id)


def test_a_reset_keeps_shut_and_ends_line(tables: Tables, event_id: str) -> None:
    tables.log.read(event_id)
    tables.straight.set_line(event_id, 1, NOW, 10)
    tables.straight.shut(event_id, MARK)
    before = tables.log.read(event_id)
    tables.log.reset(before, before.next_generation(NOW))
    state = tables.log.read(event_id)
    assert (state.generation, state.shut, state.line) == (2, MARK, 0)


@pytest.mark.parametrize("was", [0, MARK])
def test_a_reset_that_did_not_see_a_change_of_shut_is_a_conflict(
    tables: Tables, event_id: str, was: int
) -> None:
    before = tables.log.read(event_id)
    if was:
        tables.straight.shut(event_id, was)
        before = tables.log.read(event_id)
        tables.straight.reopen(event_id, was)
    else:
        tables.straight.shut(event_id, MARK)
    with pytest.raises(Conflict):
        tables.log.reset(before, before.next_generation(NOW))
    assert tables.log.read(event_id).generation == 1
