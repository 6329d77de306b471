# SPDX-License-Identifier: Apache-2.0
"""Visitors who go straight through, under any order of operations.

Entrances, join workers, admission, operators, resets and expiry act on one event. The clock stands
still during an operation, so copies of a second are stale within a second.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.fakes.entrance import entrance_of
from tests.support.in_memory_room import InMemoryRoom
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Gone, NotServedYet, PhaseForbids
from waiting_room.domain.events.admission import burst
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.gate.straight_through import LINE_AGE
from waiting_room.domain.records import EventState, Join, Outcome
from waiting_room.use_cases.gate.entrance import Way

EVENT = "sale"
ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
COPIES = 2.0  # s: the response of ``enter`` and the copy of the state row
ADMISSION: dict[str, dict[str, Any]] = {
    "rate": {"strategy": "rate", "per_minute": 30},
    "active": {"strategy": "active", "max_active": 4},
    "both": {"strategy": "both", "max_active": 4, "per_minute": 30},
    "manual": {"strategy": "manual"},
}


@dataclass
class Visitor:
    """A visitor who got the response *wait* at ``since``; ``join`` once it has joined."""

    since: float
    generation: int
    join: Join | None = None
    has_token: bool = False


class StraightThroughMachine(RuleBasedStateMachine):
    """One event behind a gate, and the visitors of its site."""

    @initialize(strategy=st.sampled_from(sorted(ADMISSION)))
    def begin(self, strategy: str) -> None:
        self.room = InMemoryRoom()
        self.admission = ADMISSION[strategy]
        content = {"protect": [{"path": "/"}], "admission": self.admission}
        self.room.event_documents.put(EVENT, content, None, actor=ADA)
        self.doors = [
            entrance_of(self.room.stores, self.room.clock, lambda _: None) for _ in range(2)
        ]
        self.rooms = [self.room.new_room() for _ in range(2)]
        self.queue: list[Join | float] = []  # joins, and messages with the time of their sending
        self.waiting: list[Visitor] = []
        self.straight: set[tuple[int, int]] = set()
        self.ours = 0  # positions that operators served
        self.began = self.room.clock()

    # Visitors

    @rule(door=st.integers(0, 1), count=st.integers(1, 12))
    def arrive(self, door: int, count: int) -> None:
        """A visitor asks ``enter``, and with *go* ``session``."""
        for _ in range(count):
            entrance = self.doors[door]
            found: Any = entrance.enter(EVENT)
            if found.way is Way.GO:
                found = entrance.go(EVENT)
            if isinstance(found, GateSession):
                self._went_through(found)
            elif self._phase().accepts_joins:
                self.waiting.append(Visitor(self.room.clock(), self._state().generation))

    @rule(count=st.integers(1, 5))
    def join(self, count: int) -> None:
        """Visitors whose page has loaded join."""
        for visitor in [one for one in self.waiting if one.join is None][:count]:
            visitor.join = self._join()
            self.queue.append(visitor.join)

    @rule()
    def join_by_api(self) -> None:
        """A client of the API joins."""
        self.queue.append(self._join())

    @rule()
    def take_tokens(self) -> None:
        """The pages of served visitors request their tokens."""
        for visitor in self.waiting:
            self._take_token(visitor)

    # Workers

    @rule(room=st.integers(0, 1), count=st.integers(1, 12))
    def work(self, room: int, count: int) -> None:
        """A join worker receives the oldest messages."""
        batch, self.queue = self.queue[:count], self.queue[count:]
        workers = self.rooms[room].workers
        joins = [one for one in batch if isinstance(one, Join)]
        accepted = workers.intake.sort(joins)
        workers.intake.refuse(accepted)
        for mine in accepted.accepted.values():
            workers.line.joins_received(EVENT, mine)
            assert not workers.assignment.assign(EVENT, mine).retry
            workers.admission.step_after_joins(EVENT)
        for sent_at in batch:
            if isinstance(sent_at, float) and workers.line.message_received(EVENT, sent_at):
                workers.admission.step_after_joins(EVENT)
        self._arrive_on_the_site()

    @rule()
    def admit(self) -> None:
        """A run of ``admit`` that ends after its first look."""
        workers = self.rooms[0].workers
        workers.admission.run_minute(
            lambda: 0.0, lambda _: self.queue.append(float(self.room.clock()))
        )
        self._arrive_on_the_site()

    @rule()
    def sweep(self) -> None:
        """The minute jobs."""
        self.rooms[1].workers.reconciliation.run(EVENT)
        self.rooms[1].workers.expiry_sweep.run(EVENT)

    @rule(seconds=st.sampled_from([1, 2, 5, 11, 31, 40]))
    def wait(self, seconds: int) -> None:
        """Time passes; the stream delivers the outcomes."""
        self._stream()
        self.room.clock.now += seconds

    @rule(seconds=st.sampled_from([5, 31, 90]))
    def calm(self, seconds: int) -> None:
        """Workers do all that is to do, and time passes; then ``line`` can be removed."""
        for pause in (seconds, 10, 1):
            self.join(len(self.waiting))
            self.work(0, len(self.queue))
            self.admit()
            self.take_tokens()
            self.work(1, len(self.queue))
            self.wait(pause)

    # Operators

    @rule(action=st.sampled_from(["pause", "resume", "drain", "open", "open"]))
    def change_phase(self, action: str) -> None:
        """An operator changes the phase."""
        self.act(action)

    def act(self, action: str) -> None:
        """Carry out an action, if the phase allows it."""
        try:
            self.room.event_documents.act(EVENT, action, actor=ADA)
        except PhaseForbids:
            return

    @rule(by=st.integers(1, 5))
    def increment(self, by: int) -> None:
        """An operator serves positions."""
        if self.admission["strategy"] in ("active", "both"):
            return  # then the active visitors have no limit
        try:
            self.rooms[0].control.increment(EVENT, by, actor=ADA)
        except PhaseForbids:
            return

    @rule(what=st.sampled_from(["reset", "long wait", "close", "nothing", "nothing"]))
    def end(self, what: str) -> None:
        """The generation, sessions and positions, or the event ends, and opens again."""
        self._stream()
        if what == "reset":
            self.rooms[0].control.reset(EVENT, actor=ADA)
            self.waiting.clear()  # pages of the earlier generation start again
        elif what == "long wait":
            self.room.clock.now += 1_000
        elif what == "close":
            self.act("close")
            self.waiting.clear()

    # Checks

    def _went_through(self, session: GateSession) -> None:
        state, now = self._state(), self.room.clock()
        key = session.generation, session.position
        assert key not in self.straight
        self.straight.add(key)
        assert session.generation == state.generation
        assert session.position <= state.serving, "never ahead"
        assert self._phase() is Phase.OPEN, "an action forbids it"
        for visitor in self._unserved(state):
            joined_at = visitor.join.sent_at if visitor.join else now
            is_slow = joined_at - visitor.since >= LINE_AGE  # its page has joined later
            assert now - visitor.since < COPIES or is_slow, "overtaken"

    def _unserved(self, state: EventState) -> list[Visitor]:
        """Visitors who still wait; those of closed or earlier queues do not."""
        found = []
        for visitor in self.waiting:
            if visitor.generation != state.generation or visitor.has_token:
                continue
            row = visitor.join and self.room.positions.store.get(EVENT, visitor.join.request_id)
            if row is None or (row.position > state.serving and not row.refused):
                found.append(visitor)
        return found

    @invariant()
    def positions_are_unique(self) -> None:
        if not hasattr(self, "room"):
            return
        state = self._state()
        rows = list(
            self.room.positions.store.in_range(EVENT, state.generation, 1, state.queue + 100)
        )
        found = [row.position for row in rows]
        assert len(found) == len(set(found))
        assert all(1 <= position <= state.queue for position in found)
        mine = {
            position for generation, position in self.straight if generation == state.generation
        }
        assert mine <= set(found)

    @invariant()
    def admission_keeps_its_limits(self) -> None:
        if not hasattr(self, "room"):
            return
        now = self.room.clock()
        if self.admission["strategy"] in ("rate", "both"):
            moves = self.room.log.store.all_moves(EVENT)
            served = sum(
                move.current - move.previous for _, move in moves if move.reason == "admission"
            )
            pace = self.admission["per_minute"]
            most = burst({"burst": None}, pace) + pace * (now - self.began) / 60
            assert served <= most + 0.01
        if self.admission["strategy"] in ("active", "both"):
            assert len(self._live(now)) <= self.admission["max_active"]

    def _live(self, now: float) -> list[Outcome]:
        generation = self._state().generation
        found = self.room.outcomes.store.in_range(EVENT, generation, 1, self._state().queue)
        return [
            one for one in found if one.is_token and now < (one.session_until or one.expires_at)
        ]

    def _take_token(self, visitor: Visitor) -> None:
        if visitor.join is None or visitor.has_token:
            return
        row = self.room.positions.store.get(EVENT, visitor.join.request_id)
        if row is None or row.generation != self._state().generation or not row.position:
            return
        try:
            self.rooms[0].tokens.issue(EVENT, visitor.join.request_id)
        except (NotServedYet, Gone):
            return
        visitor.has_token = True

    def _arrive_on_the_site(self) -> None:
        """With a limit of active visitors each served visitor arrives, so that it is exact."""
        if self.admission["strategy"] in ("active", "both"):
            self.take_tokens()

    def _stream(self) -> None:
        state = self._state()
        outcomes = list(self.room.outcomes.store.in_range(EVENT, state.generation, 1, state.queue))
        self.rooms[1].publisher.publish_outcomes(outcomes)

    def _join(self) -> Join:
        return replace(
            Join(str(uuid.uuid4()), self.room.clock(), str(uuid.uuid4())), event_id=EVENT
        )

    def _state(self) -> EventState:
        state: EventState = self.room.log.store.read(EVENT)
        return state

    def _phase(self) -> Phase:
        return phase_of(self.room.documents.store.documents[EVENT].document, self.room.clock())


class TestStraightThrough(StraightThroughMachine.TestCase):
    settings = settings(
        max_examples=100,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
