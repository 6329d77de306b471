# SPDX-License-Identifier: Apache-2.0
"""The twin of the inlet's store in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from waiting_room.domain.errors import Conflict
from waiting_room.inlet.strategies import InletRecord


class MemoryInlet:
    """The InletStore port in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, InletRecord] = {}
        self._lock = threading.Lock()

    def read(self, event_id: str) -> InletRecord | None:
        """The row."""
        with self._lock:
            return self._rows.get(event_id)

    def write(self, before: InletRecord | None, after: InletRecord) -> None:
        """What a run changes."""
        with self._lock:
            stands = self._rows.get(after.event_id)
            if (stands.version if stands else 0) != (before.version if before else 0):
                raise Conflict
            if stands is None or before is None:
                self._rows[after.event_id] = after
                return
            anew = dict(before.deployed) != dict(after.deployed)
            self._rows[after.event_id] = replace(
                after,
                paused=stands.paused,
                health=stands.health,
                health_at=stands.health_at,
                targets=after.targets if anew else stands.targets,
            )

    def change(
        self, before: InletRecord, *, paused: bool, targets: Mapping[str, int]
    ) -> InletRecord:
        """What an operator changes."""
        with self._lock:
            stands = self._rows.get(before.event_id)
            if stands is None or (stands.strategy, stands.targets, stands.paused) != (
                before.strategy,
                before.targets,
                before.paused,
            ):
                raise Conflict
            self._rows[before.event_id] = replace(stands, paused=paused, targets=dict(targets))
            return self._rows[before.event_id]

    def report_health(self, event_id: str, health: float, at: int) -> None:
        """What the site says."""
        with self._lock:
            if event_id not in self._rows:
                raise Conflict
            self._rows[event_id] = replace(self._rows[event_id], health=health, health_at=at)
