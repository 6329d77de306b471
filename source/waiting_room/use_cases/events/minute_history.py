# SPDX-License-Identifier: Apache-2.0
"""Store the counts and waits of each minute of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting_room.domain.events.history import sampled_positions, totals_of

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.history import History
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.records import Counts


class MinuteHistory:
    """Writes one item per event and minute."""

    def __init__(self, positions: Positions, history: History, clock: Clock) -> None:
        self._positions, self._history, self._clock = positions, history, clock

    def record(self, event_id: str, counts: Counts) -> None:
        """Store the counts of the current minute.

        If the serving counter rose in the minute, this reads the times at which a sample of at
        most SAMPLES of the served positions joined, one read each.
        """
        now = int(self._clock())
        waits = [
            max(0, served_at - row.entry_time)
            for position, served_at in sampled_positions(counts, now)
            for row in self._positions.in_range(event_id, counts.generation, position, position)
        ]
        self._history.put(event_id, totals_of(counts, now, waits))
