# SPDX-License-Identifier: Apache-2.0
"""What is done every minute: the audit holds the account to the rows, the sweep expires no-shows.

Two clocks matter here: this function's, and the ``tick`` of the one that started it. Nothing is
taken for past that is not past by both, so one that steps ahead closes nothing early.
"""

from __future__ import annotations

import logging

from waiting_room.domain import expiry, serving_counter
from waiting_room.domain.actors import scheduled
from waiting_room.domain.errors import Conflict
from waiting_room.domain.ports import Counters, Outcomes, Positions, ServingLog
from waiting_room.domain.records import EventState
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.use_cases import change_log, counter_recovery
from waiting_room.use_cases.counter_recovery import Recovery
from waiting_room.use_cases.event_publishing import EventPublisher
from waiting_room.use_cases.event_state import EventStates

logger = logging.getLogger("waiting_room")
SWEEPER = scheduled("sweep_positions")
SWEEP_STEP = 2_000  # positions swept at once; bounds memory and the size of one jump
SWEEP_STEPS = 50  # steps of one run; the rest waits for the next minute


class MinuteWorker:
    """The worker that the clock starts."""

    def __init__(
        self,
        settings: RoomSettings,
        positions: Positions,
        outcomes: Outcomes,
        log: ServingLog,
        counters: Counters,
        ledger: EventStates,
        recovery: Recovery,
        announcements: EventPublisher,
    ) -> None:
        self._settings = settings
        self._positions, self._outcomes = positions, outcomes
        self._log, self._counters = log, counters
        self._ledger, self._recovery, self._announcements = ledger, recovery, announcements

    def minute(self, event_id: str, tick: float | None) -> EventState:
        """Audit, sweep, and note in the counters which of them succeeded.

        Each is done also where the other fails; what failed first is raised at the end.
        """
        done: dict[str, EventState] = {}
        failed: list[Exception] = []
        for task, step in (("audit", self._reconcile), ("sweep", self.sweep)):
            try:
                done[task] = step(event_id, tick)
            except Exception as error:
                logger.error("the minute's %s failed: %s", task, type(error).__name__)
                failed.append(error)
        for state in list(done.values())[-1:]:
            self._tidy(state, tick, reconciled="audit" in done, swept="sweep" in done)
        if failed:
            raise failed[0]
        return done["sweep"]

    def audit(self, event_id: str, tick: float | None) -> EventState:
        """Find holes, settle what can no longer change, and hold the counters to the tables."""
        state = self._reconcile(event_id, tick)
        self._tidy(state, tick, reconciled=True, swept=False)
        return state

    def _reconcile(self, event_id: str, tick: float | None) -> EventState:
        state = self._log.read(event_id)
        now, latest = self._by_both(tick)
        if counter_recovery.audit_is_due(state, self._settings.unused_position_timeout, now):
            held = self._positions.count(
                event_id, state.generation, state.reconciled_through + 1, state.pending_through
            )
            state = self._ledger.try_write(state, counter_recovery.audit(state, held, latest))
        elif (
            state.pending_through == state.reconciled_through
            and state.queue > state.pending_through
        ):
            state = self._ledger.try_write(state, counter_recovery.audit(state, 0, latest))
        if state.expired_through > state.settled_through:
            upto = min(state.expired_through, state.settled_through + counter_recovery.SETTLE_STEP)
            rows = self._outcomes.tokens(
                event_id, state.generation, state.settled_through + 1, upto
            )
            state = self._ledger.try_write(state, counter_recovery.settle(state, rows, upto, now))
        if state.lowering > state.version:  # announced by a writer that is dead or at it: overtake
            state = self._ledger.try_write(state, serving_counter.move(state, 0, now, "audit"))
        self._ledger.apply(state)
        return state

    def _tidy(
        self, state: EventState, tick: float | None, *, reconciled: bool, swept: bool
    ) -> None:
        """Trim the counters, and keep what a rebuild needs."""
        now, noted = self._by_both(tick)[0], self._ledger.now()
        self._ledger.best_effort(
            state.event_id,
            lambda: self._recovery.run_upkeep(
                state,
                self._counters.trim(
                    state.event_id,
                    now,
                    reconciled_at=noted * reconciled,
                    swept_at=noted * swept,
                ),
                now,
            ),
        )

    def sweep(self, event_id: str, tick: float | None) -> EventState:
        """Expire the positions whose time is past; one step per write, each whole by itself."""
        event = self._settings.event(event_id)
        state = self._log.read(event_id)
        if not event.position_expiry_enabled:
            return state
        for _ in range(SWEEP_STEPS):
            now = self._by_both(tick)[0]
            found = self._due(state, event.position_expiry_period, now)
            if found is None:
                break
            if self._outcomes.put_expired(found.expire):
                continue  # a token came first: look again
            after = expiry.after_sweep(
                state, found, increment=event.increment_on_expiry, now=now, actor=SWEEPER.short
            )
            state = self._written(state, after)
        return state

    def _by_both(self, tick: float | None) -> tuple[int, int]:
        """The earlier and the later of this function's time and ``tick``."""
        now = self._ledger.now()
        other = now if tick is None else int(tick)
        return min(now, other), max(now, other)

    def _due(self, state: EventState, period: int, now: int) -> expiry.Sweep | None:
        """The next positions whose time is past, and what becomes of each; None without any."""
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

    def _written(self, before: EventState, after: EventState) -> EventState:
        try:
            self._log.write(before, after)
        except Conflict:  # another writer, or this one's own retry
            after = self._log.read(before.event_id)
            self._ledger.apply(after)
            return after
        self._ledger.apply(after)
        if after.version > before.version and after.move:
            change_log.record_move(after.event_id, SWEEPER, after.generation, after.move)
            self._announcements.serving_counter_changed(after)
        return after
