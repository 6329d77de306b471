# SPDX-License-Identifier: Apache-2.0
"""Reconcile the state row with the position rows, and update the counters, once a minute.

The jobs use two clocks: this function's, and ``scheduled_at``, the time of the schedule that
started it. A time counts as past only if both clocks agree. One clock that runs ahead cannot close
a range early.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from waiting_room.domain import reconciliation, serving_counter
from waiting_room.domain.errors import Conflict
from waiting_room.domain.records import EventState, StateDetails
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.use_cases.event_state import EventStates

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.counters.room_counters import RoomCounters


def clock_bounds(clock: Clock, scheduled_at: float | None) -> tuple[int, int]:
    """Return the earlier and the later of this function's time and ``scheduled_at`` (epoch s)."""
    now = int(clock())
    other = now if scheduled_at is None else int(scheduled_at)
    return min(now, other), max(now, other)


class PositionReconciliation:
    """Finds unused positions, moves the settled mark, and updates the counters."""

    def __init__(
        self,
        settings: RoomSettings,
        positions: Positions,
        outcomes: Outcomes,
        log: ServingLog,
        counters: RoomCounters,
        states: EventStates,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._positions, self._outcomes, self._log = positions, outcomes, log
        self._counters, self._states, self._clock = counters, states, clock

    def run(self, event_id: str, scheduled_at: float | None = None) -> EventState:
        """Reconcile an event, then do the upkeep of its counters; returns the state."""
        state = self.reconcile(event_id, scheduled_at)
        self.keep_up(state, scheduled_at, reconciled=True, swept=False)
        return state

    def reconcile(self, event_id: str, scheduled_at: float | None = None) -> EventState:
        """Reconcile an event: close the pending range, settle, end stale announcements."""
        state, details = self._log.read_with_details(event_id)
        self._remove_counted(state, details)
        now, latest = clock_bounds(self._clock, scheduled_at)
        if reconciliation.is_due(state, self._settings.unused_position_timeout, now):
            rows = self._positions.count(
                event_id, state.generation, state.reconciled_through + 1, state.pending_through
            )
            closed = reconciliation.close_pending(state, rows, latest)
            state = self._states.try_update(state, closed)
        elif reconciliation.is_idle(state):
            closed = reconciliation.close_pending(state, 0, latest)
            state = self._states.try_update(state, closed)
        if state.expired_through > state.settled_through:
            upto = min(state.expired_through, state.settled_through + reconciliation.SETTLE_STEP)
            tokens = self._outcomes.tokens(
                event_id, state.generation, state.settled_through + 1, upto
            )
            state = self._states.try_update(state, reconciliation.settle(state, tokens, upto, now))
        if state.lowering > state.version:  # its writer may have stopped: supersede it
            state = self._states.try_update(state, serving_counter.move(state, 0, now, "audit"))
        self._counters.follow(state, details)
        return state

    def _remove_counted(self, state: EventState, details: StateDetails) -> None:
        """Remove the known unused positions that an earlier run counted in ``holes``.

        Not in the run that counts them: a rebuild may just have read the state from before.
        """
        counted = [hole for hole in details.unused_positions if hole <= state.reconciled_through]
        if counted:
            with suppress(Conflict):  # a reset came first
                self._log.remove_unused_positions(state.event_id, state.generation, counted)

    def keep_up(
        self, state: EventState, scheduled_at: float | None, *, reconciled: bool, swept: bool
    ) -> None:
        """Trim the counters, save a checkpoint, and record which jobs succeeded."""
        now = int(self._clock())
        self._counters.keep_up(
            state,
            clock_bounds(self._clock, scheduled_at)[0],
            reconciled_at=now * reconciled,
            swept_at=now * swept,
        )
