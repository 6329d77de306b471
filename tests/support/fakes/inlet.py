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
        """Write the changes of a run."""
        with self._lock:
            current = self._rows.get(after.event_id)
            if (current.version if current else 0) != (before.version if before else 0):
                raise Conflict
            if current is None or before is None:
                self._rows[after.event_id] = after
                return
            anew = dict(before.deployed) != dict(after.deployed)
            self._rows[after.event_id] = replace(
                after,
                paused=current.paused,
                targets=after.targets if anew else current.targets,
            )

    def change(
        self, before: InletRecord, *, paused: bool, targets: Mapping[str, int]
    ) -> InletRecord:
        """Write the changes of an operator."""
        with self._lock:
            current = self._rows.get(before.event_id)
            if current is None or (current.strategy, current.targets, current.paused) != (
                before.strategy,
                before.targets,
                before.paused,
            ):
                raise Conflict
            self._rows[before.event_id] = replace(current, paused=paused, targets=dict(targets))
            return self._rows[before.event_id]
