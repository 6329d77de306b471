# SPDX-License-Identifier: Apache-2.0
"""Port of the Events table: documents, registry and audit log of the events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from waiting_room.domain.events.audit import AuditEntry
from waiting_room.domain.events.document import StoredEvent
from waiting_room.domain.events.registry import Registry, RegistryEntry


class EventDocuments(Protocol):
    """The documents of the events of a deployment."""

    def registry(self, *, consistent: bool = False) -> Registry:
        """Return the registry; unless ``consistent``, it can lack changes of the last second."""

    def read(self, event_id: str) -> StoredEvent | None:
        """Return a document by a consistent read; None for an event that does not exist."""

    def read_many(self, event_ids: Sequence[str]) -> list[StoredEvent]:
        """Return the documents of at most 100 events that exist, in the order of the ids."""

    def write(
        self,
        before: StoredEvent | None,
        after: StoredEvent,
        entry: RegistryEntry,
        audit: AuditEntry,
        gates: int | None = None,
    ) -> None:
        """Write document, registry entry and audit entry, all or none.

        ``gates``: the version of the rules of all events for which the change was checked; the
        write makes the next one. Raises Conflict when ``before`` (None: no such event) or ``gates``
        is not current, and EventConflict when a new event would exceed MAX_EVENTS.
        """

    def gates(self) -> int:
        """Return the version of the rules of all events by a consistent read; 0 at first."""

    def announce_gates(self) -> None:
        """Make the next version of the rules of all events: the writer of the edge's store runs."""

    def delete(self, before: StoredEvent, audit: AuditEntry) -> None:
        """Delete document and registry entry, and write the audit entry, all or none.

        Raises Conflict when ``before`` is not current.
        """

    def was_used(self, event_id: str) -> bool:
        """Return whether the audit log has an entry of this event id."""
