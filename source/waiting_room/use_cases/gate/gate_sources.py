# SPDX-License-Identifier: Apache-2.0
"""Read the data of events for their gates: document, generation, time of the last change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from waiting_room.domain.errors import UnknownEvent
from waiting_room.domain.gate.configuration import GateConfiguration
from waiting_room.domain.gate.store import GatedEvent

if TYPE_CHECKING:
    from waiting_room.domain.events.document import StoredEvent
    from waiting_room.domain.events.registry import RegistryEntry
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.gate_keys import GateKeyStore
    from waiting_room.domain.ports.serving_log import ServingLog

PAGE = 100  # documents in one read
SINCE_CREATION = 1  # epoch s; an event whose deciding members never changed


class GateSources:
    """Events as their gates see them. ``registry`` reads the registry, or returns a copy of it."""

    def __init__(
        self,
        documents: EventDocuments,
        registry: Callable[[], Mapping[str, RegistryEntry]],
        log: ServingLog,
        keys: GateKeyStore,
    ) -> None:
        self._documents, self._registry = documents, registry
        self._log, self.keys = log, keys

    def configuration(self, event_id: str) -> GateConfiguration:
        """Return the configuration of an event, with secrets; raises UnknownEvent."""
        stored = self._documents.read(event_id)
        if stored is None:
            raise UnknownEvent
        event = self._gated(stored, self._registry())
        return GateConfiguration.of_event(event, stored.version, self.keys.keys(event_id))

    def all(self) -> list[GatedEvent]:
        """Return all events that are behind a gate, in the order of their ids."""
        registry = self._registry()
        ids = sorted(one for one, entry in registry.items() if entry.gated)
        found: list[StoredEvent] = []
        for start in range(0, len(ids), PAGE):
            found += self._documents.read_many(ids[start : start + PAGE])
        return [self._gated(stored, registry) for stored in found]

    def _gated(self, stored: StoredEvent, registry: Mapping[str, RegistryEntry]) -> GatedEvent:
        entry = registry.get(stored.event_id)
        changed_at = int(entry.past[0].until) if entry and entry.past else SINCE_CREATION
        generation = self._log.read_with_details(stored.event_id)[0].generation
        return GatedEvent(stored.event_id, stored.document, generation, changed_at)
