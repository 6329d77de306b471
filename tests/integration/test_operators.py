# SPDX-License-Identifier: Apache-2.0
"""Operators' calls whose answers are lost, or that meet a reset, on real servers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.integration.test_races import at_once
from tests.support.real_stores import RealRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import NoLiveSession, OtherGeneration, RoomWasReset, Unavailable
from waiting_room.use_cases.room import Room

INLET = Actor(ActorKind.INLET, "arn:aws:sts::1:assumed-role/inlet/inlet")


class Losing:
    """A client of DynamoDB that loses answers to ``update_item``: it is done, nobody hears of it.

    Of each plan the first is "sent again" (as botocore does by itself) or "unanswered".
    """

    def __init__(self, client: Any, *plan: str) -> None:
        self._client, self.plan = client, list(plan)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        """Do it, and lose the answer as planned."""
        answer = self._client.update_item(**request)
        planned = self.plan.pop(0) if self.plan else ""
        if planned == "unanswered":
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return self._client.update_item(**request) if planned == "sent again" else answer


def with_tokens(real: RealRoom, count: int) -> list[str]:
    joins = real.joins(count)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, count)
    for join in joins:
        real.room.tokens.issue(real.event_id, join.request_id)
    return [join.request_id for join in joins]


@pytest.mark.parametrize("plan", ["sent again", "unanswered"])
def test_a_session_is_ended_once_however_often_its_answer_is_lost(
    real: RealRoom, plan: str
) -> None:
    visitor = with_tokens(real, 1)[0]
    real.outcomes._client = Losing(real.dynamodb, plan)
    call: Any = {"actor": INLET, "call_id": "message-1"}
    if plan == "unanswered":
        with pytest.raises(Unavailable):
            real.room.sessions.end(real.event_id, visitor, 1, **call)
    real.room.sessions.end(real.event_id, visitor, 1, **call)
    with pytest.raises(NoLiveSession) as told:
        real.room.sessions.end(real.event_id, visitor, -1)
    assert told.value.members == {"reason": "already_set", "status": 1}
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.completed, counts.abandoned, counts.active) == (1, 0, 0)


@pytest.mark.parametrize("plan", ["sent again", "unanswered"])
def test_an_increment_is_made_once_however_often_its_answer_is_lost(
    real: RealRoom, plan: str
) -> None:
    real.log._client = Losing(real.dynamodb, plan)
    call: Any = {"actor": INLET, "call_id": "tick-1"}
    if plan == "unanswered":
        with pytest.raises(Unavailable):
            real.room.control.increment(real.event_id, 5, **call)
    else:
        assert real.room.control.increment(real.event_id, 5, **call) == 5
    real.room.control.increment(real.event_id, 2)
    assert real.room.control.increment(real.event_id, 5, **call) == 7


def test_one_call_of_sixteen_at_once_moves_the_counter(real: RealRoom) -> None:
    rooms = [real.new_room() for _ in range(4)]
    at_once(
        16,
        lambda i: rooms[i % 4].control.increment(real.event_id, 5, actor=INLET, call_id="tick-1"),
    )
    assert real.room.metrics.counts(real.event_id).serving == 5


def test_one_of_two_who_end_a_session_at_once_is_told_that_it_is_set(real: RealRoom) -> None:
    visitors = with_tokens(real, 8)

    def end(index: int) -> str:
        try:
            real.room.sessions.end(real.event_id, visitors[index // 2], 1)
        except NoLiveSession as error:
            return str(error.members["reason"])
        return "ended"

    assert Counter(at_once(16, end)) == {"ended": 8, "already_set": 8}
    assert real.room.metrics.counts(real.event_id).completed == 8


def test_sessions_of_a_reset_line_are_never_counted_in_the_next_one(real: RealRoom) -> None:
    visitors = with_tokens(real, 12)
    rooms: list[Room] = [real.new_room() for _ in range(4)]

    def call(index: int) -> str:
        try:
            if index == 0:
                real.room.control.reset(real.event_id, 1)
            else:
                rooms[index % 4].sessions.end(real.event_id, visitors[index - 1], 1)
        except RoomWasReset:
            return "reset"
        return "done"

    answers = at_once(13, call)
    assert set(answers) <= {"done", "reset"}
    for visitor in visitors:
        with pytest.raises(RoomWasReset):
            real.room.sessions.end(real.event_id, visitor, 1)
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.generation, counts.completed, counts.tokens) == (2, 0, 0)


def test_resets_of_one_generation_at_once_are_one(real: RealRoom) -> None:
    def reset(_: int) -> int:
        try:
            return real.new_room().control.reset(real.event_id, 1)
        except OtherGeneration as error:
            return error.generation

    assert set(at_once(8, reset)) == {2}
    assert real.room.metrics.counts(real.event_id).generation == 2
