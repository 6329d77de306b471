# SPDX-License-Identifier: Apache-2.0
"""The alarms of the room and the brake of an event, as operators see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain.events.alarms import RoomAlarm, is_of_room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from waiting_room.domain.ports.admission import AdmissionStates, Alarms

CACHE_SECONDS = 10.0  # several consoles cost one call of CloudWatch


class RoomAlarms:
    """Reads the alarms of a core stack and of its optional stacks."""

    def __init__(
        self,
        alarms: Alarms,
        admission: AdmissionStates,
        stack: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._alarms, self._admission = alarms, admission
        self._stack, self._monotonic = stack, monotonic
        self._read: tuple[float, Sequence[RoomAlarm]] | None = None

    def alarms(self) -> list[dict[str, Any]]:
        """Return the alarms, at most CACHE_SECONDS old; raises Unavailable."""
        now, read = self._monotonic(), self._read
        if read is None or now - read[0] >= CACHE_SECONDS:
            found = self._alarms.beginning_with(f"{self._stack}-")
            read = now, [one for one in found if is_of_room(one.name, self._stack)]
            self._read = read
        return [one.response() for one in read[1]]

    def admission(self, event_id: str) -> dict[str, Any]:
        """Return the brake after the last step (None before one), and the alarm that it follows."""
        record = self._admission.read(event_id)
        alarm = None
        if record.alarm and record.alarm_state:
            alarm = {"name": record.alarm, "state": record.alarm_state.value}
        return {"brake": record.state.brake if record.state else None, "alarm": alarm}
