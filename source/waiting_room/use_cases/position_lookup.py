# SPDX-License-Identifier: Apache-2.0
"""Look up a position by request id, queue number or reference, and check its generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting_room.domain import joins
from waiting_room.domain.errors import JoinRefused, NotAssignedYet, RoomWasReset, UnknownRequest
from waiting_room.domain.records import Position, PositionStatus
from waiting_room.domain.visitor_lookup import VisitorQuery, check_of
from waiting_room.use_cases.generation_cache import GenerationCache

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.events.directory import EventDirectory


class PositionLookup:
    """Lookup of positions."""

    def __init__(
        self,
        events: EventDirectory,
        positions: Positions,
        counters: RoomCounters,
        generations: GenerationCache,
        clock: Clock,
    ) -> None:
        self._events = events
        self._positions, self._counters = positions, counters
        self._generations, self._clock = generations, clock

    def queue_number(self, event_id: str, request_id: str) -> Position:
        """Return the position of a request, from one read of a table.

        Raises NotAssignedYet, RoomWasReset, JoinRefused, InvalidInput.
        """
        self._events.check_joined(event_id, request_id)
        checked, now = joins.check_request_id(request_id), self._clock()
        known = self._generations.get(event_id, now)
        current, row = self._positions.get_with_generation(
            event_id, checked, known_generation=known
        )
        if known is None:
            self._generations.put(event_id, current, now)
        if row is None:
            raise NotAssignedYet
        if row.refused:
            raise JoinRefused(row.refused)
        if row.generation > current:  # the remembered generation is older than the row
            self._generations.forget(event_id)
        if row.generation < current:
            raise RoomWasReset
        return row

    def row(self, event_id: str, request_id: str) -> Position:
        """Return the row of a request, of any generation; raises UnknownRequest, JoinRefused."""
        row = self._positions.get(event_id, joins.check_request_id(request_id))
        if row is None:
            raise UnknownRequest
        if row.refused:
            raise JoinRefused(row.refused)
        return row

    def find(self, event_id: str, query: VisitorQuery) -> tuple[Position, PositionStatus]:
        """Return the row and the status of the visitor that an operator requests.

        A queue number means the current generation. It is read from an index, which may lag for a
        moment. Raises UnknownRequest.
        """
        if not query.number:
            row = self.row(event_id, query.request_id)
            return row, self._counters.position_status(event_id, row.position, row.generation)
        status = self._counters.position_status(event_id, query.number)
        rows = self._positions.in_range(event_id, status.generation, query.number, query.number)
        found = next(iter(rows), None)
        if query.check and (found is None or check_of(found.request_id) != query.check):
            raise UnknownRequest("no visitor of this event has this reference")
        if found is None:
            raise UnknownRequest("no visitor of this event has this queue number")
        return found, status
