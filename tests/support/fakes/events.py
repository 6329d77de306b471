# SPDX-License-Identifier: Apache-2.0
"""Event documents in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from waiting_room.domain.errors import Conflict, EventConflict
from waiting_room.domain.events.audit import AuditEntry
from waiting_room.domain.events.document import StoredEvent
from waiting_room.domain.events.registry import Registry, RegistryEntry, encode
from waiting_room.domain.events.schema import MAX_EVENTS


class MemoryEvents:
    """The EventDocuments port in memory."""

    def __init__(self) -> None:
        self.documents: dict[str, StoredEvent] = {}
        self.entries: dict[str, str] = {}
        self.audit: dict[str, list[AuditEntry]] = defaultdict(list)
        self.registry_reads = 0
        self.gates_version = 0

    def registry(self, *, consistent: bool = False) -> Registry:
        """Return the registry."""
        self.registry_reads += 1
        return Registry(dict(self.entries))

    def read(self, event_id: str) -> StoredEvent | None:
        """Return a document."""
        return self.documents.get(event_id)

    def read_many(self, event_ids: Sequence[str]) -> list[StoredEvent]:
        """Return the documents that exist."""
        return [self.documents[one] for one in event_ids if one in self.documents]

    def write(
        self,
        before: StoredEvent | None,
        after: StoredEvent,
        entry: RegistryEntry,
        audit: AuditEntry,
        gates: int | None = None,
    ) -> None:
        """Write document, registry entry and audit entry."""
        self._check(after.event_id, before)
        if gates not in (None, self.gates_version):
            raise Conflict
        if before is None and len(self.entries) >= MAX_EVENTS:
            raise EventConflict(f"the deployment has {MAX_EVENTS} events, which is the limit")
        self.documents[after.event_id] = after
        self.entries[after.event_id] = encode(entry)
        self.audit[after.event_id].append(audit)
        self.gates_version += gates is not None

    def gates(self) -> int:
        """Return the version of the rules of all events."""
        return self.gates_version

    def announce_gates(self) -> None:
        """Make the next version of the rules of all events."""
        self.gates_version += 1

    def delete(self, before: StoredEvent, audit: AuditEntry) -> None:
        """Delete document and registry entry."""
        self._check(before.event_id, before)
        del self.documents[before.event_id], self.entries[before.event_id]
        self.audit[before.event_id].append(audit)

    def was_used(self, event_id: str) -> bool:
        """Return whether the audit log has an entry of this event id."""
        return bool(self.audit.get(event_id))

    def _check(self, event_id: str, before: StoredEvent | None) -> None:
        known = self.documents.get(event_id)
        if (known.version if known else None) != (before.version if before else None):
            raise Conflict
