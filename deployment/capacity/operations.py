# SPDX-License-Identifier: Apache-2.0
"""Cost of each operation: measured counts and units, and estimated durations on AWS.

``tests/benchmarks/operation_costs.py`` writes the counts to ``operations.json``, and
``tests/integration/test_operation_costs.py`` compares them with the code. Times in milliseconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from deployment.capacity.quotas import Assumptions
from waiting_room.adapters.dynamodb.items import INSERT_BATCH, MAX_CONCURRENT_REQUESTS

FILE = Path(__file__).with_name("operations.json")
FULL_CORE = 1769  # MB at which a function gets one whole vCPU


@dataclass(frozen=True)
class Operation:
    """Requests, capacity units and measured processor time of one call."""

    redis: float
    dynamodb: float
    read_units: float
    write_units: float
    cpu_ms: float

    def duration_ms(self, memory: int, assumed: Assumptions) -> float:
        """Return the duration on Lambda: its own work, then sequential waits."""
        return self._work(memory, assumed) + self._waits(self.dynamodb, assumed)

    def wide_duration_ms(self, memory: int, assumed: Assumptions) -> float:
        """Return the duration of a batch of joins, whose inserts are sent concurrently."""
        rounds = math.ceil(self.dynamodb / MAX_CONCURRENT_REQUESTS)
        return self._work(memory, assumed) + self._waits(rounds, assumed)

    def _work(self, memory: int, assumed: Assumptions) -> float:
        share = min(1.0, memory / FULL_CORE)
        return self.cpu_ms * assumed.processor_factor / share

    def _waits(self, dynamodb: float, assumed: Assumptions) -> float:
        return self.redis * assumed.redis_ms + dynamodb * assumed.dynamodb_ms


@dataclass(frozen=True)
class Operations:
    """All measured operations by name, with date and machine of the measurement."""

    measured_on: str
    machine: str
    by_name: dict[str, Operation]

    def __getitem__(self, name: str) -> Operation:
        return self.by_name[name]

    def join_batch(self, size: int) -> Operation:
        """Return the cost of a batch of ``size`` joins, interpolated from two measured sizes."""
        small, large = self.by_name["join_batch_100"], self.by_name["join_batch_1000"]
        share = (size - 100) / 900

        def between(low: float, high: float) -> float:
            return max(0.0, low + (high - low) * share)

        return Operation(
            redis=small.redis,
            dynamodb=math.ceil(size / INSERT_BATCH) + 1,
            read_units=between(small.read_units, large.read_units),
            write_units=between(small.write_units, large.write_units),
            cpu_ms=between(small.cpu_ms, large.cpu_ms),
        )


def load(path: Path = FILE, *, in_tables: bool = False) -> Operations:
    """Load the operations of the last measurement, with the counters in Redis or in tables."""
    kept = json.loads(path.read_text())
    by_name = kept["in_tables" if in_tables else "operations"]
    return Operations(
        measured_on=kept["measured_on"],
        machine=kept["machine"],
        by_name={name: Operation(**values) for name, values in by_name.items()},
    )
