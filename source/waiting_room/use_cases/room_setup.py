# SPDX-License-Identifier: Apache-2.0
"""Set up a deployment: the first keys, the event of the deployment, the counters."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from waiting_room.domain.actors import deployment
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.audit import audit_entry
from waiting_room.domain.events.document import StoredEvent, complete, without_defaults
from waiting_room.domain.events.registry import entry_of
from waiting_room.use_cases import change_log

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.room_settings import EventSettings, RoomSettings
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.gate.key_rotation import GateKeyRotation
    from waiting_room.use_cases.key_rotation import SigningKeys


class RoomSetup:
    """Set-up that the stack runs at each deployment; safe to repeat."""

    def __init__(
        self,
        settings: RoomSettings,
        keys: SigningKeys,
        gate_keys: GateKeyRotation,
        counters: RoomCounters,
        documents: EventDocuments,
        clock: Clock,
    ) -> None:
        self._settings, self._keys, self._gate_keys = settings, keys, gate_keys
        self._counters = counters
        self._documents, self._clock = documents, clock

    def run(self) -> None:
        """Create the first keys and the event of the deployment, if missing; rebuild counters."""
        self._keys.set_up()
        self._gate_keys.set_up()
        for event in self._settings.events:
            self._create_event(event)
            self._counters.rebuild(event.event_id)

    def _create_event(self, event: EventSettings) -> None:
        """Create the first version of an event, unless the event has one."""
        event_id = event.event_id
        if self._documents.read(event_id) is not None:
            return
        document = complete(first_document(event))
        actor, members = deployment("set_up"), without_defaults(document)
        audit = audit_entry(self._clock(), actor, "create", {}, members)
        try:
            self._documents.write(
                None, StoredEvent(event_id, 1, document), entry_of(1, document), audit
            )
        except Conflict:
            return  # a concurrent set-up created it
        change_log.record(event_id, "create", actor, {}, members)


def first_document(event: EventSettings) -> dict[str, Any]:
    """Return the members of an event's first version that the deploy-time parameters decide."""
    return {
        "turn": {
            "expires_after": event.position_expiry_period if event.position_expiry_enabled else 0,
            "increment_on_expiry": event.increment_on_expiry,
        },
        "admission": asdict(event.admission),
        "token": {"valid_for": event.validity_period},
        "join": {"client_secret": "required" if event.client_secret_required else "optional"},
    }
