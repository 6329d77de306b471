# SPDX-License-Identifier: Apache-2.0
"""Counters on Valkey and in tables return what the model in memory returns, for any history.

The model adds up the served segments one by one; the scripts use the first position of a window.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.contract.fed_counters import FedCounters, fed_counters
from tests.support import servers
from tests.support.fakes.counters import MemoryCounters
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import Snapshot
from waiting_room.domain.errors import CountersLost
from waiting_room.domain.limits import RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.ports.counters import Counters
from waiting_room.domain.records import Counts, EventState, ServingMove, SessionStatus, StateDetails

START = 1_800_000_000
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "up",
                "up",
                "up",
                "down",
                "expire",
                "trim",
                "rebuild",
                "missed",
                "unused",
                "reconcile",
                "token",
                "session",
                "begin",
                "renew",
            )
        ),
        st.integers(1, 40),
        st.sampled_from((0, 0, 1, 7, 59, 60, 61, 299, 300, 301)),  # s after the step before
    ),
    max_size=30,
)
UP = ("up", 5, 7)
TRIMMED = [UP] * 4 + [("up", 5, 0)] * 6 + [("expire", 22, 0), ("trim", 1, 301)]
WITHDRAWN = [UP, UP, UP, ("down", 8, 1), UP]
EXPIRED = [
    *(("token", amount, 0) for amount in range(10, 30)), ("trim", 1, 61), ("session", 20, 0),
    ("token", 31, 0), ("session", 15, 0), ("trim", 1, 61), ("trim", 1, 700),
]  # fmt: skip
SESSIONS = [
    ("begin", 5, 0), ("begin", 6, 1), ("begin", 5, 59), ("renew", 5, 0), ("begin", 5, 1),
    ("session", 5, 0), ("renew", 5, 0), ("session", 7, 0), ("begin", 7, 0), ("trim", 1, 301),
    ("trim", 1, 301), ("trim", 1, 301),
]  # fmt: skip
UNUSED = [UP, ("unused", 40, 0), ("unused", 30, 0), ("unused", 30, 0), ("reconcile", 35, 0)]


class Both:
    """One event in Valkey and in memory; each change is made to both."""

    def __init__(self, valkey: servers.Valkey) -> None:
        self.event_id = f"Event-{uuid.uuid4().hex[:8]}"
        self.counters = RedisCounters(valkey.client()), MemoryCounters()
        self.state = EventState(self.event_id, queue=1_000)
        self.moves: list[ServingMove] = []
        self.rebuild()

    def rebuild(self) -> None:
        """Restore the counters from the tables."""
        lease_id = uuid.uuid4().hex
        for counters in self.counters:
            counters.acquire_rebuild_lease(self.event_id, lease_id, force=True)
            assert counters.restore(Snapshot(self.state, tuple(self.moves), ()), lease_id)

    def move(self, by: int, now: int) -> None:
        """Move the serving counter in the tables."""
        self.state = serving_counter.move(self.state, by, now, "operator")
        assert self.state.move
        self.moves.append(self.state.move)

    def step(self, kind: str, amount: int, now: int) -> None:
        """Make one change."""
        if kind in ("up", "down"):
            self.move(amount if kind == "up" else -amount, now)
        elif kind == "missed":  # the counters miss the first of two moves
            self.move(amount, now)
            self.move(amount, now)
        elif kind == "expire":
            through = min(self.state.serving, self.state.expired_through + amount)
            self.state = replace(self.state, expired_through=through, expired=through)
        elif kind == "reconcile":
            through = max(self.state.reconciled_through, amount)
            self.state = replace(self.state, reconciled_through=through, holes=through)
        elif kind == "rebuild":
            self.rebuild()
        for counters in self.counters:
            if kind == "trim":
                counters.trim(self.event_id, now)
            elif kind in ("token", "session", "begin", "renew"):
                key = self.event_id, 1, amount, now + 30 * amount - 600
                if kind == "token":
                    counters.count_token(*key)
                elif kind in ("begin", "renew"):
                    counters.count_token(*key, now + (60 if kind == "begin" else 120))
                else:
                    counters.count_session(*key, SessionStatus.COMPLETED)
            elif kind == "unused":
                details = StateDetails(unused_positions=(amount, 500 + amount))
                counters.apply(self.state, details=details)
            else:
                counters.apply(self.state, self.moves if kind == "missed" else ())

    def counts(self, counters: Counters, now: int) -> Counts:
        """Return the numbers of one of both."""
        return counters.counts(self.event_id, now)

    def edges(self) -> list[int]:
        """Return times at which a move is just within a window, or just outside of it."""
        windows = (SHORTEST_RATE - 1, SHORTEST_RATE, RATE_WINDOW - 1, RATE_WINDOW)
        times = {START, START + 61, *(move.at for move in self.moves)}
        return [at + window for at in times for window in windows]

    def check(self, moments: Sequence[int]) -> None:
        """Compare all numbers at these times (epoch s)."""
        scripts, model = self.counters
        for now in moments:  # in any order: the clocks of functions differ
            assert self.counts(scripts, now) == self.counts(model, now)
        assert scripts.serving_number(self.event_id) == model.serving_number(self.event_id)
        assert scripts.waiting_number(self.event_id) == model.waiting_number(self.event_id)


class TablesAndModel(Both):
    """One event in the tables and in memory. There is no rebuild: the tables are what it reads."""

    def __init__(self, tables: FedCounters) -> None:
        self.event_id = f"Event-{uuid.uuid4().hex[:8]}"
        self.model, self.trimmed_at, self.went_back = MemoryCounters(), 0, False
        self.counters = tables, self.model
        self.state = EventState(self.event_id, queue=1_000)
        self.moves: list[ServingMove] = []
        self.model.acquire_rebuild_lease(self.event_id, "lease", force=True)
        assert self.model.restore(Snapshot(self.state, (), ()), "lease")
        tables.apply(self.state)

    def move(self, by: int, now: int) -> None:
        """Move the serving counter; the tables get each move, the model perhaps a later one."""
        super().move(by, now)
        self.went_back = self.went_back or self.state.serving == 0
        self.counters[0].apply(self.state)

    def counts(self, counters: Counters, now: int) -> Counts:
        """Return the numbers.

        The tables keep segments that the model drops: a start before the window is the same for
        every rate. The model may forget the first move after a move back to 0.
        """
        found = super().counts(counters, now)
        since = max(found.admitting_since, now - RATE_WINDOW)
        first = 0 if self.went_back else found.first_moved_at
        return replace(found, admitting_since=since, first_moved_at=first)

    def edges(self) -> list[int]:
        """Return the times after the last upkeep: the model dropped what is before."""
        return [moment for moment in super().edges() if moment >= self.trimmed_at]

    def step(self, kind: str, amount: int, now: int) -> None:
        """Make one change; no move is missing in the tables."""
        if kind == "trim":
            self.trimmed_at = now
        if kind == "missed":
            self.move(amount, now)
            self.move(amount, now)
            self.model.apply(self.state, self.moves)
        elif kind != "rebuild":
            super().step(kind, amount, now)


def holds_for_any_history(made: Callable[[], Both], examples: int) -> None:
    """Compare both after each step of drawn histories, and of those that found faults."""

    @settings(
        max_examples=examples, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(STEPS)
    @example(TRIMMED)
    @example(WITHDRAWN)
    @example(UNUSED)
    @example(EXPIRED)
    @example(SESSIONS)
    def check(steps: list[tuple[str, int, int]]) -> None:
        both, now = made(), START
        for kind, amount, pause in steps:
            now += pause
            both.step(kind, amount, now)
            both.check([now])
        both.check(both.edges())

    check()


def test_the_tables_return_what_the_model_returns(dynamodb_local_url: str) -> None:
    tables = fed_counters(dynamodb_local_url)
    holds_for_any_history(lambda: TablesAndModel(tables), examples=25)


def test_the_scripts_return_what_the_model_returns(valkey: servers.Valkey) -> None:
    holds_for_any_history(lambda: Both(valkey), examples=60)


def test_more_than_a_thousand_moves_within_the_window_all_count(valkey: servers.Valkey) -> None:
    both = Both(valkey)
    both.moves = [
        ServingMove(at + 1, 2 * at, 2 * at + 2, START + at // 10, "operator") for at in range(2_500)
    ]
    both.state = replace(both.state, serving=5_000, version=2_500, move=both.moves[-1])
    both.rebuild()
    both.check(both.edges()[::50])
    assert both.counters[0].counts(both.event_id, START + 249).admitted_recently == 5_000


def test_the_last_move_counts_after_a_clock_ran_ahead(valkey: servers.Valkey) -> None:
    """The upkeep deletes the segment that was first in the last second; the last one remains."""
    both = Both(valkey)
    for by, at in ((10, 1_000), (10, 300), (10, 1_000), *[(1, 1_000)] * 6):
        both.step("up", by, START + at)
    both.step("expire", 10, START + 1_000)
    both.step("trim", 1, START + 1_301)
    scripts, _ = both.counters
    moments = (1_059, 1_060, 1_299, 1_300)
    counts = [scripts.counts(both.event_id, START + now) for now in moments]
    assert [one.admitted_shortly for one in counts] == [1, 0, 0, 0]
    assert [one.admitted_recently for one in counts] == [1, 1, 1, 0]


def test_a_copy_of_an_earlier_release_is_lost(valkey: servers.Valkey) -> None:
    """It lacks the fields that repeat the latest segments."""
    both, client = Both(valkey), valkey.client()
    state = f"waiting_room:{{{both.event_id}}}:state"
    both.check([START])
    client.hset(state, "built_on", client.hget(state, "replication_id"))
    client.hdel(state, "replication_id")
    with pytest.raises(CountersLost):
        both.counters[0].counts(both.event_id, START)
    both.rebuild()
    both.check([START])
