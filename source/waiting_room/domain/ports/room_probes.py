# SPDX-License-Identifier: Apache-2.0
"""Port of the watchdog's requests to the room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from waiting_room.domain.gate.watchdog import Reading


class RoomProbes(Protocol):
    """Requests to the room as the edge sends them for visitors; they change nothing."""

    def __call__(self, event_ids: Sequence[str]) -> Mapping[str, Reading]:
        """Probe the room for each event and return its reading; never waits without an end."""
