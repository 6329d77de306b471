# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for each use case: unknown events, lost counters, set-up."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom, outcome_of


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


def test_a_set_up_never_replaces_keys_that_it_could_not_read(world: InMemoryRoom) -> None:
    before = world.keys.store.load()
    world.keys.fail("refresh", "before")
    assert outcome_of(world.room.workers.setup.run) == "Unavailable"
    assert world.keys.store.load() == before
