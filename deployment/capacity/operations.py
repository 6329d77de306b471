# SPDX-License-Identifier: Apache-2.0
"""What an operation costs: counts and units as measured, durations as they would be on AWS.

The counts come from ``operations.json``, which ``tests/benchmarks/operation_costs.py`` writes and
``tests/integration/test_operation_costs.py`` holds to the code. Times are in milliseconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from deployment.capacity.quotas import Assumptions
from waiting_room.adapters.dynamodb.items import INSERT_BATCH, MAX_CONCURRENT_REQUESTS

FILE = Path(__file__).with_name("operations.json")
FULL_CORE = 1769  # MB at which Lambda gives a function one whole processor


@dataclass(frozen=True)
class Operation:
    """Requests and units of one call, and the processor time it took where it was measured."""

    redis: float
    dynamodb: float
    read_units: float
    write_units: float
    cpu_ms: float

    def duration_ms(self, memory: int, assumed: Assumptions) -> float:
        """How long the call takes on Lambda: its own work, then one wait after the other."""
        return self._work(memory, assumed) + self._waits(self.dynamodb, assumed)

    def wide_duration_ms(self, memory: int, assumed: Assumptions) -> float:
        """The same for a batch of joins, whose inserts go out several at once."""
        rounds = math.ceil(self.dynamodb / MAX_CONCURRENT_REQUESTS)
        return self._work(memory, assumed) + self._waits(rounds, assumed)

    def _work(self, memory: int, assumed: Assumptions) -> float:
        share = min(1.0, memory / FULL_CORE)
        return self.cpu_ms * assumed.processor_factor / share

    def _waits(self, dynamodb: float, assumed: Assumptions) -> float:
        return self.redis * assumed.redis_ms + dynamodb * assumed.dynamodb_ms


@dataclass(frozen=True)
class Operations:
    """All measured operations by name, and where and when they were measured."""

    measured_on: str
    machine: str
    by_name: dict[str, Operation]

    def __getitem__(self, name: str) -> Operation:
        return self.by_name[name]

    def join_batch(self, size: int) -> Operation:
        """A worker's call with ``size`` joins, on the line through the two measured sizes."""
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


def load(path: Path = FILE) -> Operations:
    """The operations as they were last measured."""
    kept = json.loads(path.read_text())
    return Operations(
        measured_on=kept["measured_on"],
        machine=kept["machine"],
        by_name={name: Operation(**values) for name, values in kept["operations"].items()},
    )
