# SPDX-License-Identifier: Apache-2.0
"""The invariants under any interleaving: joins, duplicates, failures, moves, tokens, resets."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from tests.support.in_memory_room import EVENT, IN_TABLES, InMemoryRoom
from waiting_room.domain import serving_counter
from waiting_room.domain.errors import CountersLost, NotAssignedYet, RoomError
from waiting_room.domain.expiry import is_expired
from waiting_room.domain.records import EventState, Join, OutcomeKind, Position, SessionStatus

PERIOD = 300
VALIDITY = 600
STORES = st.sampled_from(["counters", "positions", "outcomes", "log", "events"])
METHODS = (
    "*",
    "insert",
    "reserve",
    "write",
    "put_if_absent",
    "count_token",
    "apply",
    "put_expired",
    "acquire_join_leases",
)


class TurnMachine(RuleBasedStateMachine):
    """Drives who is let in by a room whose counters fail, and holds it to what the tables say."""

    options: ClassVar[dict[str, Any]] = {}

    @initialize(increment=st.booleans())
    def start(self, increment: bool) -> None:
        self.in_memory_room = InMemoryRoom(
            {
                "QUEUE_POSITION_EXPIRY_PERIOD": PERIOD,
                "VALIDITY_PERIOD": VALIDITY,
                "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": increment,
                **self.options,
            }
        )
        self.in_memory_room.room.workers.setup.run()
        self.seen: dict[str, tuple[int, int]] = {}  # request id → generation, position
        self.tokens: dict[str, str] = {}
        self.served = 0  # the highest the counter was seen at in this generation
        self.generation = 1

    def tolerant(self, call: Any) -> Any:
        """The answer, or None when the room said no in a way it may."""
        try:
            return call()
        except (RoomError, CountersLost):
            return None

    @rule(by=st.sampled_from([20, 5, 2, 1, -1, -5]))
    def increment(self, by: int) -> None:
        self.tolerant(lambda: self.in_memory_room.serve(by))

    @rule()
    def tokens_for_all(self) -> None:
        """Everybody who has a place asks, as pages do once they see the counter."""
        for _, visitor in sorted(self.in_memory_room.positions.store._rows):
            self.ask_for_token(visitor)

    def ask_for_token(self, visitor: str) -> None:
        in_memory_room = self.in_memory_room
        row = in_memory_room.positions.store.get(EVENT, visitor)
        before = row and in_memory_room.outcomes.store.get(EVENT, row.generation, row.position)
        issued = self.tolerant(lambda: in_memory_room.token(visitor))
        if issued is None:
            return
        state = in_memory_room.log.store.read(EVENT)
        outcome = in_memory_room.outcomes.store.get(EVENT, row.generation, row.position)
        assert row.generation == state.generation, "a token of a line that was reset"
        assert outcome.kind is OutcomeKind.TOKEN
        if before is None:
            self.check_turn(row, state)
        assert self.tokens.setdefault(visitor, issued["access_token"]) == issued["access_token"]

    def check_turn(self, row: Position, state: EventState) -> None:
        """By the tables, whatever copy was read."""
        assert row.position <= state.serving, "a token above the serving counter"
        parts = serving_counter.segments(
            self.in_memory_room.log.store.moves(state), expired_through=state.expired_through
        )
        at = serving_counter.served_at(parts, row.position)
        assert at is not None
        now = int(self.in_memory_room.clock.now)
        assert not is_expired(row.entry_time, at, PERIOD, now), "a token of an expired position"

    @rule()
    def lose_the_counters(self) -> None:
        self.in_memory_room.memory.lose()

    @rule(refused=st.booleans())
    def refuse_writes(self, refused: bool) -> None:
        """The counters answer what they hold and take nothing, as without their replicas."""
        self.in_memory_room.memory.refuses_writes = refused

    @rule(after=st.integers(0, 3), method=st.sampled_from(["apply", "counts", "position_status"]))
    def break_the_counters_later(self, after: int, method: str) -> None:
        """A later call of a method fails, so that a change is told to them in part."""
        self.in_memory_room.counters.plan[method] = [""] * after + ["before"]


class AheadMachine(TurnMachine):
    """Little else than moves, resets and tokens, so that their meetings are found soon."""

    @rule(count=st.integers(1, 3))
    def arrive(self, count: int) -> None:
        self.in_memory_room.clock.now += 1
        joins = [
            self.in_memory_room.join(self.in_memory_room.clock.now + i / 100) for i in range(count)
        ]
        self.in_memory_room.clock.now += 1
        self.tolerant(
            lambda: self.in_memory_room.new_room().workers.assignment.assign(EVENT, joins)
        )

    @rule()
    def reset(self) -> None:
        self.tolerant(lambda: self.in_memory_room.room.control.reset(EVENT))

    @rule(seconds=st.sampled_from([1, 95, 301]))
    def minute(self, seconds: int) -> None:
        self.in_memory_room.clock.now += seconds
        self.tolerant(lambda: self.in_memory_room.room.workers.reconciliation.run(EVENT))
        self.tolerant(lambda: self.in_memory_room.room.workers.expiry_sweep.run(EVENT))


class RoomMachine(TurnMachine):
    """Drives a room all of whose stores fail, and holds it to what visitors saw."""

    waiting = Bundle("waiting")  # messages in the queue
    visitors = Bundle("visitors")

    @rule(target=waiting, count=st.integers(1, 30))
    def join(self, count: int) -> Any:
        self.in_memory_room.clock.now += 1
        return multiple(
            *(
                self.in_memory_room.join(self.in_memory_room.clock.now + i / 100)
                for i in range(count)
            )
        )

    @rule(target=visitors, batch=st.lists(waiting, min_size=1, max_size=12))
    def deliver(self, batch: list[Join]) -> Any:
        """Messages come in any order, again and again, also long after they were done."""
        self.tolerant(
            lambda: self.in_memory_room.new_room().workers.assignment.assign(EVENT, batch)
        )
        return multiple(*(join.request_id for join in batch))

    @rule(visitor=visitors)
    def look(self, visitor: str) -> None:
        try:
            row = self.in_memory_room.new_room().positions.queue_number(EVENT, visitor)
        except NotAssignedYet:
            assert visitor not in self.seen
            return
        except RoomError:
            return
        held = self.seen.setdefault(visitor, (row.generation, row.position))
        assert held == (row.generation, row.position), "a position changed"

    @rule(visitor=visitors)
    def token(self, visitor: str) -> None:
        self.ask_for_token(visitor)

    @rule(visitor=visitors, status=st.sampled_from([1, -1]))
    def end(self, visitor: str, status: int) -> None:
        self.tolerant(lambda: self.in_memory_room.room.sessions.end(EVENT, visitor, status))

    @rule(seconds=st.sampled_from([1, 30, 95, 301, 700]))
    def minute(self, seconds: int) -> None:
        self.in_memory_room.clock.now += seconds
        self.tolerant(lambda: self.in_memory_room.room.workers.reconciliation.run(EVENT))
        self.tolerant(lambda: self.in_memory_room.room.workers.expiry_sweep.run(EVENT))

    @rule(store=STORES, method=st.sampled_from(METHODS), when=st.sampled_from(["before", "after"]))
    def break_a_store(self, store: str, method: str, when: str) -> None:
        getattr(self.in_memory_room, store).fail(method, when)

    @rule(done=st.lists(consumes(waiting), max_size=3))
    def forget(self, done: list[Join]) -> None:
        """Messages that never come again."""

    @rule(odds=st.integers(0, 4))
    def reset(self, odds: int) -> None:
        if odds == 0:
            self.in_memory_room.clock.now += 1
            self.tolerant(lambda: self.in_memory_room.room.control.reset(EVENT))
            self.in_memory_room.clock.now += 1

    @invariant()
    def no_position_is_held_twice(self) -> None:
        rows = (
            self.in_memory_room.positions.store._rows.values()
            if hasattr(self, "in_memory_room")
            else ()
        )
        held = Counter((row.generation, row.position) for row in rows if row.position)
        assert all(count == 1 for count in held.values())

    @invariant()
    def no_token_is_both_issued_and_expired(self) -> None:
        if not hasattr(self, "in_memory_room"):
            return
        state = self.in_memory_room.log.store.read(EVENT)
        outcomes = self.in_memory_room.outcomes.store._rows.values()
        mine = [row for row in outcomes if row.generation == state.generation]
        expired = {row.position for row in mine if not row.is_token}
        assert state.expired <= len(expired)
        assert state.expired_through <= state.reconciled_through <= state.queue

    def teardown(self) -> None:
        if hasattr(self, "in_memory_room"):
            self.figures_are_exact_once_all_is_quiet()

    def figures_are_exact_once_all_is_quiet(self) -> None:
        in_memory_room = self.in_memory_room
        for store in (
            in_memory_room.counters,
            in_memory_room.positions,
            in_memory_room.outcomes,
            in_memory_room.log,
            in_memory_room.events,
        ):
            store.plan.clear()
        in_memory_room.memory.refuses_writes = False
        in_memory_room.room = in_memory_room.new_room()
        rows = list(in_memory_room.outcomes.store._rows.values())
        in_memory_room.deliver(rows)  # the stream delivers what happened
        before = in_memory_room.room.metrics.counts(EVENT)
        assert before.waiting >= 0
        for _ in range(2):
            in_memory_room.clock.now += 91
            in_memory_room.room.workers.reconciliation.run(EVENT)
        self.check_against_rows()
        in_memory_room.memory.lose()
        self.check_against_rows()

    def check_against_rows(self) -> None:
        in_memory_room = self.in_memory_room
        state = in_memory_room.log.store.read(EVENT)
        counts = in_memory_room.room.metrics.counts(EVENT)
        now = int(in_memory_room.clock.now)
        held = [
            row
            for row in in_memory_room.positions.store._rows.values()
            if row.generation == state.generation and row.position
        ]
        tokens = [
            row
            for row in in_memory_room.outcomes.store._rows.values()
            if row.generation == state.generation and row.is_token
        ]
        assert counts.queue - counts.holes == len(held)
        assert counts.tokens == len(tokens)
        assert counts.active == sum(row.is_active(now) for row in tokens)
        for status in (SessionStatus.COMPLETED, SessionStatus.ABANDONED):
            ended = sum(row.counted_status is status for row in tokens)
            assert getattr(counts, status.value) == ended
        assert counts.serving == state.serving
        swept = sum(row.position <= state.expired_through for row in held)
        swept_tokens = sum(row.position <= state.expired_through for row in tokens)
        assert counts.expired == swept - swept_tokens
        assert counts.waiting == len(held) - len(tokens) - counts.expired


class TestRoom(RoomMachine.TestCase):
    settings = settings(
        max_examples=60,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


class TestAhead(AheadMachine.TestCase):
    settings = settings(
        max_examples=300,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


class TablesRoomMachine(RoomMachine):
    """As RoomMachine, with the counters in the tables: only the stream counts tokens."""

    options = IN_TABLES

    @rule(part=st.integers(0, 3))
    def deliver_stream(self, part: int) -> None:
        """The stream delivers some rows as they are now, perhaps again."""
        rows = list(self.in_memory_room.outcomes.store._rows.values())[part::4]
        self.tolerant(lambda: self.in_memory_room.deliver(rows))


class TablesAheadMachine(AheadMachine):
    """As AheadMachine, with the counters in the tables."""

    options = IN_TABLES


class TestTablesRoom(TablesRoomMachine.TestCase):
    settings = settings(TestRoom.settings, max_examples=40)


class TestTablesAhead(TablesAheadMachine.TestCase):
    settings = settings(TestAhead.settings, max_examples=150)
