# SPDX-License-Identifier: Apache-2.0
"""Expire served positions whose period has ended, once a minute.

Both clocks of ``position_reconciliation.py`` must agree that it has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting_room.domain import expiry, serving_counter
from waiting_room.domain.actors import scheduled
from waiting_room.domain.errors import Conflict
from waiting_room.domain.records import EventState
from waiting_room.use_cases import change_log
from waiting_room.use_cases.event_publishing import EventPublisher
from waiting_room.use_cases.position_reconciliation import clock_bounds

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.events.directory import EventDirectory

SWEEPER = scheduled("sweep_positions")
SWEEP_STEP = 2_000  # positions per step; limits memory and the size of one move
SWEEP_STEPS = 50  # steps per run; the next run does the rest


class ExpirySweep:
    """Expires positions in steps. Each step is one complete write."""

    def __init__(
        self,
        events: EventDirectory,
        positions: Positions,
        outcomes: Outcomes,
        log: ServingLog,
        counters: RoomCounters,
        publisher: EventPublisher,
        clock: Clock,
    ) -> None:
        self._events = events
        self._positions, self._outcomes, self._log = positions, outcomes, log
        self._counters, self._publisher, self._clock = counters, publisher, clock

    def run(self, event_id: str, scheduled_at: float | None = None) -> EventState:
        """Expire the due positions of an event; returns the state."""
        event = self._events.event(event_id)
        state = self._log.read(event_id)
        if not event.position_expiry_enabled:
            return state
        for _ in range(SWEEP_STEPS):
            now = clock_bounds(self._clock, scheduled_at)[0]
            found = self._find_due(state, event.position_expiry_period, now)
            if found is None:
                break
            if self._outcomes.put_expired(found.expire):
                continue  # a token was issued meanwhile: read again
            after = expiry.after_sweep(
                state, found, increment=event.increment_on_expiry, now=now, actor=SWEEPER.short
            )
            state = self._write(state, after)
        return state

    def _find_due(self, state: EventState, period: int, now: int) -> expiry.Sweep | None:
        """Return the next due positions and the outcome of each; None if none is due."""
        upto = min(state.serving, state.reconciled_through, state.expired_through + SWEEP_STEP)
        served = serving_counter.segments(
            self._log.moves(state), expired_through=state.expired_through
        )
        first = serving_counter.served_at(served, state.expired_through + 1)
        if upto <= state.expired_through or first is None or first + period >= now:
            return None
        span = (state.event_id, state.generation, state.expired_through + 1, upto)
        rows = list(self._positions.in_range(*span))
        outcomes = {row.position: row for row in self._outcomes.in_range(*span)}
        found = expiry.sweep(
            state=state,
            upto=upto,
            rows=rows,
            outcomes=outcomes,
            served=served,
            period=period,
            now=now,
        )
        return None if found.upto == state.expired_through else found

    def _write(self, before: EventState, after: EventState) -> EventState:
        try:
            self._log.write(before, after)
        except Conflict:  # another writer, or this one's own retry
            after = self._log.read(before.event_id)
            self._counters.follow(after)
            return after
        self._counters.follow(after)
        if after.version > before.version and after.move:
            change_log.record_move(after.event_id, SWEEPER, after.generation, after.move)
            self._publisher.serving_counter_changed(after.event_id, after.move)
        return after
