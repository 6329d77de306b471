# SPDX-License-Identifier: Apache-2.0
"""Rebuild of the counters from the tables: the rows it reads, its lease and its retries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.in_memory_room import EVENT
from waiting_room.domain import counter_snapshot
from waiting_room.domain.counter_snapshot import (
    Checkpoint,
    CounterUpkeepRequest,
    LiveToken,
    Snapshot,
    TokenTally,
)
from waiting_room.domain.errors import CountersLost, Unavailable
from waiting_room.domain.ports.counters import RebuildLease
from waiting_room.domain.records import (
    EventState,
    ServingMove,
    SessionStatus,
    StateDetails,
)
from waiting_room.use_cases import counter_recovery
from waiting_room.use_cases.counter_recovery import RecoveringCounters

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("queue", "version", "needed"),
    [
        (10_010, 1, False),
        (10_011, 1, True),
        (10, 2_000, False),
        (10, 2_001, True),
    ],
)
def test_a_checkpoint_is_needed_where_a_caller_cannot_wait_for_the_rows(
    queue: int, version: int, needed: bool
) -> None:
    state = EventState(EVENT, queue=queue, settled_through=10, version=version)
    assert counter_snapshot.needs_checkpoint(state) is needed


class Tables:
    """The tables as a rebuild reads them: what it asks for is noted."""

    def __init__(self, state: EventState, checkpoint: Checkpoint | None = None) -> None:
        self.state, self.kept = state, checkpoint
        self.details = StateDetails("hello", 1.0, (3,))
        self.ranges: list[tuple[int, int]] = []
        self.since: list[int] = []

    def read_with_details(self, event_id: str) -> tuple[EventState, StateDetails]:
        return self.state, self.details

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        return self.kept

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        self.since.append(after_version)
        return []

    def tokens(self, event_id: str, generation: int, first: int, last: int) -> list[LiveToken]:
        self.ranges.append((first, last))
        return [LiveToken(last, NOW, SessionStatus.OPEN)]


CHECKPOINT = Checkpoint(1, 40, NOW, (), TokenTally())


@pytest.mark.parametrize(
    ("state", "kept", "ranges", "unverified"),
    [
        (EventState(EVENT, queue=50, settled_through=10), None, [(11, 50)], 0),
        (EventState(EVENT, queue=50, settled_through=50), None, [], 0),
        (EventState(EVENT, queue=50, settled_through=10), CHECKPOINT, [(11, 50)], 0),
        (EventState(EVENT, queue=25_000), None, [(1, 10_000), (10_001, 20_000), (20_001, 25_000)],
         0),
        (EventState(EVENT, queue=25_000, serving=15_000), CHECKPOINT,
         [(5_001, 15_000), (15_001, 25_000)], 5_000),
        (EventState(EVENT, queue=25_000, serving=90_000), CHECKPOINT, [(15_001, 25_000)], 15_000),
        (EventState(EVENT, queue=25_000, serving=15_000, settled_through=5_000), CHECKPOINT,
         [(5_001, 15_000), (15_001, 25_000)], 0),
        (EventState(EVENT, queue=25_000, serving=15_000, settled_through=4_999), CHECKPOINT,
         [(5_001, 15_000), (15_001, 25_000)], 5_000),
        (EventState(EVENT, queue=25_000, serving=15_000, settled_through=6_000), CHECKPOINT,
         [(6_001, 16_000), (16_001, 25_000)], 0),
    ],
)  # fmt: skip
def test_a_rebuild_reads_the_rows_near_the_front_and_says_which_it_left_out(
    state: EventState,
    kept: Checkpoint | None,
    ranges: list[tuple[int, int]],
    unverified: int,
) -> None:
    tables, signs = Tables(state, kept), []
    found = counter_recovery.read_snapshot(EVENT, tables, tables, lambda: signs.append(1))  # type: ignore[arg-type]
    assert tables.ranges == ranges
    assert (found.state, found.details) == (state, tables.details)
    assert found.unverified == unverified
    used = kept if counter_snapshot.needs_checkpoint(state) else None
    assert (found.checkpoint, tables.since) == (used, [used.version if used else 0])
    assert [row.position for row in found.tokens] == [last for _, last in ranges]
    assert len(signs) == len(ranges)


def test_sessions_whose_rows_are_not_read_may_have_been_renewed() -> None:
    tally = TokenTally(sessions=((1, NOW), (2, NOW + 1), (3, NOW + 900)))
    kept = replace(CHECKPOINT, tally=tally)
    for queue, expected in (
        (25_000, ((1, NOW), (2, NOW + 280), (3, NOW + 900))),
        (10_001, ((1, NOW), (2, NOW + 280), (3, NOW + 900))),
        (9_999, None),
    ):
        tables = Tables(EventState(EVENT, queue=queue, serving=queue), kept)
        found = counter_recovery.read_snapshot(EVENT, tables, tables, now=NOW + 100)  # type: ignore[arg-type]
        assert (found.checkpoint and found.checkpoint.tally.sessions) == expected


class Copy:
    """The counters as a rebuild meets them: whose turn it is comes from a plan."""

    def __init__(self, *turns: RebuildLease, lost: int = 0) -> None:
        self.turns, self.lost = list(turns), lost
        self.forced: list[bool] = []
        self.recounted: list[tuple[list[int], int]] = []
        self.restored = 0

    def acquire_rebuild_lease(
        self, event_id: str, lease_id: str, *, force: bool = False
    ) -> RebuildLease:
        self.forced.append(force)
        return self.turns.pop(0) if self.turns else RebuildLease.NOT_NEEDED

    def renew_rebuild_lease(self, event_id: str, lease_id: str) -> None:
        pass

    def restore(self, found: Snapshot, lease_id: str) -> None:
        self.restored += 1
        if self.lost:
            self.lost -= 1
            raise CountersLost

    def recount(self, event_id: str, generation: int, rows: list[LiveToken], last: int) -> None:
        self.recounted.append(([row.position for row in rows], last))

    def checkpoint(self, event_id: str, now: int) -> Checkpoint:
        return CHECKPOINT


def recovering(copy: Copy, tables: Tables | None = None) -> tuple[RecoveringCounters, list[float]]:
    waited: list[float] = []
    tables = tables or Tables(EventState(EVENT))
    return RecoveringCounters(copy, tables, tables, lambda: NOW, waited.append), waited  # type: ignore[arg-type]


def test_a_rebuild_is_forced_once_and_then_waits_for_whoever_rebuilds() -> None:
    copy = Copy(RebuildLease.HELD, RebuildLease.HELD, RebuildLease.NOT_NEEDED)
    found, waited = recovering(copy)
    found.rebuild(EVENT, force=True)
    assert copy.forced == [True, False, False]
    assert waited == [0.1, 0.1]
    assert copy.restored == 0


def test_counters_lost_during_a_rebuild_are_rebuilt_again_at_once() -> None:
    copy = Copy(RebuildLease.ACQUIRED, RebuildLease.ACQUIRED, lost=1)
    found, waited = recovering(copy)
    found.rebuild(EVENT)
    assert (copy.restored, copy.forced, waited) == (2, [False, False], [])


def test_a_rebuild_that_others_do_not_end_is_given_up_after_five_seconds() -> None:
    found, waited = recovering(Copy(*[RebuildLease.HELD] * 60))
    with pytest.raises(Unavailable) as raised:
        found.rebuild(EVENT)
    assert sum(waited) == pytest.approx(5)
    assert raised.value.retry_after == 1


@pytest.mark.parametrize(("lost", "answers"), [(0, True), (1, True), (3, True), (4, False)])
def test_an_answer_is_asked_for_again_after_each_rebuild_and_only_the_first_is_not_forced(
    lost: int, answers: bool
) -> None:
    copy, left = Copy(), [lost]

    def ask() -> str:
        if left[0]:
            left[0] -= 1
            raise CountersLost
        return "answer"

    found, _ = recovering(copy)
    if answers:
        assert found._recover(EVENT, ask) == "answer"
    else:
        with pytest.raises(Unavailable) as raised:
            found._recover(EVENT, ask)
        assert raised.value.retry_after == 1
    assert copy.forced == [False, True, True][:lost]


@pytest.mark.parametrize(
    ("settled_through", "unverified", "compared"),
    [
        (0, 0, []),
        (5_000, 5_000, []),
        (5_000, 5_001, [(5_001, 5_001, 0)]),
        (0, 7_000, [(2_001, 7_000, 2_000), (1, 2_000, 0)]),
        (2_000, 7_000, [(2_001, 7_000, 0)]),
        (1_999, 7_000, [(2_001, 7_000, 2_000), (2_000, 2_000, 0)]),
    ],
)
def test_the_minute_worker_compares_what_a_rebuild_left_out_from_the_front_backwards(
    settled_through: int, unverified: int, compared: list[tuple[int, int, int]]
) -> None:
    state = EventState(EVENT, queue=9_000, settled_through=settled_through)
    tables, copy = Tables(state), Copy()
    recovering(copy, tables)[0].run_upkeep(state, CounterUpkeepRequest(False, unverified), NOW)
    assert tables.ranges == [(first, last) for first, last, _ in compared]
    assert copy.recounted == [([last], left) for _, last, left in compared]


def test_one_minute_compares_a_hundred_thousand_positions_at_most() -> None:
    state = EventState(EVENT, queue=300_000)
    tables, copy = Tables(state), Copy()
    recovering(copy, tables)[0].run_upkeep(state, CounterUpkeepRequest(False, 300_000), NOW)
    assert len(copy.recounted) == 20
    assert copy.recounted[-1][1] == 200_000
