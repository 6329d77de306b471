# SPDX-License-Identifier: Apache-2.0
"""Set up a deployment: the first signing key, the state rows of its events, the counters."""

from __future__ import annotations

from waiting_room.domain.room_settings import RoomSettings
from waiting_room.use_cases.counter_recovery import RecoveringCounters
from waiting_room.use_cases.key_rotation import SigningKeys


class RoomSetup:
    """Set-up that the stack runs at each deployment; safe to repeat."""

    def __init__(
        self, settings: RoomSettings, keys: SigningKeys, counters: RecoveringCounters
    ) -> None:
        self._settings, self._keys, self._counters = settings, keys, counters

    def run(self) -> None:
        """Create and publish the first key if there is none; rebuild lost counters."""
        self._keys.set_up()
        for event in self._settings.events:
            self._counters.rebuild(event.event_id)
