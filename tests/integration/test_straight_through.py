# SPDX-License-Identifier: Apache-2.0
"""Visitors who go straight through on real servers: races, and a crash at each call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.support.fakes.entrance import entrance_of
from tests.support.faults import Crash, Faults, FaultyPort, WrappedPort
from tests.support.real_stores import RealRoom
from tests.support.servers import Valkey
from waiting_room.adapters.page_html import clean_html
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.gate import straight_through
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.gate.straight_through import may_remove_line
from waiting_room.use_cases.events.event_documents import build_event_documents
from waiting_room.use_cases.room import Stores

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
ENTRANCES, BATCHES, BATCH = 6, 8, 15
RATE = {"strategy": "rate", "per_minute": 120}  # ten positions ahead
WRAPPED = ("documents", "admission", "log", "straight_through", "positions", "outcomes")


@dataclass
class Recorder:
    """Start, end, name and result of each call of the port StraightThrough."""

    calls: list[tuple[float, float, str, Any]] = field(default_factory=list)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call and record it."""
        start = time.monotonic()
        result = call()
        self.calls.append((start, time.monotonic(), name, result))
        return result

    def positions(self) -> list[tuple[float, float, int]]:
        """Start, end and position of each successful ``take``."""
        return [
            (start, end, result.position)
            for start, end, name, result in self.calls
            if name == "take" and result.position
        ]

    def intervals(self, opened: str, closed: str) -> list[tuple[float, float]]:
        """From the return of a call ``opened`` to the start of the next call ``closed``.

        A call ``closed`` at the same time may have had the later effect: then there is none.
        """
        closing = sorted((start, end) for start, end, name, _ in self.calls if name == closed)
        return [
            (end, next((first for first, _ in closing if first >= end), float("inf")))
            for start, end, name, _ in self.calls
            if name == opened and not any(one < end and start < last for one, last in closing)
        ]


def wait_for(found: Sequence[object], count: int) -> None:
    """Wait until other threads have added entries, for at most two minutes."""
    until = time.monotonic() + 120
    while len(found) < count and time.monotonic() < until:
        time.sleep(0.01)


def test_entrances_workers_and_an_operator_at_once(
    tables_url: str, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``line`` and ``shut`` are set and removed all the time; a later ``line`` needs no 30 s."""
    monkeypatch.setattr(straight_through, "LINE_AGE", 0)
    real = RealRoom(tables_url, valkey)
    real.room.workers.setup.run()
    event_id, recorder = real.event_id, Recorder()
    rules = {"protect": [{"path": "/"}]}
    real.event_documents().patch(event_id, rules, None, actor=ADA)
    joins = real.joins(BATCHES * BATCH)
    batches = [joins[at : at + BATCH] for at in range(0, len(joins), BATCH)]
    ended, lock = threading.Event(), threading.Lock()
    attempts: list[object] = []
    sessions: list[GateSession] = []
    unused: list[int] = []

    def stores() -> Stores:
        made = real.new_stores()
        return replace(made, straight_through=WrappedPort(made.straight_through, recorder.around))  # type: ignore[arg-type]

    def arrive(_: int) -> None:
        door = entrance_of(stores(), time.time)
        while not ended.is_set():
            found = door.go(event_id)
            attempts.append(found)
            if isinstance(found, GateSession):
                with lock:
                    sessions.append(found)

    def work(_: int) -> None:
        room = real.new_room()
        while not ended.is_set():
            with lock:
                batch = batches.pop() if batches else []
            if batch:
                assert not room.workers.assignment.assign(event_id, batch).retry
            time.sleep(0.05)

    def take_though_stopped(_: int) -> None:
        """A caller without a copy tries while ``line`` or ``shut`` is set."""
        made = stores()
        while not ended.is_set():
            state = made.log.read(event_id)
            if (state.line or state.shut) and (
                position := made.straight_through.take(state).position
            ):
                unused.append(position)  # it was removed in between

    def remove_line(_: int) -> None:
        made = stores()
        while not ended.is_set():
            state = made.log.read(event_id)
            if may_remove_line(state, time.time()):
                made.straight_through.remove_line(state)
            time.sleep(0.05)

    def operate(_: int) -> None:
        room, own = real.new_room(), stores()
        documents = build_event_documents(room, own, time.time, clean_html)
        try:
            for action in ("", "pause", "resume", "", "pause", "resume", "", "drain", "open", ""):
                if action:
                    documents.act(event_id, action, actor=ADA)
                else:
                    room.directory.refresh()
                    room.control.increment(event_id, 60, actor=ADA)
                wait_for(attempts, len(attempts) + 10 * ENTRANCES)
            wait_for(sessions, 60)
        finally:
            ended.set()

    jobs = [arrive] * ENTRANCES + [work] * 2 + [take_though_stopped, remove_line, operate]
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job, number) for number, job in enumerate(jobs)]:
            done.result()

    for batch in batches:
        real.room.workers.assignment.assign(event_id, batch)
    state = real.log.read(event_id)
    taken = recorder.positions()
    straight = [one.position for one in sessions] + unused
    assert sorted(straight) == sorted(position for *_, position in taken)
    rows = real.positions.get_many(event_id, [join.request_id for join in joins])
    every = sorted(straight + [row.position for row in rows.values()])
    assert every == list(range(1, state.queue + 1)), "each position once"
    assert state.serving == 240
    assert all(
        result.position <= result.state.serving
        for *_, name, result in recorder.calls
        if name == "take"
    )
    for opened, closed in (("shut", "reopen"), ("set_line", "remove_line")):
        intervals = recorder.intervals(opened, closed)
        assert intervals, f"{opened} was exercised"
        for begin, end in intervals:
            assert not [one for one in taken if begin <= one[0] and one[1] <= end]
    assert len(sessions) >= 60, "visitors went straight through"


AFTER = {  # queue, unused positions, tokens and expired positions at the end, by the last call made
    "": (0, 0, 0, 0),
    "take": (1, 1, 0, 0),
    "insert": (1, 0, 0, 1),
    "put_if_absent": (1, 0, 1, 0),
}


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_crash_at_each_call_is_corrected(
    tables_url: str, valkey: Valkey, clock: list[float], before: bool
) -> None:
    real = RealRoom(tables_url, valkey, clock=lambda: clock[0])
    real.room.workers.setup.run()
    last_calls = set()
    for number in range(1, 30):
        event_id, faults = f"sale-{before}-{number}", Faults()
        rules = {"protect": [{"path": f"/{event_id}"}], "admission": RATE}
        real.event_documents().put(event_id, rules, None, actor=ADA)
        made = real.new_stores()
        wrapped = {name: FaultyPort(getattr(made, name), faults) for name in WRAPPED}
        door = entrance_of(replace(made, **wrapped), lambda: clock[0])  # type: ignore[arg-type]
        faults.plan(number, before)
        try:
            door.go(event_id)
        except Crash:
            pass
        else:
            break
        called = faults.log[:-1] if before else faults.log
        last = next((one for one in reversed(called) if one in AFTER), "")
        last_calls.add(last)
        after_crash(real, event_id, clock, AFTER[last])
    assert last_calls == set(AFTER) - ({"put_if_absent"} if before else set())
    assert number >= 10


def after_crash(
    real: RealRoom, event_id: str, clock: list[float], expected: tuple[int, int, int, int]
) -> None:
    """The next visitor is not disturbed; the workers correct the rest."""
    found = entrance_of(real.new_stores(), lambda: clock[0]).go(event_id)
    went = isinstance(found, GateSession)  # not if the crash lost the quota of the refill
    if isinstance(found, GateSession):
        assert found.position == expected[0] + 1
    state = real.log.read(event_id)
    assert state.serving in (0, 10)
    assert went or state.serving == 0
    room = real.new_room()
    room.directory.refresh()
    outcomes = list(real.outcomes.in_range(event_id, 1, 1, state.queue))
    room.publisher.publish_outcomes(outcomes)
    for _ in range(3):
        clock[0] += 91
        room.workers.reconciliation.run(event_id)
    clock[0] += 901
    room.workers.expiry_sweep.run(event_id)
    counts = room.metrics.counts(event_id)
    queue, holes, tokens, expired = expected
    assert (counts.queue, counts.holes, counts.tokens, counts.expired) == (
        queue + went, holes, tokens + went, expired,
    )  # fmt: skip
    assert counts.waiting == 0
