# SPDX-License-Identifier: Apache-2.0
"""Update the state row of an event with a conditional write, then the counters.

The table is written first. After a crash between the two writes the counters lag behind; the next
caller or the minute worker updates them. A write that lowers the serving counter, or resets the
event, is announced first (see ``counter_recovery.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Conflict
from waiting_room.domain.records import EventState
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.counters.room_counters import RoomCounters

KEPT = 100  # states of events that a function keeps


class EventStates:
    """Updates of the state rows, and of the counters after each."""

    def __init__(
        self,
        log: ServingLog,
        counters: RoomCounters,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._log, self._counters = log, counters
        self._clock, self._pause = clock, pause
        self._written: dict[str, EventState] = {}  # of each event, as the latest update left it

    def update(
        self,
        event_id: str,
        decide: Callable[[EventState], EventState],
        *,
        from_written: bool = False,
    ) -> EventState:
        """Write the result of ``decide``; decide again if another writer came first.

        ``from_written``: decide first on the state that this function wrote last, without a read;
        the condition of the write refuses it if it is not current. ``decide`` must then need only
        numbers of that condition: neither the queue counter nor ``line`` or ``shut``.

        Raises Unavailable, before anything has changed, when a lower serving counter cannot be
        announced.
        """
        written = self._written.pop(event_id, None)
        for attempt in retry_on_conflict(self._clock, self._pause):
            attempt.at_once = bool(from_written and written)  # an old copy is no collision
            before = written if from_written and written else self._log.read(event_id)
            written = None
            after = decide(before)
            with attempt:
                if after.serving < before.serving:
                    self.announce_lowering(before)
                state = self._log.write(before, after)
            if attempt.conflict:
                found = self._own_write(after)
                if found is None:
                    continue
                state = found
            if len(self._written) >= KEPT:
                self._written.clear()
            self._written[event_id] = state
            self._counters.follow(state)
            return state
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt

    def try_update(self, before: EventState, after: EventState) -> EventState:
        """Write once; after a conflict return the current state, for the next minute to retry."""
        try:
            self._log.write(before, after)
        except Conflict:
            return self._log.read(before.event_id)
        return after

    def announce_lowering(self, before: EventState) -> None:
        """Announce that the next write lowers the serving counter or resets the event.

        Until the table has a version above ``before``'s, readers of the counters also read the
        table. From that version on, the write was made or can no longer succeed. The table has
        the announcement for later rebuilds; rebuilds under way have to read again. Raises Conflict
        when ``before`` is not current, Unavailable when the counters cannot be reached.
        """
        announced = replace(before, lowering=before.version + 1)
        self._log.write(before, announced)
        self._counters.announce(announced)

    def _own_write(self, after: EventState) -> EventState | None:
        """Return the state if this call's write was made without a response; otherwise None.

        The AWS client retries by itself, and its own first write then causes the conflict.
        """
        state = self._log.read(after.event_id)
        if state.generation != after.generation or after.move is None:
            return None
        return state if after.move in self._log.moves(state, after.version - 1) else None
