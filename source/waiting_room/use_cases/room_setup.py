# SPDX-License-Identifier: Apache-2.0
"""Set up a deployment: the first signing key, the event of the deployment, the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain.actors import deployment

if TYPE_CHECKING:
    from waiting_room.domain.room_settings import EventSettings, RoomSettings
    from waiting_room.use_cases.counter_recovery import RecoveringCounters
    from waiting_room.use_cases.events.event_documents import EventDocuments
    from waiting_room.use_cases.key_rotation import SigningKeys


class RoomSetup:
    """Set-up that the stack runs at each deployment; safe to repeat."""

    def __init__(
        self,
        settings: RoomSettings,
        keys: SigningKeys,
        counters: RecoveringCounters,
        documents: EventDocuments,
    ) -> None:
        self._settings, self._keys, self._counters = settings, keys, counters
        self._documents = documents

    def run(self) -> None:
        """Create the first key and the event of the deployment, if missing; rebuild counters."""
        self._keys.set_up()
        for event in self._settings.events:
            self._documents.create_first(
                event.event_id, first_document(event), actor=deployment("set_up")
            )
            self._counters.rebuild(event.event_id)


def first_document(event: EventSettings) -> dict[str, Any]:
    """Return the members of an event's first version that the deploy-time parameters decide."""
    return {
        "turn": {
            "expires_after": event.position_expiry_period if event.position_expiry_enabled else 0,
            "increment_on_expiry": event.increment_on_expiry,
        },
        "token": {"valid_for": event.validity_period},
        "join": {"client_secret": "required" if event.client_secret_required else "optional"},
    }
