# SPDX-License-Identifier: Apache-2.0
"""Ports of automatic admission. Every method may raise ``Unavailable``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from waiting_room.domain.events.admission import AdmissionRecord
from waiting_room.domain.events.alarms import Alarm, RoomAlarm


class AdmissionStates(Protocol):
    """The admission of an event: the state of its steps, health reports, the state of its alarm."""

    def read(self, event_id: str) -> AdmissionRecord:
        """Return the record by a consistent read; an empty one before the first write."""

    def write(self, before: AdmissionRecord, after: AdmissionRecord) -> None:
        """Write ``state`` and ``version`` of a step, nothing else.

        Raises Conflict when another step was written since ``before`` was read.
        """

    def report_health(self, event_id: str, health: float, at: int) -> None:
        """Write the site's health, 0 to 1, at ``at`` (epoch s)."""

    def report_alarm(self, event_id: str, name: str, state: Alarm, at: int) -> None:
        """Write the state of an alarm that was read at ``at`` (epoch s)."""

    def delete(self, event_id: str) -> None:
        """Delete the record, if there is one."""


class Alarms(Protocol):
    """CloudWatch alarms."""

    def states(self, names: Sequence[str]) -> Mapping[str, Alarm]:
        """Return the states of at most 100 alarms; an alarm that does not exist is missing."""

    def beginning_with(self, prefix: str) -> Sequence[RoomAlarm]:
        """Return the alarms whose names begin with a text, by name."""
