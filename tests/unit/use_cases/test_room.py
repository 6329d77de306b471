# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for each use case: unknown events, lost counters, set-up."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of


def test_lost_counters_come_back_before_the_next_answer(
    in_memory_room: InMemoryRoom,
) -> None:  # lesson 6
    visitors = in_memory_room.visitors(20)
    in_memory_room.serve(10)
    for visitor in visitors[:4]:
        in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, visitors[3], 1)
    in_memory_room.room.control.set_message(EVENT, "hi")
    before = in_memory_room.room.metrics.counts(EVENT)
    for ask in (
        lambda: in_memory_room.room.metrics.counts(EVENT),
        lambda: in_memory_room.token(visitors[5]),
        lambda: in_memory_room.room.control.increment(EVENT, 1),
        lambda: in_memory_room.room.sessions.end(EVENT, visitors[0], 1),
        lambda: in_memory_room.visitors(1),
        lambda: in_memory_room.room.sessions.request_status(EVENT, visitors[2]),
        lambda: in_memory_room.minute(1),
    ):
        in_memory_room.memory.lose()
        ask()
    after = in_memory_room.room.metrics.counts(EVENT)
    assert after.queue == before.queue + 1
    assert after.serving == before.serving + 1
    assert after.tokens == before.tokens + 1
    assert (after.active, after.completed, after.message) == (3, 2, "hi")


@pytest.mark.parametrize("event_id", ["", "sample", "Other", "Sample ", "\x00"])
def test_an_unknown_event_is_refused_everywhere(
    in_memory_room: InMemoryRoom, event_id: str
) -> None:
    request = "00000000-0000-4000-8000-000000000000"
    room = in_memory_room.room
    for call in (
        lambda: room.metrics.counts(event_id),
        lambda: room.metrics.status_page(event_id),
        lambda: room.control.increment(event_id, 1),
        lambda: room.sessions.end(event_id, request, 1),
        lambda: room.sessions.request_status(event_id, request),
        lambda: room.sessions.expired(event_id, 1, None),
        lambda: room.control.set_message(event_id, ""),
        lambda: room.control.reset(event_id),
        lambda: room.sessions.ended(event_id),
    ):
        assert outcome_of(call) == "NoSuchEvent"
    for call in (
        lambda: room.positions.queue_number(event_id, request),
        lambda: room.tokens.time_to_expiry(event_id, request),
        lambda: room.tokens.issue(event_id, request),
    ):
        in_memory_room.clock.now += 1  # the registry is read once a second
        could_exist = event_id in ("sample", "Other")
        assert outcome_of(call) == ("JoinRefused" if could_exist else "NoSuchEvent")


def test_a_set_up_never_replaces_keys_that_it_could_not_read(in_memory_room: InMemoryRoom) -> None:
    before = in_memory_room.keys.store.load()
    in_memory_room.keys.fail("refresh", "before")
    assert outcome_of(in_memory_room.room.workers.setup.run) == "Unavailable"
    assert in_memory_room.keys.store.load() == before
