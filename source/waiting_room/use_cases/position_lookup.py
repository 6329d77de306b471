# SPDX-License-Identifier: Apache-2.0
"""Where a request stands in the line, and whether its line is still the one that stands."""

from __future__ import annotations

from waiting_room.domain import joins
from waiting_room.domain.errors import NotAssignedYet, RoomWasReset, UnknownRequest
from waiting_room.domain.ports import Clock, Counters, Positions
from waiting_room.domain.records import Position, PositionStatus
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.visitor_lookup import VisitorQuery, check_of
from waiting_room.use_cases.event_state import EventStates

GENERATION_CACHE = 2.0  # with 3 s at the edge, answers from before a reset are gone in 5 s


class PositionLookup:
    """The places of an event's line, read by request id."""

    def __init__(
        self,
        settings: RoomSettings,
        positions: Positions,
        counters: Counters,
        ledger: EventStates,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._positions, self._counters = positions, counters
        self._ledger, self._clock = ledger, clock
        self._generations: dict[str, tuple[int, float]] = {}

    def position(self, event_id: str, request_id: str) -> Position:
        """The position, from one read of a table; the generation is remembered for a moment.

        Raises NotAssignedYet, RoomWasReset, InvalidInput.
        """
        self._settings.event(event_id)
        known = joins.check_request_id(request_id)
        generation, read_at = self._generations.get(event_id, (None, 0.0))
        moment = self._clock()
        fresh = generation is not None and 0 <= moment - read_at < GENERATION_CACHE
        current, row = self._positions.get_with_generation(
            event_id, known, known_generation=generation if fresh else None
        )
        if not fresh:
            self._generations[event_id] = (current, moment)
        if row is None:
            raise NotAssignedYet("this request has no position yet; ask again shortly")
        if row.generation > current:  # the remembered generation is older than the row
            self.forget(event_id)
        if row.generation < current:
            raise RoomWasReset("the waiting room was reset since; join again")
        return row

    def forget(self, event_id: str) -> None:
        """Read the generation again: it is another one now."""
        self._generations.pop(event_id, None)

    def row(self, event_id: str, request_id: str) -> Position:
        """The row of a request, of whatever generation. Raises UnknownRequest, InvalidInput."""
        row = self._positions.get(event_id, joins.check_request_id(request_id))
        if row is None:
            raise UnknownRequest("no position belongs to this request id")
        return row

    def admission(self, row: Position) -> PositionStatus:
        """What the counters know about a position.

        Raises RoomWasReset for one of an older line, Unavailable when the copy stays behind.
        """
        admission = self._ledger.current(
            row.event_id,
            lambda: self._counters.position_status(row.event_id, row.position),
            row.generation,
        )
        if row.generation < admission.generation:
            raise RoomWasReset("the waiting room was reset since; join again")
        return admission

    def place(self, event_id: str, request_id: str) -> tuple[Position, PositionStatus]:
        """The row of a request and what the counters know about it."""
        row = self.row(event_id, request_id)
        return row, self.admission(row)

    def place_of(self, event_id: str, sought: VisitorQuery) -> tuple[Position, PositionStatus]:
        """The row of whom an operator seeks, and what the counters know about it.

        A number is one of the line that stands, by one query; the index may be a moment behind.
        Raises UnknownRequest.
        """
        if not sought.number:
            return self.place(event_id, sought.request_id)
        self._settings.event(event_id)
        number = sought.number
        admission = self._ledger.current(
            event_id, lambda: self._counters.position_status(event_id, number)
        )
        found = self._positions.in_range(event_id, admission.generation, number, number)
        row = next(iter(found), None)
        if sought.check and (row is None or check_of(row.request_id) != sought.check):
            raise UnknownRequest("no visitor in this line has this reference")
        if row is None:
            raise UnknownRequest("no visitor in this line has this queue number")
        return row, admission
