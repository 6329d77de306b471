# SPDX-License-Identifier: Apache-2.0
"""Gives the joins of a batch their places: claims them, reserves one range, inserts the rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from waiting_room import queue
from waiting_room.errors import Conflict, CountersLost, Unavailable
from waiting_room.ledger import WRITE_TRIES, Ledger
from waiting_room.ports import Claim, Counters, Positions, ServingLog
from waiting_room.records import EventState, Join, Position

logger = logging.getLogger("waiting_room")


class Assigner:
    """The worker at the end of the queue of joins."""

    def __init__(
        self, counters: Counters, positions: Positions, log: ServingLog, ledger: Ledger
    ) -> None:
        self._counters, self._positions, self._log = counters, positions, log
        self._ledger = ledger
        self._known: dict[str, EventState] = {}

    def assign(self, event_id: str, joins: Sequence[Join]) -> queue.Assignment:
        """Give each join its place; a number whose row was not written stays a hole."""
        ordered = queue.in_order_of_arrival(joins)
        fresh, busy = self._claim(event_id, ordered)
        state, buried, placed = self._reserve(event_id, fresh)
        rows = queue.give_positions(placed, state, self._ledger.now()) if placed else []
        tombs = [self._tomb(state, join) for join in buried]
        stands = self._positions.insert([*rows, *tombs]) if rows or tombs else {}
        failed = {request_id for request_id, row in stands.items() if row is None} | busy
        holes = [row.position for row in rows if stands[row.request_id] != row]
        if holes:
            logger.warning("%d reserved positions stay without a visitor", len(holes))
            state = self._noted(state, holes)
        if rows:
            self._ledger.apply(state)
        retry = frozenset(join.message_id for join in joins if join.request_id in failed)
        return queue.Assignment(len(rows) - len(holes), retry, len(holes))

    def forget(self, event_id: str) -> None:
        """Read the event's record again: it is of another generation now."""
        self._known.pop(event_id, None)

    def _claim(self, event_id: str, joins: Sequence[Join]) -> tuple[list[Join], set[str]]:
        """The joins that need a place now, and the requests that must come again."""
        ids = [join.request_id for join in joins]
        if not ids:
            return [], set()
        now = self._ledger.now()
        try:
            claims = self._counters.claim(event_id, ids, now)
        except (Unavailable, CountersLost):  # who had them is forgotten: ask the rows
            self._ledger.best_effort(event_id, lambda: self._counters.claim(event_id, ids, now))
            claims = [Claim.CHECK] * len(ids)
        doubted = [rid for rid, claim in zip(ids, claims, strict=True) if claim is not Claim.FRESH]
        held = self._positions.get_many(event_id, doubted) if doubted else {}
        busy = {
            rid
            for rid, claim in zip(ids, claims, strict=True)
            if claim is Claim.BUSY and rid not in held
        }
        return [j for j in joins if j.request_id not in held and j.request_id not in busy], busy

    def _reserve(
        self, event_id: str, joins: Sequence[Join]
    ) -> tuple[EventState, list[Join], list[Join]]:
        """Reserve places for the joins of the line that stands; those from before its reset go."""
        state = self._known.get(event_id) or self._log.read(event_id)
        for _ in range(WRITE_TRIES):
            before, placed = queue.split_at_reset(joins, state.reset_at)
            if not placed:
                break
            try:
                state = self._log.reserve(event_id, len(placed), state)
                break
            except Conflict:
                state = self._log.read(event_id)
        else:
            raise Unavailable("the room is being reset", 1)
        self._known[event_id] = state
        return state, before, placed

    def _tomb(self, state: EventState, join: Join) -> Position:
        """A row in the line that was reset: the visitor is told, instead of waiting for ever."""
        return Position(
            state.event_id, state.generation - 1, join.request_id, 0, self._ledger.now()
        )

    def _noted(self, state: EventState, holes: Sequence[int]) -> EventState:
        try:
            return self._log.note_holes(state.event_id, state.generation, holes)
        except (Conflict, Unavailable):
            return state  # the audit finds them
