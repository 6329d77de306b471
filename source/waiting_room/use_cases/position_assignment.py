# SPDX-License-Identifier: Apache-2.0
"""Gives the joins of a batch their places: claims them, reserves one range, inserts the rows."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

from waiting_room.domain.errors import Conflict, CountersLost, Unavailable
from waiting_room.domain.joins import (
    Assignment,
    assign_positions,
    order_by_arrival,
    split_at_reset,
)
from waiting_room.domain.ports import Counters, JoinLease, Positions, ServingLog
from waiting_room.domain.records import SLOTS, Attempt, EventState, Join, Position, Reservation
from waiting_room.use_cases.event_state import EventStates
from waiting_room.use_cases.retry import WRITE_TRIES

logger = logging.getLogger("waiting_room")
MOST_UNSURE = 10_000  # rows without an answer that a worker remembers; the audit finds the others


class PositionAssigner:
    """The worker at the end of the queue of joins."""

    def __init__(
        self, counters: Counters, positions: Positions, log: ServingLog, ledger: EventStates
    ) -> None:
        self._counters, self._positions, self._log = counters, positions, log
        self._ledger = ledger
        self._known: dict[str, EventState] = {}
        self._slot = secrets.randbelow(SLOTS)
        self._lost: dict[str, tuple[str, int]] = {}  # by event: the last attempt without an answer
        self._unsure: dict[str, Position] = {}  # by request: rows whose writing had no answer

    def assign(self, event_id: str, joins: Sequence[Join]) -> Assignment:
        """Give each join its place; a number whose row was not written stays a hole."""
        ordered = order_by_arrival(joins)
        fresh, held, busy = self._claim(event_id, ordered)
        try:
            return self._place(event_id, joins, fresh, held, busy)
        except Unavailable:
            self._unclaim(event_id, [join.request_id for join in fresh])
            raise

    def _place(
        self,
        event_id: str,
        joins: Sequence[Join],
        fresh: Sequence[Join],
        held: Mapping[str, Position],
        busy: set[str],
    ) -> Assignment:
        state, buried, placed, unused = self._reserve(event_id, fresh)
        rows = assign_positions(placed, state, self._ledger.now()) if placed else []
        if unused:
            state = self._record_unused(state, unused)
        tombs = [self._rejected_by_reset(state, join) for join in buried]
        stands = self._insert([*rows, *tombs])
        failed = {request_id for request_id, row in stands.items() if row is None}
        holes = [row.position for row in rows if stands[row.request_id] != row]
        given = len(rows) - len(holes)
        holes += self._never_held(state, {**held, **stands})
        if holes:
            logger.warning("%d reserved positions stay without a visitor", len(holes))
            state = self._record_unused(state, holes)
        if rows or holes or unused or held:  # who placed those may have died before it told
            self._ledger.apply(state)
        self._unclaim(event_id, sorted(failed))
        retry = frozenset(join.message_id for join in joins if join.request_id in failed | busy)
        return Assignment(given, retry, len(holes))

    def _insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write the rows; without an answer they are remembered, since some may stand."""
        try:
            return self._positions.insert(rows) if rows else {}
        except Unavailable:
            self._unsure.update({row.request_id: row for row in rows if row.position})
            for request_id in list(self._unsure)[:-MOST_UNSURE]:
                del self._unsure[request_id]
            raise

    def _never_held(self, state: EventState, stands: Mapping[str, Position | None]) -> list[int]:
        """Positions of unsure rows that can never stand: their request has another place now."""
        found = []
        for request_id, row in stands.items():
            unsure = self._unsure.get(request_id)
            if row is None or unsure is None:
                continue
            del self._unsure[request_id]
            if row.position != unsure.position and (unsure.event_id, unsure.generation) == (
                state.event_id,
                state.generation,
            ):
                found.append(unsure.position)
        return found

    def _unclaim(self, event_id: str, request_ids: Sequence[str]) -> None:
        """Let what got no place be tried again at once; else it waits until the claim is old."""
        if request_ids:
            now = self._ledger.now()
            with suppress(Unavailable, CountersLost):
                self._counters.release_join_leases(event_id, request_ids, now)

    def forget(self, event_id: str) -> None:
        """Read the event's record again: it is of another generation now."""
        self._known.pop(event_id, None)

    def _claim(
        self, event_id: str, joins: Sequence[Join]
    ) -> tuple[list[Join], dict[str, Position], set[str]]:
        """The joins that need a place now, the rows of others, and who must come again."""
        ids = [join.request_id for join in joins]
        if not ids:
            return [], {}, set()
        now = self._ledger.now()
        try:
            claims = self._counters.acquire_join_leases(event_id, ids, now)
        except (Unavailable, CountersLost):  # who had them is forgotten: ask the rows
            self._ledger.best_effort(
                event_id, lambda: self._counters.acquire_join_leases(event_id, ids, now)
            )
            claims = [JoinLease.STALE] * len(ids)
        doubted = [
            rid for rid, claim in zip(ids, claims, strict=True) if claim is not JoinLease.NEW
        ]
        held = self._positions.get_many(event_id, doubted) if doubted else {}
        busy = {
            rid
            for rid, claim in zip(ids, claims, strict=True)
            if claim is JoinLease.HELD and rid not in held
        }
        left = [j for j in joins if j.request_id not in held and j.request_id not in busy]
        return left, held, busy

    def _reserve(
        self, event_id: str, joins: Sequence[Join]
    ) -> tuple[EventState, list[Join], list[Join], range]:
        """Reserve places for the joins of the line that stands; those from before its reset go.

        Also answers the positions that an attempt without an answer took.
        """
        state = self._known.get(event_id) or self._log.read(event_id)
        unused = range(0)
        for _ in range(WRITE_TRIES):
            before, placed = split_at_reset(joins, state.reset_at)
            if not placed:
                break
            try:
                reserved = self._attempt_twice(event_id, len(placed), state)
                state, unused = reserved.state, reserved.unused
                break
            except Conflict:
                state = self._log.read(event_id)
        else:
            raise Unavailable("the room is being reset", 1)
        self._known[event_id] = state
        return state, before, placed, unused

    def _attempt_twice(self, event_id: str, count: int, known: EventState) -> Reservation:
        """Reserve, once more without an answer: the worst result is a range that nobody uses."""
        try:
            return self._attempt(event_id, count, known)
        except Unavailable as error:
            logger.warning("a reservation is made once more: %s", error)
            return self._attempt(event_id, count, known)

    def _attempt(self, event_id: str, count: int, known: EventState) -> Reservation:
        lost, lost_count = self._lost.get(event_id, ("", 0))
        attempt = Attempt(self._slot, secrets.token_hex(8), lost, lost_count)
        try:
            reserved = self._log.reserve(event_id, count, known, attempt)
        except Unavailable:
            self._lost[event_id] = attempt.token, count
            raise
        if reserved.unused:
            del self._lost[event_id]
        return reserved

    def _rejected_by_reset(self, state: EventState, join: Join) -> Position:
        """A row in the line that was reset: the visitor is told, instead of waiting for ever."""
        return Position(
            state.event_id, state.generation - 1, join.request_id, 0, self._ledger.now()
        )

    def _record_unused(self, state: EventState, holes: Sequence[int]) -> EventState:
        try:
            return self._log.add_unused_positions(state.event_id, state.generation, holes)
        except (Conflict, Unavailable):
            return state  # the audit finds them
