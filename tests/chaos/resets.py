# SPDX-License-Identifier: Apache-2.0
"""7. Resets under load: two at once, with older joins in the queue, lost counters, and calls
without a response."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from tests.chaos.dynamodb_faults import FaultyVisitors
from tests.chaos.observations import check
from tests.chaos.report import Result
from tests.chaos.servers import deliver_stream, room_at, settle
from tests.support.faults import Faults

TOGETHER = 0.3  # share of the resets that two operators make at once
TRIES = 20  # of an operator after a 503


def run(
    tables_url: str,
    valkey: Any,
    *,
    joins: int,
    resets: int,
    pause: float,
    seed: int,
    **options: str,
) -> Result:
    """Reset an event repeatedly under load; ``options`` are settings of the room."""
    where = ", counters in the tables" if options else ""
    found = Result(f"{resets} resets under load{where}", joins, seed=seed, recovery=0.0)
    real = room_at(tables_url, valkey, **options)
    visitors = FaultyVisitors(real, joins, seed)
    visitors.faults = Faults(seed)
    visitors.faults.timeouts = visitors.faults.lost_responses = visitors.faults.replayed = 0.02
    visitors.actors_are_done, visitors.batch = False, 40
    visitors.gap = 3 * resets * pause / (joins / 100)  # they come also after the last one
    dice, slowest = random.Random(seed), [0.0]

    def reset(room: Any) -> None:
        started = time.monotonic()
        for _ in range(TRIES):
            started_generation = visitors.observations.request(
                "reset", lambda: room.control.reset(real.event_id)
            )
            if isinstance(started_generation, int):
                with visitors.observations.lock:
                    visitors.observations.generation = max(
                        visitors.observations.generation, started_generation
                    )
                slowest[0] = max(slowest[0], time.monotonic() - started)
                return
        visitors.observations.add_violation("a reset never succeeded")

    def operators() -> None:
        rooms = [visitors.room(), visitors.room()]
        for _ in range(resets):
            time.sleep(dice.uniform(pause / 2, pause))
            if dice.random() < 0.2 and not real.in_tables:
                valkey.client().flushall()
            both = rooms if dice.random() < TOGETHER else rooms[:1]
            threads = [threading.Thread(target=reset, args=(room,)) for room in both]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        visitors.actors_are_done = True

    visitors.run(operators)
    # the generation of each increment is unknown
    with visitors.observations.lock:
        visitors.observations.doubtful += visitors.observations.moved
        visitors.observations.moved = 0
    settle(real)
    deliver_stream(real)
    check(real, visitors.observations, found)
    state = real.log.read(real.event_id)
    rows = real.positions.get_many(real.event_id, list(visitors.observations.accepted)).values()
    mine = sum(row.generation == state.generation for row in rows)
    rejected = sum(not row.position for row in rows)
    if state.generation < resets:
        found.wrong.append(f"only {state.generation} generations after {resets} resets")
    late = [
        row
        for row in rows
        if row.generation == state.generation
        and visitors.observations.accepted[row.request_id].sent_at <= state.reset_at
    ]
    if late:
        found.wrong.append(f"{len(late)} joins from before the reset are in the new generation")
    found.recovery = slowest[0]
    found.notes = (
        f"{mine} joins in the last generation, {rejected} rejected because a reset came first; "
        "recovery: slowest reset"
    )
    return found
