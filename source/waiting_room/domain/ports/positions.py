# SPDX-License-Identifier: Apache-2.0
"""The table of positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from waiting_room.domain.records import Position


class Positions(Protocol):
    """The positions of an event, by request id."""

    def get(self, event_id: str, request_id: str) -> Position | None:
        """The latest row of a request, of whatever generation; a consistent read."""

    def get_with_generation(
        self,
        event_id: str,
        request_id: str,
        *,
        known_generation: int | None,
        consistent: bool = False,
    ) -> tuple[int, Position | None]:
        """The event's generation and the request's row in one request.

        With ``known_generation`` only the row is read. Consistent reads with ``consistent``.
        """

    def get_many(self, event_id: str, request_ids: Sequence[str]) -> dict[str, Position]:
        """The rows of several requests, by request id; consistent reads, 100 a request."""

    def insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write rows whose request has none, 25 a request; answers by request id what stands now.

        That is the row itself, the older row that kept its place, or None where writing failed.
        """

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Position]:
        """The rows of a range of positions, in any order; eventually consistent."""

    def count(self, event_id: str, generation: int, first: int, last: int) -> int:
        """Count the rows of a range of positions, without reading them over the network."""
