# SPDX-License-Identifier: Apache-2.0
"""7. Resets in the middle of everything: two at once, with joins from before them in the queue,
counters lost, and calls that are not answered."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from tests.chaos.dynamodb_faults import FaultyCrowd
from tests.chaos.observations import check
from tests.chaos.report import Result
from tests.chaos.servers import deliver_stream, room_at, settle
from tests.support.faults import Faults

TOGETHER = 0.3  # share of the resets that two operators make at once
TRIES = 20  # of an operator who is answered 503


def run(
    tables_url: str, valkey: Any, *, joins: int, resets: int, pause: float, seed: int
) -> Result:
    """An event in which the room is reset again and again."""
    found = Result(f"reset {resets} times in the middle of it", joins, seed=seed, recovery=0.0)
    real = room_at(tables_url, valkey)
    crowd = FaultyCrowd(real, joins, seed)
    crowd.faults = Faults(seed)
    crowd.faults.timeouts = crowd.faults.lost_answers = crowd.faults.replayed = 0.02
    crowd.actors_are_done, crowd.batch = False, 40
    crowd.gap = 3 * resets * pause / (joins / 100)  # they come also after the last one
    dice, slowest = random.Random(seed), [0.0]

    def reset(room: Any) -> None:
        started = time.monotonic()
        for _ in range(TRIES):
            answer = crowd.ledger.ask("reset", lambda: room.control.reset(real.event_id))
            if isinstance(answer, int):
                with crowd.ledger.lock:
                    crowd.ledger.generation = max(crowd.ledger.generation, answer)
                slowest[0] = max(slowest[0], time.monotonic() - started)
                return
        crowd.ledger.blame("a reset was never answered")

    def operators() -> None:
        rooms = [crowd.room(), crowd.room()]
        for _ in range(resets):
            time.sleep(dice.uniform(pause / 2, pause))
            if dice.random() < 0.2:
                valkey.client().flushall()
            both = rooms if dice.random() < TOGETHER else rooms[:1]
            threads = [threading.Thread(target=reset, args=(room,)) for room in both]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        crowd.actors_are_done = True

    crowd.run(operators)
    with crowd.ledger.lock:  # which increments fell into which line is nobody's to say
        crowd.ledger.doubtful += crowd.ledger.moved
        crowd.ledger.moved = 0
    settle(real)
    deliver_stream(real)
    check(real, crowd.ledger, found)
    state = real.log.read(real.event_id)
    rows = real.positions.get_many(real.event_id, list(crowd.ledger.accepted)).values()
    mine = sum(row.generation == state.generation for row in rows)
    buried = sum(not row.position for row in rows)
    if state.generation < resets:
        found.wrong.append(f"only {state.generation} lines after {resets} resets")
    late = [
        row
        for row in rows
        if row.generation == state.generation
        and crowd.ledger.accepted[row.request_id].sent_at <= state.reset_at
    ]
    if late:
        found.wrong.append(f"{len(late)} joins from before the reset are in the new line")
    found.recovery = slowest[0]
    found.notes = f"{mine} in the last line, {buried} told to join again; recovery: slowest reset"
    return found
