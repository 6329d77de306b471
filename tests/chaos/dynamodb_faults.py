# SPDX-License-Identifier: Apache-2.0
"""4. The tables throttle, leave parts of a batch undone, do not answer, or answer with old rows.

Throttling meets the client's own retries; the other faults come after these, so they are harsher
than their numbers.
"""

from __future__ import annotations

from typing import Any

from tests.chaos.faults import faulty_room
from tests.chaos.observations import check
from tests.chaos.report import Result
from tests.chaos.servers import deliver_stream, room_at, settle
from tests.chaos.traffic import Crowd
from tests.support.faults import Faults

KINDS: dict[str, dict[str, float]] = {
    "throttled 30 %, parts of batches undone 30 %": {"throttled": 0.3, "unprocessed": 0.3},
    "no answer 10 %, made without an answer 10 %": {"timeouts": 0.1, "lost_answers": 0.1},
    "writes sent again after a lost answer 30 %": {"replayed": 0.3},
    "stale reads 50 %": {"stale": 0.5},
}


class FaultyCrowd(Crowd):
    """A crowd of functions whose calls fail."""

    faults: Faults

    def room(self) -> Any:
        return faulty_room(self.real, self.faults)


def run(tables_url: str, valkey: Any, *, joins: int, seed: int, kind: str) -> Result:
    """An event under one kind of fault."""
    found = Result(f"tables: {kind}", joins, seed=seed)
    real = room_at(tables_url, valkey)
    crowd = FaultyCrowd(real, joins, seed)
    crowd.faults = Faults(seed)
    crowd.batch = 50
    for name, share in KINDS[kind].items():
        setattr(crowd.faults, name, share)

    def minute() -> None:
        room = crowd.room()
        while not crowd.over.wait(0.5):
            crowd.ledger.ask("audit", lambda: room.reconciliation.run(real.event_id))

    crowd.run(minute)
    settle(real)
    deliver_stream(real)
    check(real, crowd.ledger, found)
    made = sum(crowd.faults.made.values())
    found.notes = f"{made} faults, {len(crowd.ledger.refusals)} answered 503"
    return found
