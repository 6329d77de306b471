# SPDX-License-Identifier: Apache-2.0
"""Cost of the history and the audit log of one event, from the sizes of what is stored.

The event of the history always has work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from deployment.capacity.prices import Prices
from waiting_room.adapters.dynamodb.audit_items import new_entry
from waiting_room.adapters.dynamodb.audit_log import MOVES_A_ROW
from waiting_room.adapters.dynamodb.history import minute_item
from waiting_room.adapters.dynamodb.items import Item
from waiting_room.adapters.dynamodb.serving_log import block_item
from waiting_room.domain.events.audit import PAGE, AuditEntry
from waiting_room.domain.events.history import HISTORY_LIFE, MINUTE, SAMPLES, MinuteTotals
from waiting_room.domain.records import ServingMove

MILLION = 1e6
OVERHEAD = 100  # bytes that DynamoDB stores for an item besides its attributes
READ_UNIT, WRITE_UNIT = 4_096, 1_024  # bytes; an eventually consistent read takes half a unit
ENTRY = AuditEntry(
    1_900_000_000.5, "arn:aws:sts::123456789012:assumed-role/operators/ada@example.com", "person",
    "patch", {"admission": {"per_minute": 600}}, {"admission": {"per_minute": 300}},
)  # fmt: skip
MOVE = ServingMove(
    9_000, 250_000, 250_050, 1_900_000_000, "operator", "0" * 16,
    "person assumed-role/operators/ada@example.com",
)  # fmt: skip
STATE_AND_DOCUMENT = 2  # read units; a consistent read of each, a document of at most 4 kB
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

    def dollars(self, prices: Prices, audit_page: int) -> dict[str, float]:
        """Return the cost of each part in US dollars, by its name; ``audit_page`` in read units."""
        reads = prices["dynamodb_million_reads"] / MILLION
        return {
            "writes": self.writes * prices["dynamodb_million_writes"] / MILLION,
            "waits": self.waits * reads,
            "stored": self.stored / 1e9 * prices["dynamodb_gb_month"],
            "day": self.day * reads,
            "month": self.month * reads,
            "audit": audit_page * reads,
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


def audit_page_units() -> int:
    """Return the read units of a page of the audit log, if every part has more than a page."""
    key, values = new_entry(ENTRY)
    entry = item_bytes({"event_id": {"S": EVENT_ID}, "entry": {"S": key}, **values})
    moves = [
        replace(MOVE, version=version, previous=version, current=version + 1)
        for version in range(MOVE.version, MOVE.version + MOVES_A_ROW)
    ]
    block = item_bytes(block_item(EVENT_ID, 1, moves))
    rows = math.ceil((PAGE + 1) / MOVES_A_ROW) + 1
    sizes = (*2 * [(PAGE + 2) * entry], rows * block)  # changes of documents, operations, moves
    return STATE_AND_DOCUMENT + sum(math.ceil(size / READ_UNIT) for size in sizes)


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
