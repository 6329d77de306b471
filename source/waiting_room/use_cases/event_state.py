# SPDX-License-Identifier: Apache-2.0
"""The state row of an event: read, decide, write under a condition; then the counters follow.

The table is written first and decides. A crash between table and counters leaves the counters
behind, and the next caller or the minute worker brings them up. A write that lowers the serving
counter or the generation is announced before it is made (see ``counter_recovery.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from waiting_room.domain.errors import Conflict
from waiting_room.domain.ports.clock import Clock
from waiting_room.domain.ports.serving_log import ServingLog
from waiting_room.domain.records import EventState
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.use_cases.counter_recovery import RecoveringCounters


class EventStates:
    """The state rows, each with the counters that follow it."""

    def __init__(
        self,
        log: ServingLog,
        counters: RecoveringCounters,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._log, self._counters = log, counters
        self._clock, self._pause = clock, pause

    def update(self, event_id: str, decide: Callable[[EventState], EventState]) -> EventState:
        """Write what ``decide`` makes of the state, again if another writer came first.

        Raises Unavailable, before anything has changed, when a lower serving counter cannot be
        announced.
        """
        for attempt in retry_on_conflict(self._clock, self._pause):
            before = self._log.read(event_id)
            after = decide(before)
            with attempt:
                if after.serving < before.serving:
                    self.announce_lowering(before)
                self._log.write(before, after)
            if attempt.conflict:
                found = self._own_write(after)
                if found is None:
                    continue
                after = found
            self._counters.follow(after)
            return after
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt

    def try_update(self, before: EventState, after: EventState) -> EventState:
        """Write, or leave it to the next minute when another writer came first."""
        try:
            self._log.write(before, after)
        except Conflict:
            return self._log.read(before.event_id)
        return after

    def announce_lowering(self, before: EventState) -> None:
        """Let no copy be believed that the next write lowers.

        The announcement holds until the table has a version above ``before``'s: then that write
        was made, or never can be. It is in the table for copies that are rebuilt from now on, and
        ends the rebuilds that read the table before it. Raises Conflict when ``before`` is no
        longer current, Unavailable when the counters cannot be told.
        """
        announced = replace(before, lowering=before.version + 1)
        self._log.write(before, announced)
        self._counters.announce(announced)

    def _own_write(self, after: EventState) -> EventState | None:
        """Find a write of this call whose response was lost; None when it was not made.

        A client that retries by itself meets its own write as a conflict.
        """
        state = self._log.read(after.event_id)
        if state.generation != after.generation or after.move is None:
            return None
        return state if after.move in self._log.moves(state, after.version - 1) else None
