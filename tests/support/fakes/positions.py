# SPDX-License-Identifier: Apache-2.0
"""The Positions port in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tests.support.fakes.serving_log import MemoryServingLog
from waiting_room.domain.records import (
    Position,
)


class MemoryPositions:
    """The Positions port in memory; reads the generation from a MemoryServingLog."""

    def __init__(self, log: MemoryServingLog) -> None:
        self._log = log
        self._rows: dict[tuple[str, str], Position] = {}
        self._lock = threading.Lock()

    def get(self, event_id: str, request_id: str) -> Position | None:
        """The row of a request."""
        return self._rows.get((event_id, request_id))

    def get_with_generation(
        self,
        event_id: str,
        request_id: str,
        *,
        known_generation: int | None,
        consistent: bool = False,
    ) -> tuple[int, Position | None]:
        """The generation and the row."""
        generation = known_generation
        if generation is None:
            generation = self._log.read(event_id).generation
        return generation, self.get(event_id, request_id)

    def get_many(self, event_id: str, request_ids: Sequence[str]) -> dict[str, Position]:
        """The rows of several requests."""
        rows = {request_id: self.get(event_id, request_id) for request_id in request_ids}
        return {request_id: row for request_id, row in rows.items() if row}

    def insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write rows whose request has none."""
        with self._lock:
            return {
                row.request_id: self._rows.setdefault((row.event_id, row.request_id), row)
                for row in rows
            }

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Position]:
        """The rows of a range, without their secrets."""
        return [
            replace(row, client_secret_hash="")
            for row in list(self._rows.values())
            if (row.event_id, row.generation) == (event_id, generation)
            and row.position
            and first <= row.position <= last
        ]

    def count(self, event_id: str, generation: int, first: int, last: int) -> int:
        """Count the rows of a range."""
        return len(list(self.in_range(event_id, generation, first, last)))
