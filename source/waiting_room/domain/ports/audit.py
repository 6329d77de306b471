# SPDX-License-Identifier: Apache-2.0
"""Port of the audit log. Every method may raise ``Unavailable``."""

from __future__ import annotations

from typing import Protocol

from waiting_room.domain.events.audit import AuditEntry, LoggedEntry, LoggedMove


class AuditLog(Protocol):
    """The stored parts of the audit log of an event.

    ``EventDocuments`` writes the changes of documents, ``ServingLog`` the moves. Reads are
    consistent and return at most ``limit`` entries, latest first. They contain the entries of
    AUDIT_LIFE seconds.
    """

    def append(self, event_id: str, entry: AuditEntry) -> None:
        """Store an operation: message, reset, end of a session, settings of an inlet."""

    def changes(self, event_id: str, before: str, limit: int) -> list[LoggedEntry]:
        """Return the changes of the document whose key is below ``before``."""

    def operations(self, event_id: str, before: str, limit: int) -> list[LoggedEntry]:
        """Return the operations whose key is below ``before``."""

    def moves(self, event_id: str, generation: int, version: int, limit: int) -> list[LoggedMove]:
        """Return the moves of all generations before one; all of them if ``version`` is 0."""
