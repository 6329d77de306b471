# SPDX-License-Identifier: Apache-2.0
"""The twins of the ports of admission in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.events.admission import AdmissionRecord, AdmissionState
from waiting_room.domain.events.alarms import Alarm, RoomAlarm


class MemoryAdmissionStates:
    """The AdmissionStates port in memory."""

    def __init__(self) -> None:
        self._records: dict[str, AdmissionRecord] = {}
        self._lock = threading.Lock()

    def read(self, event_id: str) -> AdmissionRecord:
        """The record."""
        with self._lock:
            return self._records.get(event_id, AdmissionRecord(event_id))

    def write(self, before: AdmissionRecord, after: AdmissionRecord) -> None:
        """Write a step, as JSON keeps it."""
        with self._lock:
            current = self._records.get(after.event_id, AdmissionRecord(after.event_id))
            if current.version != before.version:
                raise Conflict
            stored = json.loads(json.dumps(after.state.to_json())) if after.state else None
            self._records[after.event_id] = replace(
                current, version=after.version, state=AdmissionState.from_json(stored)
            )

    def report_health(self, event_id: str, health: float, at: int) -> None:
        """Write the site's health."""
        self._change(event_id, health=health, health_at=at)

    def report_alarm(self, event_id: str, name: str, state: Alarm, at: int) -> None:
        """Write the state of an alarm."""
        self._change(event_id, alarm=name, alarm_state=state, alarm_at=at)

    def delete(self, event_id: str) -> None:
        """Delete the record."""
        with self._lock:
            self._records.pop(event_id, None)

    def _change(self, event_id: str, **values: object) -> None:
        with self._lock:
            current = self._records.get(event_id, AdmissionRecord(event_id))
            self._records[event_id] = replace(current, **values)  # type: ignore[arg-type]


class MemoryAlarms:
    """The Alarms port; tests set the states."""

    def __init__(self) -> None:
        self.known: dict[str, Alarm] = {}
        self.fails = False
        self.calls: list[Sequence[str]] = []

    def states(self, names: Sequence[str]) -> Mapping[str, Alarm]:
        """Return the states of the alarms that exist."""
        self.calls.append(names)
        if self.fails:
            raise Unavailable("CloudWatch does not respond")
        return {name: self.known[name] for name in names if name in self.known}

    def beginning_with(self, prefix: str) -> Sequence[RoomAlarm]:
        """Return the alarms whose names begin with a text."""
        self.calls.append([prefix])
        if self.fails:
            raise Unavailable("CloudWatch does not respond")
        return [
            RoomAlarm(name, state, 1_800_000_000, "Threshold crossed")
            for name, state in sorted(self.known.items())
            if name.startswith(prefix)
        ]
