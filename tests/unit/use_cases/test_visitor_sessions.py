# SPDX-License-Identifier: Apache-2.0
"""End, look-up and expiry of visitors' sessions."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.errors import (
    InvalidInput,
    NoLiveSession,
    SessionEnded,
)


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
