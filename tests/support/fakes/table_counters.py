# SPDX-License-Identifier: Apache-2.0
"""Counters in tables, with the rows of the counts in memory."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from waiting_room.adapters.dynamodb.counters import DynamoCounters
from waiting_room.adapters.dynamodb.items import Item, to_item
from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.counters.outcome_counts import Block, Counting, Ends, Totals
from waiting_room.domain.ports.serving_log import ServingLog

Key = tuple[str, int]


class MemoryCountRows:
    """The rows of the counters in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._totals: dict[Key, Totals] = {}
        self._blocks: defaultdict[Key, defaultdict[int, Block]] = defaultdict(
            lambda: defaultdict(Block)
        )
        self._ends: defaultdict[Key, dict[int, Ends]] = defaultdict(dict)
        self._jobs: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def read(self, event_id: str, generation: int) -> tuple[Totals, Item]:
        """The totals and the times of the jobs."""
        with self._lock:
            totals = self._totals.get((event_id, generation), Totals())
            return totals, to_item(self._jobs[event_id])

    def ends(self, event_id: str, generation: int, first: int, last: int) -> dict[int, Ends]:
        """The ends of a range."""
        with self._lock:
            held = self._ends[event_id, generation]
            return {at: one for at, one in held.items() if first < at <= last}

    def count(self, event_id: str, generation: int, rows: Sequence[LiveToken]) -> None:
        """Count rows."""
        key = event_id, generation
        with self._lock:
            counting = Counting(self._totals.get(key, Totals()), self._blocks[key])
            for row in rows:
                counting.add(row)
            self._totals[key] = counting.totals
            for at, one in counting.ends.items():
                before = self._ends[key].get(at, Ends())
                self._ends[key][at] = before.plus(one.tokens, one.sessions)

    def fold(self, event_id: str, generation: int, before: Totals, after: Totals) -> bool:
        """Replace the totals."""
        with self._lock:
            if self._totals.get((event_id, generation), Totals()) != before:
                return False
            self._totals[event_id, generation] = copy.copy(after)
            return True

    def note_jobs(self, event_id: str, reconciled_at: int, swept_at: int) -> None:
        """Store later times."""
        with self._lock:
            for name, at in (("reconciled_at", reconciled_at), ("swept_at", swept_at)):
                self._jobs[event_id][name] = max(at, self._jobs[event_id].get(name, 0))

    def end(self, event_id: str, generation: int, _at: int) -> None:
        """Forget a generation."""
        with self._lock:
            self._totals.pop((event_id, generation), None)
            self._jobs.pop(event_id, None)


class MemoryTableCounters(DynamoCounters):
    """Counters in tables in memory; they cannot be lost, and refuse no writes of their own."""

    def __init__(self, log: ServingLog) -> None:
        rows: Any = MemoryCountRows()
        super().__init__(rows, log)
        self.refuses_writes = False

    def lose(self) -> None:
        """Lose nothing."""
