# SPDX-License-Identifier: Apache-2.0
"""The AWS solution's procedure: abandon what ``expired_tokens`` lists, and the inlet goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.inlet_room import InletHarness, sns
from waiting_room.domain.errors import NoLiveSession
from waiting_room.inlet.strategies import RoomMetrics

SIZE = 3


class RoomOf:
    """The RoomApi port on a room in memory."""

    def __init__(self, in_memory_room: InMemoryRoom) -> None:
        self.room = in_memory_room.room

    def metrics(self, event_id: str) -> RoomMetrics:
        """The figures of the room."""
        return RoomMetrics.from_metrics(self.room.metrics.panel(event_id))

    def increment(self, event_id: str, by: int, call_id: str) -> int:
        """Raise the serving counter."""
        return self.room.control.increment(event_id, by, call_id=call_id)

    def end_sessions(
        self, event_id: str, request_ids: Sequence[str], status: int, call_id: str
    ) -> int:
        """End sessions; answers how many were open."""
        ended = 0
        for one in request_ids:
            try:
                self.room.sessions.end(event_id, one, status, call_id=call_id)
            except NoLiveSession:
                continue
            ended += 1
        return ended


class Site:
    """A room with an inlet that is full of visitors whose tokens have expired."""

    def __init__(self) -> None:
        self.in_memory_room = InMemoryRoom()
        self.in_memory_room.room.workers.setup.run()
        self.visitors = self.in_memory_room.visitors(5 * SIZE)
        self.inlet = InletHarness(
            {"INLET_STRATEGY": "MaxSize", "MAX_SIZE": SIZE},
            room=RoomOf(self.in_memory_room),  # type: ignore[arg-type]
            clock=self.in_memory_room.clock,
        )
        assert self.minute() == SIZE
        for visitor in self.visitors[:SIZE]:
            self.in_memory_room.token(visitor)
        assert self.minute() == 0
        self.in_memory_room.clock.now += 3600

    def minute(self) -> int:
        """The inlet's run on schedule; how many places it opened."""
        return self.inlet.inlet.run_max_size({}).by

    def told(self, **message: object) -> int:
        """A message to the inlet; how many places it opened."""
        return self.inlet.inlet.run_max_size(sns(message)).by

    def expired(self) -> list[str]:
        """What the private API lists."""
        return self.in_memory_room.room.sessions.expired(EVENT, 1_000, None)[0]

    def coming(self) -> int:
        """Who is on the site, or may still come."""
        figures = RoomMetrics.from_metrics(self.in_memory_room.room.metrics.panel(EVENT))
        return figures.active + figures.outstanding


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_message_that_abandons_the_expired_opens_their_places_once(site: Site) -> None:
    listed = site.expired()
    assert listed == site.visitors[:SIZE]
    assert site.told(abandoned=listed) == SIZE
    assert site.expired() == []
    assert site.told(abandoned=listed) == 0
    assert site.minute() == 0
    assert site.coming() == SIZE


def test_calls_that_abandon_the_expired_open_their_places_once(site: Site) -> None:
    for one in site.expired():
        site.in_memory_room.room.sessions.end(EVENT, one, -1)
    assert site.expired() == []
    assert site.told(exited=SIZE) == SIZE
    assert site.minute() == 0
    assert site.coming() == SIZE


@pytest.mark.parametrize("by_calls", [False, True])
def test_who_expired_and_was_replaced_opens_no_second_place(site: Site, by_calls: bool) -> None:
    assert site.minute() == SIZE
    listed = site.expired()
    if by_calls:
        for one in listed:
            site.in_memory_room.room.sessions.end(EVENT, one, -1)
        assert site.told(exited=SIZE) == 0
    else:
        assert site.told(abandoned=listed, exited=SIZE) == 0
    assert site.coming() == SIZE
    for visitor in site.visitors[SIZE : 2 * SIZE]:
        site.in_memory_room.token(visitor)
    assert site.told(completed=[site.visitors[SIZE]]) == 1
    assert site.coming() == SIZE
    counts = site.in_memory_room.room.metrics.counts(EVENT)
    assert (counts.active, counts.completed, counts.abandoned) == (SIZE - 1, 1, 0)
