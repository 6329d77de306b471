# SPDX-License-Identifier: Apache-2.0
"""Simulation of the SQS pollers, the worker, and its writes."""

from __future__ import annotations

import heapq

import numpy as np

from deployment.capacity.operations import Operations
from deployment.capacity.parts import TICK, Queue, Times, Writes
from deployment.capacity.plan import Limits
from deployment.capacity.quotas import Assumptions
from infrastructure.blueprint.resources import ASSIGN, JOINS

READ = 10  # messages per receive request


class Workers:
    """Pollers: each collects a batch for the window, calls the worker, and starts again."""

    def __init__(
        self, limits: Limits, operations: Operations, assumed: Assumptions, placed: Times
    ) -> None:
        self._limits, self._operations, self._assumed = limits, operations, assumed
        self._rows = Writes(limits.rows_per_second, assumed.insert_patience)
        self._window = max(limits.batch_window, 1 / assumed.messages_per_poller)
        self._most = min(limits.batch_size, int(self._window * assumed.messages_per_poller))
        self._most = max(self._most, min(READ, limits.batch_size))
        self._gathering: list[
            tuple[float, bool]
        ] = []  # end of the window; whether it needs a cold start
        self._idle = self._total = 0
        self._woke: float | None = None
        self.placed = placed  # time at which each visitor's row is written
        self.position = np.zeros(len(placed), dtype=np.int64)
        self.reserved = self.holes = self.batches = 0
        self.busy_seconds = 0.0

    @property
    def count(self) -> int:
        """The current maximum of concurrent batches."""
        return self._total

    def run(self, queue: Queue, now: float) -> int:
        """Run the batches that are due in this tick; return the number of rows written."""
        queue.show(now)
        self._grow(queue, now)
        written = 0
        while self._gathering and self._gathering[0][0] <= now:
            until, new = heapq.heappop(self._gathering)
            if queue.length:
                written += self._batch(queue, until, new)
            else:
                self._idle += 1
        return written

    def _grow(self, queue: Queue, now: float) -> None:
        if not queue.length:
            return
        if self._woke is None:
            self._woke = now
        grown = self._limits.batch_ramp_per_minute * (now - self._woke) / 60
        allowed = min(self._limits.most_batches, int(self._limits.start_batches + grown))
        for _ in range(allowed - self._total):
            heapq.heappush(self._gathering, (now + self._window, True))
        self._total = max(self._total, allowed)
        start = min(self._idle, -(-queue.length // READ))
        for _ in range(start):
            heapq.heappush(self._gathering, (now + self._window, False))
        self._idle -= start

    def _batch(self, queue: Queue, at: float, new: bool) -> int:
        ids = queue.take(self._most)
        cost = self._operations.join_batch(len(ids))
        seconds = cost.wide_duration_ms(ASSIGN.memory, self._assumed) / 1000
        seconds += self._assumed.cold_start_ms / 1000 if new else 0.0
        taken, free = self._rows.grant(at, len(ids))
        done = max(at + seconds, free)
        self.placed[ids[:taken]] = done
        self.position[ids[:taken]] = np.arange(self.reserved + 1, self.reserved + taken + 1)
        queue.hide(ids[taken:], done + JOINS.visibility_timeout)
        self.reserved += len(ids)
        self.holes += len(ids) - taken
        self.batches += 1
        self.busy_seconds += done - at
        heapq.heappush(self._gathering, (max(done, at + TICK) + self._window, False))
        return taken
