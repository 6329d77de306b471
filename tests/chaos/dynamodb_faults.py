# SPDX-License-Identifier: Apache-2.0
"""4. The tables throttle, process part of a batch, do not respond, or return stale rows.

Throttling meets the client's own retries; the other faults come after these, so they are harsher
than their numbers.
"""

from __future__ import annotations

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


def run(tables_url: str, valkey: Any, *, joins: int, seed: int, kind: str) -> Result:
    """An event under one kind of fault."""
    found = Result(f"tables: {kind}", joins, seed=seed)
    real = room_at(tables_url, valkey)
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

    visitors.run(minute)
    settle(real)
    deliver_stream(real)
    check(real, visitors.observations, found)
    made = sum(visitors.faults.made.values())
    found.notes = f"{made} faults, {len(visitors.observations.unavailable)} responses 503"
    return found
