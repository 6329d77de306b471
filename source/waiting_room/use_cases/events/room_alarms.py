# SPDX-License-Identifier: Apache-2.0
"""The alarms of the room and the brake of an event, as operators see them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.alarms import EDGE_ALARMS, EDGE_REGION, is_of_room

if TYPE_CHECKING:
    from collections.abc import Callable

    from waiting_room.domain.ports.admission import AdmissionStates, Alarms

logger = logging.getLogger("waiting_room")
CACHE_SECONDS = 10.0  # several consoles cost one call of CloudWatch in each region


class RoomAlarms:
    """Reads the alarms of a core stack and of its optional stacks.

    ``edge_alarms`` are those of EDGE_REGION, which may be the region of the room.
    """

    def __init__(
        self,
        alarms: Alarms,
        edge_alarms: Alarms,
        admission: AdmissionStates,
        stack: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._alarms, self._edge_alarms, self._admission = alarms, edge_alarms, admission
        self._stack, self._monotonic = stack, monotonic
        self._read: tuple[float, dict[str, Any]] | None = None

    def alarms(self) -> dict[str, Any]:
        """Return the alarms and the regions that were not read, at most CACHE_SECONDS old.

        Raises Unavailable if the room's own region was not read.
        """
        now, read = self._monotonic(), self._read
        if read is None or now - read[0] >= CACHE_SECONDS:
            read = self._read = now, self._response()
        return read[1]

    def _response(self) -> dict[str, Any]:
        found = {one.name: one for one in self._alarms.beginning_with(f"{self._stack}-")}
        unread = []
        try:
            edge = self._edge_alarms.beginning_with(f"{self._stack}-{EDGE_ALARMS}-")
            found.update({one.name: one for one in edge})
        except Unavailable as error:
            logger.warning("alarms of %s not read: %s", EDGE_REGION, error)
            unread.append(EDGE_REGION)
        own = [found[name] for name in sorted(found) if is_of_room(name, self._stack)]
        return {"alarms": [one.response() for one in own], "unread": unread}

    def admission(self, event_id: str) -> dict[str, Any]:
        """Return the brake after the last step (None before one), and the alarm that it follows."""
        record = self._admission.read(event_id)
        alarm = None
        if record.alarm and record.alarm_state:
            alarm = {"name": record.alarm, "state": record.alarm_state.value}
        return {"brake": record.state.brake if record.state else None, "alarm": alarm}
