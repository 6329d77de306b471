# SPDX-License-Identifier: Apache-2.0
"""Cost of the history of one event that always has work, from the size of a stored minute."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deployment.capacity.prices import Prices
from waiting_room.adapters.dynamodb.history import minute_item
from waiting_room.adapters.dynamodb.items import Item
from waiting_room.domain.events.history import HISTORY_LIFE, MINUTE, SAMPLES, MinuteTotals

MILLION = 1e6
OVERHEAD = 100  # bytes that DynamoDB stores for an item besides its attributes
READ_UNIT, WRITE_UNIT = 4_096, 1_024  # bytes; an eventually consistent read takes half a unit
MINUTES = HISTORY_LIFE // MINUTE  # that are stored at the same time
DAY = 86_400 // MINUTE
EVENT_ID = "x" * 20
TYPICAL = MinuteTotals(
    1_900_000_000, 1, 250_000, 249_000, 240_000, 8_000, 1_000, 4_000, 1_900_000_000, 600, 660
)


@dataclass(frozen=True)
class HistoryCost:
    """Units and bytes; ``writes``, ``waits`` and ``stored`` are those of 30 days."""

    item: int
    writes: int
    waits: float
    stored: float
    day: float
    month: float

    def dollars(self, prices: Prices) -> dict[str, float]:
        """Return the cost of each part in US dollars, by its name."""
        reads = prices["dynamodb_million_reads"] / MILLION
        return {
            "writes": self.writes * prices["dynamodb_million_writes"] / MILLION,
            "waits": self.waits * reads,
            "stored": self.stored / 1e9 * prices["dynamodb_gb_month"],
            "day": self.day * reads,
            "month": self.month * reads,
        }


def history_cost(totals: MinuteTotals = TYPICAL) -> HistoryCost:
    """Return the cost of the history of an event whose minutes have the size of ``totals``."""
    size = item_bytes(minute_item(EVENT_ID, totals))
    return HistoryCost(
        item=size,
        writes=MINUTES * math.ceil(size / WRITE_UNIT),
        waits=MINUTES * SAMPLES / 2,
        stored=float(MINUTES * (size + OVERHEAD)),
        day=_read(DAY * size),
        month=_read(MINUTES * size),
    )


def item_bytes(item: Item) -> int:
    """Return the size by which DynamoDB counts units: names, texts, and two digits a byte."""
    size = 0
    for name, value in item.items():
        size += len(name)
        if "S" in value:
            size += len(value["S"].encode())
        else:
            size += len(value["N"]) // 2 + 2
    return size


def _read(size: int) -> float:
    return math.ceil(size / READ_UNIT) / 2
