# SPDX-License-Identifier: Apache-2.0
"""Numbers of an event for the waiting page, the console and the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain.records import Counts
from waiting_room.use_cases.event_publishing import EventPublisher

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.events.directory import EventDirectory


class EventMetrics:
    """Reads the counters of an event with one round trip per call."""

    def __init__(
        self,
        events: EventDirectory,
        counters: RoomCounters,
        publisher: EventPublisher,
        clock: Clock,
    ) -> None:
        self._events, self._counters = events, counters
        self._publisher, self._clock = publisher, clock

    def counts(self, event_id: str) -> Counts:
        """Return all numbers of an event."""
        self._events.check(event_id)
        return self._read(event_id)

    def serving_number(self, event_id: str) -> int:
        """Return the serving counter."""
        self._events.check(event_id)
        return self._counters.serving_number(event_id).serving

    def waiting_number(self, event_id: str) -> int:
        """Return the number of waiting visitors."""
        self._events.check(event_id)
        return self._counters.waiting_number(event_id).waiting

    def status_page(self, event_id: str) -> dict[str, Any]:
        """Return the content of ``/status``; rates are positions per minute."""
        entry, is_known = self._events.shown(event_id)
        from waiting_room.domain.metrics import page_status

        counts = self._read(event_id)
        return page_status(event_id, counts, entry, self._clock(), is_known=is_known)

    def panel(self, event_id: str) -> dict[str, Any]:
        """Return the metrics of the console."""
        entry, is_known = self._events.shown(event_id)
        from waiting_room.domain.metrics import console_metrics

        counts = self._read(event_id)
        return console_metrics(event_id, counts, entry, self._clock(), is_known=is_known)

    def report(self, event_id: str) -> Counts:
        """Return all numbers; publish them on the bus if the settings enable it."""
        counts = self.counts(event_id)
        self._publisher.metrics(event_id, counts)
        return counts

    def _read(self, event_id: str) -> Counts:
        return self._counters.counts(event_id, int(self._clock()))
