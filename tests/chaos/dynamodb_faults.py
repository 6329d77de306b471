# SPDX-License-Identifier: Apache-2.0
"""4. The tables throttle, process part of a batch, do not respond, or return stale rows.

Throttling meets the client's own retries; the other faults come after these, so they are harsher
than their numbers.
"""

from __future__ import annotations

import random
from typing import Any

from tests.chaos.faults import faulty_room
from tests.chaos.observations import check
from tests.chaos.report import Result
from tests.chaos.servers import deliver_stream, room_at, settle
from tests.chaos.traffic import Visitors
from tests.support.faults import Faults

KINDS: dict[str, dict[str, float]] = {
    "throttled 30 %, parts of batches unprocessed 30 %": {"throttled": 0.3, "unprocessed": 0.3},
    "call not made 10 %, call made but response lost 10 %": {
        "timeouts": 0.1,
        "lost_responses": 0.1,
    },
    "writes sent again after a lost response 30 %": {"replayed": 0.3},
    "stale reads 50 %": {"stale": 0.5},
}


class FaultyVisitors(Visitors):
    """Visitors whose functions make calls that fail."""

    faults: Faults

    def room(self) -> Any:
        return faulty_room(self.real, self.faults)


def run(
    tables_url: str, valkey: Any, *, joins: int, seed: int, kind: str, **options: str
) -> Result:
    """An event under one kind of fault; with IN_TABLES, the stream is counted under it too."""
    where = ", counters in the tables" if options else ""
    found = Result(f"tables: {kind}{where}", joins, seed=seed)
    real = room_at(tables_url, valkey, **options)
    visitors = FaultyVisitors(real, joins, seed)
    visitors.faults = Faults(seed)
    visitors.batch = 50
    for name, share in KINDS[kind].items():
        setattr(visitors.faults, name, share)

    def minute() -> None:
        room = visitors.room()
        while not visitors.over.wait(0.5):
            visitors.observations.request(
                "reconcile", lambda: room.workers.reconciliation.run(real.event_id)
            )

    def stream() -> None:
        """Deliver rows as they are, again and again, in any order; failed batches come again."""
        dice, room = random.Random(seed + 5), visitors.room()
        while not visitors.over.wait(0.2):
            state = real.log.read(real.event_id)
            rows = list(real.outcomes.in_range(real.event_id, state.generation, 1, state.queue))
            batch = dice.sample(rows, min(len(rows), 40))
            visitors.observations.request(
                "count", lambda batch=batch: room.counters.count_delivered(batch)
            )

    visitors.run(*((minute, stream, stream) if real.in_tables else (minute,)))
    settle(real)
    deliver_stream(real)
    check(real, visitors.observations, found)
    made = sum(visitors.faults.made.values())
    found.notes = f"{made} faults, {len(visitors.observations.unavailable)} responses 503"
    return found
