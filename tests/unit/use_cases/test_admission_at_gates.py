# SPDX-License-Identifier: Apache-2.0
"""Admission by the sessions at a gate: the limit holds, and a visitor who leaves is replaced."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.apps.gate_room import LIFE, ME, SALE, GateRoom
from waiting_room.domain.errors import NoLiveSession, RoomWasReset, SessionRefused
from waiting_room.domain.events.admission import GATE_STEP, STEP, step_interval
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.records import SessionStatus

MAX_ACTIVE = 3
ACTIVE = {"admission": {"strategy": "active", "max_active": MAX_ACTIVE}}
STREAM_DELAY = 2  # s


@dataclass
class SaleRoom(GateRoom):
    """An event that admits by active sessions. ``meanwhile`` is called each second of a pause."""

    waiting: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = field(default=lambda: None)

    def pause(self, seconds: float) -> None:
        """Let time pass, second by second."""
        for _ in range(int(seconds)):
            self.clock.now += 1
            self.meanwhile()
        self.clock.now += seconds % 1

    def join_sale(self, count: int) -> None:
        """Let visitors join; they are not served."""
        joins = [self.join(self.clock.now + index / 1000) for index in range(count)]
        assert not self.room.workers.assignment.assign(SALE, joins).retry
        self.waiting += [join.request_id for join in joins]

    def arrive(self) -> list[GateSession]:
        """Let the visitors who are served come to the site; return their sessions."""
        found: list[GateSession] = []
        while self.waiting and self.is_served(self.waiting[0]):
            token = self.access_token(self.waiting.pop(0))
            found.append(self.sessions.begin(SALE, token))
        return found

    def is_served(self, request_id: str) -> bool:
        """Return whether a visitor is served."""
        row = self.positions.store.get(SALE, request_id)
        return bool(row.position <= self.log.store.read(SALE).serving)

    def live(self) -> int:
        """Return the number of sessions that are open and not over."""
        rows = self.outcomes.store.in_range(SALE, self.generation, 1, 10**6)
        now = self.clock.now
        return sum(row.status is SessionStatus.OPEN and row.session_until > now for row in rows)

    def step(self) -> None:
        """Make an admission step, if one is due."""
        self.room.workers.admission.run_minute(lambda: 0.0)


@pytest.mark.parametrize("seconds", [1, 3, 4, 5, 6, 9, 10])
@pytest.mark.parametrize("way", ["leave", "end_session", "update_session", "time"])
def test_a_visitor_who_leaves_is_replaced_within_ten_seconds(way: str, seconds: int) -> None:
    room = SaleRoom(members=ACTIVE)
    room.join_sale(MAX_ACTIVE + 2)
    first = room.waiting[0]
    room.step()
    session = room.arrive()[0]
    room.clock.now = session.expires - seconds if way == "time" else room.clock.now + 20
    start, left, served = room.clock.now, 0.0, 0.0

    def meanwhile() -> None:
        nonlocal left, served
        if not left and room.clock.now == start + seconds:
            left = room.clock.now
            if way == "leave":
                room.sessions.end(session)
            elif way == "end_session":
                room.room.sessions.end_by_session(SALE, session.session_id, 1)
            elif way == "update_session":
                room.room.sessions.end(SALE, first, 1)
        if left and room.clock.now == left + STREAM_DELAY:
            room.stream()
        if not served and room.is_served(room.waiting[0]):
            served = room.clock.now

    room.meanwhile = meanwhile
    end = room.clock.now + 40
    for one in room.outcomes.store.in_range(SALE, 1, 2, MAX_ACTIVE):
        room.outcomes.extend_session(SALE, 1, one.position, int(end) + LIFE, int(start))
    room.stream()
    room.room.workers.admission.run_minute(lambda: end - room.clock.now + 20)
    assert left == start + seconds
    assert left <= served <= left + 10
    assert not room.is_served(room.waiting[1])


@pytest.mark.parametrize("seconds", [*range(46, 64, 2)])
def test_capacity_that_becomes_free_between_two_runs_is_given_within_ten_seconds(
    seconds: int,
) -> None:
    """The schedule starts a run each minute."""
    room = SaleRoom(members=ACTIVE)
    room.join_sale(MAX_ACTIVE + 2)
    room.step()
    session = room.arrive()[0]
    start, left, served = room.clock.now, 0.0, 0.0

    def meanwhile() -> None:
        nonlocal left, served
        if not left and room.clock.now >= start + seconds:
            left = room.clock.now
            room.sessions.end(session)
        if left and room.clock.now >= left + STREAM_DELAY:
            room.stream()
        if not served and room.is_served(room.waiting[0]):
            served = room.clock.now

    room.meanwhile = meanwhile
    room.stream()
    ends = []
    for run in (0, 60):
        room.pause(start + run - room.clock.now)
        room.room.workers.admission.run_minute(lambda: 60.0)
        ends.append(room.clock.now)
    assert ends[0] <= start + 60, "no two runs at a time"
    assert left == start + seconds
    assert left <= served <= left + 10
    assert not room.is_served(room.waiting[1])


def test_steps_are_closer_only_where_sessions_limit_admission() -> None:
    for strategy in ("manual", "rate", "active", "both"):
        assert step_interval(strategy, is_gated=False) == STEP
        limits = strategy in ("active", "both")
        assert step_interval(strategy, is_gated=True) == (GATE_STEP if limits else STEP)


def test_tokens_limit_admission_without_a_gate() -> None:
    room = SaleRoom(members={**ACTIVE, "session": {"valid_for": 60, "renew_every": 30}})
    room.join_sale(MAX_ACTIVE + 1)
    room.step()
    room.arrive()
    room.put(protect=[])
    room.clock.now += 90
    room.step()
    assert not room.is_served(room.waiting[0]), "the tokens are valid for an hour"
    room.put(protect=[{"path": "/checkout"}])
    room.clock.now += 10
    room.step()
    assert room.is_served(room.waiting[0]), "the sessions are over"


class SessionsMachine(RuleBasedStateMachine):
    """Visitors, operators, time, resets and lost counters; each served visitor comes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.room = SaleRoom(members=ACTIVE)
        self.issued: list[GateSession] = []
        self.ends: dict[tuple[int, int], int] = {}  # end of each session; 0 if it was ended

    @rule(count=st.integers(1, 4))
    def join(self, count: int) -> None:
        self.room.join_sale(count)

    @rule(seconds=st.sampled_from((1, 4, 5, 10, 60, 299, 300, 600, 899)))
    def wait(self, seconds: int) -> None:
        self.room.clock.now += seconds

    @rule()
    def step(self) -> None:
        self.room.stream()
        self.room.step()
        for session in self.room.arrive():
            self.note(session)

    @rule()
    def lose(self) -> None:
        self.room.memory.lose()

    @rule()
    def reset(self) -> None:
        self.room.room.control.reset(SALE)
        self.room.waiting.clear()
        self.room.clock.now += 1

    @precondition(lambda self: self.issued)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """Renew any cookie that was ever issued, as its owner or a thief does."""
        session = data.draw(st.sampled_from(self.issued))
        if not self.is_live(session):
            with pytest.raises(SessionRefused):
                self.room.sessions.renew(session)
            return
        self.note(self.room.sessions.renew(session))

    @precondition(lambda self: self.issued)
    @rule(data=st.data(), by_visitor=st.booleans())
    def end(self, data: st.DataObject, by_visitor: bool) -> None:
        session = data.draw(st.sampled_from(self.issued))
        if by_visitor:
            self.room.sessions.end(session)
        else:
            with suppress(NoLiveSession, RoomWasReset):
                self.room.room.sessions.end_by_session(SALE, session.session_id, -1)
        self.ends[session.generation, session.position] = 0

    def note(self, session: GateSession) -> None:
        """Remember the cookie, and the latest end."""
        place = session.generation, session.position
        self.issued.append(session)
        self.ends[place] = max(session.expires, self.ends.get(place, 0))

    def is_live(self, session: GateSession) -> bool:
        """Return whether the model says that the session lasts."""
        if session.generation < self.room.generation:
            return False
        return self.ends[session.generation, session.position] > self.room.clock.now

    @invariant()
    def sessions_are_within_the_limit(self) -> None:
        assert self.room.live() <= MAX_ACTIVE

    @invariant()
    def the_counters_have_the_live_sessions(self) -> None:
        self.room.stream()
        assert self.room.counted() == self.room.live()


class TestSessions(SessionsMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(
        max_examples=60,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def test_a_reset_event_does_not_let_old_sessions_in() -> None:
    room = SaleRoom(members=ACTIVE)
    room.join_sale(1)
    room.step()
    session = room.arrive()[0]
    room.event_documents.act(SALE, "close", actor=ME)
    room.room.control.reset(SALE)
    with pytest.raises(SessionRefused):
        room.sessions.renew(session)
