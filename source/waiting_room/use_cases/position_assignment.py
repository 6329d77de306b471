# SPDX-License-Identifier: Apache-2.0
"""Assign positions to a batch of joins: lease them, reserve one range, insert the rows."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from waiting_room.domain import joins as rules
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.ports.counters import JoinLease
from waiting_room.domain.ports.serving_log import SLOTS, Attempt, Reservation
from waiting_room.domain.records import NO_DETAILS, EventState, Join, Position, StateDetails
from waiting_room.domain.retry import retry_on_conflict

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.counters.room_counters import RoomCounters

logger = logging.getLogger("waiting_room")
# Rows without a response that a worker remembers. The reconciliation finds any others.
MAX_UNCONFIRMED = 10_000


def attempt_token() -> str:
    """Return the token of an attempt; the state row stores one for each of its slots."""
    return secrets.token_urlsafe(8)


class PositionAssigner:
    """Worker of the join queue. One instance serves all invocations of a warm function."""

    def __init__(
        self,
        counters: RoomCounters,
        positions: Positions,
        log: ServingLog,
        clock: Clock,
    ) -> None:
        self._counters, self._positions, self._log = counters, positions, log
        self._clock = clock
        self._known: dict[str, EventState] = {}
        self._slot = secrets.randbelow(SLOTS)
        self._lost: dict[str, tuple[str, int]] = {}  # by event: the last attempt without a response
        self._unconfirmed: dict[str, Position] = {}  # by request: rows written without a response

    def assign(self, event_id: str, joins: Sequence[Join]) -> rules.Assignment:
        """Assign a position to each join of a batch; return the messages to deliver again.

        A position whose row was not written stays unused. Raises Unavailable when no position
        could be assigned.
        """
        leased, held, busy = self._lease(event_id, rules.order_by_arrival(joins))
        try:
            state, rejected, placed, unused = self._reserve(event_id, leased)
            rows = rules.assign_positions(placed, state, int(self._clock())) if placed else []
            details = self._record_unused(state, unused) if unused else NO_DETAILS
            current = self._insert(
                [*rows, *(self._rejected_by_reset(state, join) for join in rejected)]
            )
            failed = {request_id for request_id, row in current.items() if row is None}
            holes = [row.position for row in rows if current[row.request_id] != row]
            assigned = len(rows) - len(holes)
            holes += self._superseded(state, {**held, **current})
            if holes:
                logger.warning("%d assigned positions of %s stay unused", len(holes), event_id)
                details = self._record_unused(state, holes, details)
            if rows or holes or unused or held:  # the worker of ``held`` may have stopped early
                self._counters.follow(state, details)
        except Unavailable:
            self._release(event_id, [join.request_id for join in leased])
            raise
        self._release(event_id, sorted(failed))
        retry = frozenset(join.message_id for join in joins if join.request_id in failed | busy)
        return rules.Assignment(assigned, retry, len(holes))

    def _lease(
        self, event_id: str, joins: Sequence[Join]
    ) -> tuple[list[Join], dict[str, Position], set[str]]:
        """Return the joins that need a position now, existing rows, and ids leased elsewhere."""
        ids = [join.request_id for join in joins]
        if not ids:
            return [], {}, set()
        leases = self._counters.acquire_join_leases(event_id, ids, int(self._clock()))
        to_check = [
            request_id
            for request_id, lease in zip(ids, leases, strict=True)
            if lease is not JoinLease.NEW
        ]
        held = self._positions.get_many(event_id, to_check) if to_check else {}
        busy = {
            request_id
            for request_id, lease in zip(ids, leases, strict=True)
            if lease is JoinLease.HELD and request_id not in held
        }
        unassigned = [j for j in joins if j.request_id not in held and j.request_id not in busy]
        return unassigned, held, busy

    def _release(self, event_id: str, request_ids: Sequence[str]) -> None:
        """Release the leases of joins without a position, so that a retry need not wait."""
        self._counters.release_join_leases(event_id, request_ids, int(self._clock()))

    def _reserve(
        self, event_id: str, joins: Sequence[Join]
    ) -> tuple[EventState, list[Join], list[Join], range]:
        """Reserve positions for the joins of the current generation.

        Returns the state, the joins from before the reset, the joins with a position, and the
        positions that an attempt without a response reserved.
        """
        state = self._known.get(event_id) or self._log.read(event_id)
        before: list[Join] = []
        placed: list[Join] = []
        unused = range(0)
        for attempt in retry_on_conflict(self._clock):
            if attempt.number:
                state = self._log.read(event_id)
            before, placed = rules.split_at_reset(joins, state.reset_at)
            if not placed:
                break
            with attempt:
                reserved = self._reserve_range(event_id, len(placed), state)
                state, unused = reserved.state, reserved.unused
        self._known[event_id] = state
        return state, before, placed, unused

    def _reserve_range(self, event_id: str, count: int, known: EventState) -> Reservation:
        """Reserve ``count`` positions; retry once if there is no response.

        The first range may then stay unused. Raises Conflict, Unavailable.
        """
        for again in (False, True):
            lost, lost_count = self._lost.get(event_id, ("", 0))
            attempt = Attempt(self._slot, attempt_token(), lost, lost_count)
            try:
                reserved = self._log.reserve(event_id, count, known, attempt)
            except Unavailable as error:
                self._lost[event_id] = attempt.token, count
                if again:
                    raise
                logger.warning("reservation got no response, retrying once: %s", error)
                continue
            if reserved.unused:
                del self._lost[event_id]
            return reserved
        raise Unavailable("no reservation was made", 1)

    def _insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Insert rows; remember them if there is no response, as some may have been written."""
        try:
            return self._positions.insert(rows) if rows else {}
        except Unavailable:
            self._unconfirmed.update({row.request_id: row for row in rows if row.position})
            for request_id in list(self._unconfirmed)[:-MAX_UNCONFIRMED]:
                del self._unconfirmed[request_id]
            raise

    def _superseded(self, state: EventState, current: Mapping[str, Position | None]) -> list[int]:
        """Return positions of unconfirmed rows whose request has another position now."""
        found = []
        for request_id, row in current.items():
            unconfirmed = self._unconfirmed.get(request_id)
            if row is None or unconfirmed is None:
                continue
            del self._unconfirmed[request_id]
            if row.position != unconfirmed.position and (
                unconfirmed.event_id,
                unconfirmed.generation,
            ) == (state.event_id, state.generation):
                found.append(unconfirmed.position)
        return found

    def _rejected_by_reset(self, state: EventState, join: Join) -> Position:
        """Return a row of the previous generation: the API then reports the reset."""
        return Position(
            state.event_id, state.generation - 1, join.request_id, 0, int(self._clock())
        )

    def _record_unused(
        self, state: EventState, positions: Sequence[int], known: StateDetails = NO_DETAILS
    ) -> StateDetails:
        """Record unused positions; return all recorded ones, or ``known`` if that fails."""
        try:
            return self._log.add_unused_positions(state.event_id, state.generation, positions)
        except (Conflict, Unavailable):
            return known  # reconciliation finds them
