# SPDX-License-Identifier: Apache-2.0
"""Read the audit log and the history of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain.errors import UnknownEvent
from waiting_room.domain.events.audit import PAGE, AuditMark, deciding_of, key_at, page_of
from waiting_room.domain.events.history import check_window, points
from waiting_room.domain.events.validation import check_event_id

if TYPE_CHECKING:
    from waiting_room.domain.ports.audit import AuditLog
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.history import History
    from waiting_room.use_cases.events.directory import EventDirectory
    from waiting_room.use_cases.room import Room, Stores


def build_event_records(room: Room, stores: Stores, clock: Clock) -> EventRecords:
    """Create the use case from a room and its stores; only the private API needs it."""
    return EventRecords(stores.documents, stores.audit, stores.history, room.directory, clock)


class EventRecords:
    """The audit log and the history, as the private API returns them."""

    def __init__(
        self,
        documents: EventDocuments,
        audit: AuditLog,
        history: History,
        directory: EventDirectory,
        clock: Clock,
    ) -> None:
        self._documents, self._audit, self._history = documents, audit, history
        self._directory, self._clock = directory, clock

    def audit(
        self, event_id: str, mark: AuditMark | None = None
    ) -> tuple[list[dict[str, Any]], AuditMark | None]:
        """Return a page of the audit log, latest first, and the mark of the next page.

        A deleted event has its log until the entries expire. Raises InvalidInput for an invalid
        id, and UnknownEvent for an id that was never used.
        """
        self._check_id(event_id)
        now = self._clock()
        # the document before its changes: a change in between is then in both
        stored = self._documents.read(event_id)
        if mark is None:
            deciding = deciding_of(stored.document) if stored else None
            mark = AuditMark(now, key_at(now), now + 1e-6, deciding, key_at(now))
        changes = self._audit.changes(event_id, mark.change, PAGE + 1)
        if stored is None and not changes and not self._documents.was_used(event_id):
            raise UnknownEvent
        operations = self._audit.operations(event_id, mark.operation, PAGE + 1)
        moves = self._audit.moves(event_id, mark.generation, mark.version, PAGE + 1)
        entries, following = page_of(mark, changes, operations, moves, now)
        return [entry.response() for entry in entries], following

    def history(
        self, event_id: str, since: int | None, until: int | None, step: int | None
    ) -> list[dict[str, Any]]:
        """Return the points from ``since`` to before ``until`` (epoch s), one each ``step`` s.

        Raises InvalidInput, which names the member, and UnknownEvent.
        """
        self._check_id(event_id)
        window = check_window(since, until, step, self._clock())
        if self._documents.read(event_id) is None:
            raise UnknownEvent
        minutes = self._history.between(event_id, window.first, window.last_minute)
        return points(minutes, window)

    def _check_id(self, event_id: str) -> None:
        """Raise InvalidInput for an id that no event can have."""
        if not self._directory.is_own(event_id):
            check_event_id(event_id)
