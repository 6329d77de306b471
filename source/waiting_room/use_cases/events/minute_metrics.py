# SPDX-License-Identifier: Apache-2.0
"""Decide which metrics of a minute CloudWatch gets: each metric costs in each hour with a value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from waiting_room.domain.metrics import gauges

if TYPE_CHECKING:
    from waiting_room.domain.records import Counts


class MinuteMetrics:
    """Collects the gauges of all events of a minute; keeps those of the minute before.

    An event has changed if a gauge differs from the minute before. In the first minute of an
    environment it has changed if visitors wait or are active. With ``per_event``, CloudWatch gets
    the gauges of each changed event too.
    """

    def __init__(self, *, per_event: bool) -> None:
        self._per_event = per_event
        self._before: dict[str, dict[str, int]] = {}
        self._minute: dict[str, dict[str, int]] = {}
        self._changed: set[str] = set()

    def add(self, event_id: str, counts: Counts) -> dict[str, int]:
        """Add an event of the current minute; return its gauges."""
        found = gauges(counts)
        before = self._before.get(event_id)
        here = counts.waiting or counts.active or counts.sessions
        if here if before is None else found != before:
            self._changed.add(event_id)
        self._minute[event_id] = found
        return found

    def end(self, *, complete: bool) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
        """End the minute; return the metrics: sums over all events, and gauges of changed events.

        Both are empty if no event has changed. The sums are empty as well if an event is missing:
        ``complete`` is False.
        """
        changed = {one: self._minute[one] for one in sorted(self._changed)}
        sums: Counter[str] = Counter()
        for found in self._minute.values() if changed and complete else ():
            for name, value in found.items():
                sums[name] += value
        self._before = {**({} if complete else self._before), **self._minute}
        self._minute, self._changed = {}, set()
        return dict(sums), changed if self._per_event else {}
