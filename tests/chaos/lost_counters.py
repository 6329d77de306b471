# SPDX-License-Identifier: Apache-2.0
"""1. The counter server loses its data during an event, in each possible way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.chaos.observations import check
from tests.chaos.report import Result
from tests.chaos.servers import CounterServers, room_at, settle
from tests.chaos.traffic import Visitors
from waiting_room.domain import counter_snapshot
from waiting_room.use_cases import counter_recovery

OUTAGE = 0.4  # seconds that a server is away when it restarts or fails over
LONGEST_RECOVERY = 30.0  # seconds to wait for the first status after the last outage
GRACE = 1.0  # seconds after an outage in which a visitor may still get a 503


@contextmanager
def small_steps(step: int) -> Iterator[None]:
    """Let rebuilds start from checkpoints although the room is small."""
    before = counter_snapshot.READ_AT_ONCE, counter_recovery.VERIFY_STEP
    counter_snapshot.READ_AT_ONCE, counter_recovery.VERIFY_STEP = step, step
    try:
        yield
    finally:
        counter_snapshot.READ_AT_ONCE, counter_recovery.VERIFY_STEP = before


def losses(server: CounterServers) -> list[tuple[str, Callable[[], float]]]:
    """Return the kinds of loss; each call returns the time at which the outage ended."""

    def flush() -> float:
        server.flush()
        return time.monotonic()

    def empty() -> float:
        server.restart_empty(OUTAGE)
        return time.monotonic()

    def old() -> float:
        server.keep_snapshot()
        time.sleep(0.5)
        server.restart_old(OUTAGE)
        return time.monotonic()

    def fail_over() -> float:
        server.lag()
        time.sleep(0.5)
        started = time.monotonic()
        server.fail_over(OUTAGE)
        return started + OUTAGE + 0.1

    return [("flush", flush), ("empty", empty), ("snapshot", old), ("failover", fail_over)]


def run(
    tables_url: str, server: CounterServers, *, joins: int, rounds: int, pause: float, seed: int,
    step: int = 300,
) -> Result:  # fmt: skip
    """An event of ``joins`` in which every way to lose happens ``rounds`` times."""
    found = Result("counters lost", joins, seed=seed)
    with small_steps(step):
        real = room_at(tables_url, server)
        visitors = Visitors(real, joins, seed)
        visitors.actors_are_done = False
        outages: list[tuple[str, float, float]] = []

        def lose_counters() -> None:
            dice = random.Random(seed)
            plan = losses(server) * rounds
            dice.shuffle(plan)
            for name, lose in plan:
                time.sleep(dice.uniform(pause / 2, pause))
                started = time.monotonic()
                outages.append((name, started, lose()))
            time.sleep(GRACE)
            wait_for_status(visitors, since=outages[-1][2])
            visitors.actors_are_done = True

        def minute() -> None:
            room = visitors.room()
            while not visitors.over.is_set():
                visitors.observations.request(
                    "reconcile", lambda: room.workers.reconciliation.run(real.event_id)
                )
                time.sleep(0.3)

        visitors.run(lose_counters, minute)
        settle(real)
        check(real, visitors.observations, found)
    found.recovery = check_outages(visitors, outages, found)
    found.notes = f"{len(outages)} losses: flush, restart empty, old snapshot, lagging failover"
    return found


def wait_for_status(visitors: Visitors, since: float) -> None:
    """Wait for a status response after ``since``; a slow machine may need longer than GRACE.

    Returns after LONGEST_RECOVERY seconds in any case: ``check_outages`` then reports the outage.
    """
    deadline = time.monotonic() + LONGEST_RECOVERY
    while (
        time.monotonic() < deadline and max(visitors.observations.response_times, default=0) < since
    ):
        time.sleep(0.02)


def check_outages(
    visitors: Visitors, outages: list[tuple[str, float, float]], found: Result
) -> float:
    """Report 503s later than GRACE, and outages without a later status response.

    Returns the longest time from the end of an outage to the next status response, in seconds.
    """
    for at, what in visitors.observations.unavailable:
        before = [end for _, start, end in outages if start <= at]
        late = at - before[-1] if before else GRACE + 1
        if late > GRACE:
            found.wrong.append(f"a 503 {late:.1f} s after the outage: {what}")
    recoveries = [0.0]
    for name, _, end in outages:
        times = [at - end for at in visitors.observations.response_times if at >= end]
        if times:
            recoveries.append(min(times))
        else:
            found.wrong.append(f"no status response after the outage {name!r}")
    return max(recoveries)
