# SPDX-License-Identifier: Apache-2.0
"""End, look-up and expiry of visitors' sessions."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import EVENT, InMemoryRoom
from waiting_room.domain.errors import (
    InvalidInput,
    NoLiveSession,
    RoomWasReset,
    SessionEnded,
)


def test_a_session_ends_once(in_memory_room: InMemoryRoom) -> None:
    visitor, other = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    for status in (0, 2, "1", True, None):
        with pytest.raises(InvalidInput):
            in_memory_room.room.sessions.end(EVENT, visitor, status)
    with pytest.raises(NoLiveSession):
        in_memory_room.room.sessions.end(EVENT, visitor, 1)
    in_memory_room.token(visitor)
    in_memory_room.token(other)
    in_memory_room.room.sessions.end(EVENT, visitor, -1)
    with pytest.raises(NoLiveSession):
        in_memory_room.room.sessions.end(EVENT, visitor, 1)
    counts = in_memory_room.room.metrics.counts(EVENT)
    assert (counts.active, counts.tokens, counts.abandoned, counts.completed) == (1, 2, 1, 0)


@pytest.mark.parametrize("given", ["own", "other", "none", "stale"])
def test_a_position_of_the_caller_only_saves_the_read(
    in_memory_room: InMemoryRoom, given: str
) -> None:
    """Whatever position the caller states, the session of its request ends, and no other."""
    first, visitor, other = in_memory_room.visitors(3)
    in_memory_room.serve(3)
    for one in (first, visitor, other):
        in_memory_room.token(one)
    end, reads = in_memory_room.room.sessions.end, in_memory_room.positions
    end(EVENT, first, 1)  # reads the generation
    reads.calls.clear()
    if given == "stale":
        in_memory_room.pause(3)
    position = {"other": 3, "none": 4}.get(given, 2)
    end(EVENT, visitor, -1, queue_position=position)
    assert ("get_with_generation" not in reads.calls) == (given == "own")
    counts = in_memory_room.room.metrics.counts(EVENT)
    assert (counts.active, counts.abandoned, counts.completed) == (1, 1, 1)
    for again in (2, 3, 4, None):
        with pytest.raises(NoLiveSession) as caught:
            end(EVENT, visitor, 1, queue_position=again)
        assert caught.value.status == -1
    assert in_memory_room.room.metrics.counts(EVENT) == counts


def test_a_position_from_before_a_reset_ends_no_session_of_the_new_generation(
    in_memory_room: InMemoryRoom,
) -> None:
    first, visitor = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    for one in (first, visitor):
        in_memory_room.token(one)
    elsewhere = in_memory_room.new_room()
    in_memory_room.room.sessions.end(EVENT, first, 1)
    elsewhere.control.reset(EVENT)
    with pytest.raises(RoomWasReset):
        in_memory_room.room.sessions.end(EVENT, visitor, 1, queue_position=2)
    counts = elsewhere.metrics.counts(EVENT)
    assert (counts.tokens, counts.active, counts.completed) == (0, 0, 0)


@pytest.mark.parametrize("position", [0, -1, True, 1.0, "2", [], {}, 10**15])
def test_an_invalid_position_is_refused_by_its_name(
    in_memory_room: InMemoryRoom, position: object
) -> None:
    (visitor,) = in_memory_room.visitors(1)
    in_memory_room.serve(1)
    in_memory_room.token(visitor)
    with pytest.raises(InvalidInput, match="queue_position must be a whole number from 1 to"):
        in_memory_room.room.sessions.end(EVENT, visitor, 1, queue_position=position)
    assert in_memory_room.room.metrics.counts(EVENT).active == 1


def test_a_session_ends_by_its_id(in_memory_room: InMemoryRoom) -> None:
    visitor, _ = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    in_memory_room.token(visitor)
    end = in_memory_room.room.sessions.end_by_session
    for session in (
        None, 7, "", "1:1", f"{EVENT}:0:1", f"{EVENT}:1:01", f"{EVENT}:1:-1", f"{EVENT}:1:1:",
        f"{EVENT}:1:1 ", f"{EVENT}:1:1\n", f"{EVENT}:1:٣", "Other:1:1", f" {EVENT}:1:1",
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="session must"):
            end(EVENT, session, 1)
    for session in (f"{EVENT}:1:2", f"{EVENT}:1:3", f"{EVENT}:2:1", f"{EVENT}:1:999999999999"):
        with pytest.raises(NoLiveSession):
            end(EVENT, session, 1)
    end(EVENT, f"{EVENT}:1:1", 1)
    with pytest.raises(NoLiveSession):
        in_memory_room.room.sessions.end(EVENT, visitor, -1)
    counts = in_memory_room.room.metrics.counts(EVENT)
    assert (counts.active, counts.completed, counts.abandoned) == (0, 1, 0)
    in_memory_room.room.control.reset(EVENT)
    with pytest.raises(RoomWasReset):
        end(EVENT, f"{EVENT}:1:2", 1)
    with pytest.raises(NoLiveSession):
        end(EVENT, f"{EVENT}:2:1", 1)


def test_the_look_up_tells_each_state(in_memory_room: InMemoryRoom) -> None:
    one, two, three, four, five = in_memory_room.visitors(5)
    in_memory_room.serve(4)
    for visitor in (one, two):
        in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, one, 1)

    def state(visitor: str) -> str:
        return str(in_memory_room.room.sessions.request_status(EVENT, visitor)["state"])

    assert [state(v) for v in (one, two, three, five)] == [
        "completed", "token_issued", "eligible", "waiting",
    ]  # fmt: skip
    assert in_memory_room.room.sessions.request_status(EVENT, three)["expires_in"] == 900
    assert in_memory_room.room.sessions.request_status(EVENT, two)["expires_in"] == 3600
    in_memory_room.clock.now += 3601
    assert [state(v) for v in (two, four)] == ["token_expired", "position_expired"]


def test_expired_tokens_are_those_nobody_ended(in_memory_room: InMemoryRoom) -> None:
    visitors = in_memory_room.visitors(6)
    in_memory_room.serve(6)
    for visitor in visitors[:5]:
        in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, visitors[0], 1)
    assert in_memory_room.room.sessions.expired(EVENT, 10, None) == ([], None)
    in_memory_room.clock.now += 3600
    page, mark = in_memory_room.room.sessions.expired(EVENT, 3, None)
    rest, end = in_memory_room.room.sessions.expired(EVENT, 3, mark)
    assert page + rest == visitors[1:5]
    assert end is None


def test_the_session_of_an_expired_token_ends_once_and_changes_no_figure(
    in_memory_room: InMemoryRoom,
) -> None:
    visitors = in_memory_room.visitors(4)
    in_memory_room.serve(4)
    for visitor in visitors:
        in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, visitors[3], 1)
    in_memory_room.clock.now += 3600
    assert in_memory_room.room.sessions.expired(EVENT, 10, None) == (visitors[:3], None)
    before = in_memory_room.room.metrics.counts(EVENT)
    assert (before.tokens, before.active, before.completed, before.abandoned) == (4, 0, 1, 0)
    for visitor, status in zip(visitors[:2], (-1, 1), strict=True):
        in_memory_room.room.sessions.end(EVENT, visitor, status)
        with pytest.raises(NoLiveSession) as told:
            in_memory_room.room.sessions.end(EVENT, visitor, -1)
        assert told.value.members == {"reason": "already_set", "status": status}
        with pytest.raises(SessionEnded):
            in_memory_room.token(visitor)
    assert in_memory_room.room.sessions.expired(EVENT, 10, None) == (visitors[2:3], None)
    assert in_memory_room.room.sessions.ended(EVENT) == ([], None)
    rows = [in_memory_room.outcomes.get(EVENT, 1, position) for position in (1, 2, 3, 4)]
    in_memory_room.room.publisher.publish_outcomes(rows)
    ended = [detail for kind, detail in in_memory_room.published if kind == "session_updated"]
    assert [(one["request_id"], one["status"]) for one in ended] == [
        (visitors[0], "abandoned"), (visitors[1], "completed"), (visitors[3], "completed"),
    ]  # fmt: skip
    assert in_memory_room.room.metrics.counts(EVENT) == before
    in_memory_room.memory.lose()
    assert in_memory_room.room.metrics.counts(EVENT) == before


def test_an_ending_behind_the_settled_mark_changes_no_figure(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    in_memory_room.token(visitor)
    for seconds in (91, 91, 3600, 60):
        in_memory_room.minute(seconds)
    assert in_memory_room.log.read(EVENT).settled_through == 1
    in_memory_room.room.sessions.end(EVENT, visitor, -1)
    for _ in range(2):
        counts = in_memory_room.room.metrics.counts(EVENT)
        assert (counts.tokens, counts.active, counts.completed, counts.abandoned) == (1, 0, 0, 0)
        in_memory_room.memory.lose()
