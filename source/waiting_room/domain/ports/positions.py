# SPDX-License-Identifier: Apache-2.0
"""Port of the position rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from waiting_room.domain.records import Position


class Positions(Protocol):
    """The positions of an event, by request id."""

    def get(self, event_id: str, request_id: str) -> Position | None:
        """Return the latest row of a request, of any generation; a consistent read."""

    def get_with_generation(
        self,
        event_id: str,
        request_id: str,
        *,
        known_generation: int | None,
        consistent: bool = False,
    ) -> tuple[int, Position | None]:
        """Return the event's generation and the row of a request, in one call.

        With ``known_generation`` only the row is read. ``consistent`` makes the reads consistent.
        """

    def get_many(self, event_id: str, request_ids: Sequence[str]) -> dict[str, Position]:
        """Return the rows of several requests, by request id; consistent reads, 100 per call."""

    def insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write the rows of requests that have none, 25 per call; return the current rows.

        The current row of a request is the new row, an older one, or None if the write failed.
        """

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Position]:
        """Return the rows of a range of positions, in any order; eventually consistent."""

    def count(self, event_id: str, generation: int, first: int, last: int) -> int:
        """Count the rows of a range of positions; DynamoDB returns the count only."""
