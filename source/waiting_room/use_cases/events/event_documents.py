# SPDX-License-Identifier: Apache-2.0
"""Create, change and delete events, and carry out the actions of operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from waiting_room.domain.actors import Actor
from waiting_room.domain.errors import (
    Conflict,
    EventConflict,
    StaleVersion,
    UnknownEvent,
)
from waiting_room.domain.events.actions import act
from waiting_room.domain.events.audit import AuditEntry, audit_entry
from waiting_room.domain.events.document import (
    StoredEvent,
    changed_members,
    is_gated,
    without_defaults,
)
from waiting_room.domain.events.page import with_clean_html
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.registry import RegistryEntry, entry_of
from waiting_room.domain.events.validation import check_event_id, patch_document, replace_document
from waiting_room.domain.gate.shared_rules import check_shared
from waiting_room.domain.records import EventState
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.use_cases import change_log
from waiting_room.use_cases.events.deletion import Leftovers
from waiting_room.use_cases.gate.shutting import Shutting

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments as EventStore
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.event_control import EventControl
    from waiting_room.use_cases.event_publishing import EventPublisher
    from waiting_room.use_cases.events.directory import EventDirectory
    from waiting_room.use_cases.room import Room, Stores

PAGE = 100  # events on one page of the list
RULES = ("protect", "bypass")

Change = Callable[[StoredEvent], dict[str, Any]]


def build_event_documents(
    room: Room, stores: Stores, clock: Clock, clean_html: Callable[[str], str]
) -> EventDocuments:
    """Create the use case from a room and its stores; only the private API needs it.

    ``clean_html`` sanitises the HTML of the page.
    """
    leftovers = Leftovers(stores.log, stores.admission, room.counters)
    shutting = Shutting(stores.log, stores.straight_through, clock)
    return EventDocuments(
        stores.documents,
        room.directory,
        stores.log,
        leftovers,
        shutting,
        room.control,
        room.publisher,
        clock,
        clean_html,
    )


class EventDocuments:
    """The event routes of the private API. Responses are documents with version and phase."""

    def __init__(
        self,
        store: EventStore,
        directory: EventDirectory,
        log: ServingLog,
        leftovers: Leftovers,
        shutting: Shutting,
        control: EventControl,
        publisher: EventPublisher,
        clock: Clock,
        clean_html: Callable[[str], str],
    ) -> None:
        self._store, self._directory, self._log = store, directory, log
        self._leftovers, self._shutting = leftovers, shutting
        self._control, self._publisher, self._clock = control, publisher, clock
        self._clean_html = clean_html

    def listing(self, after: str = "") -> tuple[dict[str, Any], str | None]:
        """Return a page of events with ``now`` (epoch s), and the mark of the next page."""
        now = int(self._clock())
        rows, following = self.page(after)
        return {"events": rows, "now": now}, following

    def page(self, after: str = "") -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of events in the order of their ids, and the mark of the next page."""
        registry = self._directory.refresh()
        ids = sorted(one for one in registry if one > after)
        page, now = ids[:PAGE], self._clock()
        rows = [
            {
                "event_id": one.event_id,
                "title": one.document["title"],
                "phase": phase_of(one.document, now).value,
                "version": one.version,
                "schedule": one.document["schedule"],
                "gated": is_gated(one.document),
            }
            for one in self._store.read_many(page)
        ]
        return rows, page[-1] if len(ids) > PAGE else None

    def show(self, event_id: str) -> dict[str, Any]:
        """Return a document, and the operators' message; raises UnknownEvent."""
        stored = self._read(event_id)
        message = self._log.read_with_details(stored.event_id)[1].message
        return {**stored.response(self._clock()), "message": message}

    def check(self, event_id: str) -> None:
        """Raise InvalidInput or UnknownEvent unless the event exists."""
        self._read(event_id)

    def put(
        self, event_id: str, content: Mapping[str, Any], version: int | None, *, actor: Actor
    ) -> tuple[dict[str, Any], bool]:
        """Create an event, or replace its document if ``version`` is current.

        Returns the response, and whether the event is new. Raises InvalidInput, StaleVersion and
        EventConflict.
        """
        self._check_id(event_id)
        for attempt in retry_on_conflict(self._clock):
            before = self._store.read(event_id)
            if before is None and version is not None:
                raise UnknownEvent
            if before is not None and version is None:
                raise self._stale(before, "the event exists: send its version in If-Match")
            self._check_version(before, version)
            document = replace_document(
                with_clean_html(content, self._clean_html), event_id, before
            )
            with attempt:
                if before is None:
                    return self._create(event_id, document, actor), True
                return self._write(before, document, "put", actor), False
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt

    def patch(
        self, event_id: str, content: Mapping[str, Any], version: int | None, *, actor: Actor
    ) -> dict[str, Any]:
        """Apply a JSON Merge Patch; raises InvalidInput, StaleVersion, UnknownEvent."""
        return self._change(
            event_id,
            version,
            "patch",
            lambda before: patch_document(with_clean_html(content, self._clean_html), before),
            actor,
        )

    def act(self, event_id: str, action: str, *, actor: Actor) -> dict[str, Any]:
        """Carry out an action that changes the document; raises PhaseForbids, InvalidInput."""
        return self._change(
            event_id,
            None,
            action,
            lambda before: act(before.document, action, int(self._clock())),
            actor,
        )

    def delete(self, event_id: str, version: int | None, *, actor: Actor) -> dict[str, Any]:
        """Delete a closed event that protects nothing; its generation is kept.

        Raises UnknownEvent, StaleVersion, EventConflict.
        """
        before = self._read(event_id)
        self._check_version(before, version)
        if self._directory.is_own(event_id):
            raise EventConflict("the event of the deployment cannot be deleted")
        if phase_of(before.document, self._clock()) is not Phase.CLOSED:
            raise EventConflict("close the event first: only a closed event can be deleted")
        if is_gated(before.document):
            raise EventConflict(
                "remove the rules of protect first: otherwise the delete would open the site"
            )
        audit = audit_entry(self._clock(), actor, "delete", without_defaults(before.document), {})
        generation = self._leftovers.generation(event_id)
        try:
            self._store.delete(before, audit)
        except Conflict:
            raise self._stale(self._read(event_id)) from None
        self._leftovers.remove(event_id, generation)
        self._directory.changed(event_id, None)
        self._record(event_id, before.version, audit, actor)
        return {"event_id": event_id, "phase": "deleted"}

    def _change(
        self, event_id: str, version: int | None, what: str, change: Change, actor: Actor
    ) -> dict[str, Any]:
        for attempt in retry_on_conflict(self._clock):
            before = self._read(event_id)
            self._check_version(before, version)
            document = change(before)
            with attempt:
                return self._write(before, document, what, actor)
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt

    def _create(self, event_id: str, document: dict[str, Any], actor: Actor) -> dict[str, Any]:
        """Write the first version. An id that was used before begins its next generation."""
        if self._was_used(event_id):
            self._control.reset(event_id, actor=actor, deleted=True)
        after, entry = StoredEvent(event_id, 1, document), entry_of(1, document)
        audit = audit_entry(self._clock(), actor, "create", {}, without_defaults(document))
        gates = self._check_gates(event_id, {}, document)
        with self._shutting.around(event_id, None, document):
            self._store.write(None, after, entry, audit, gates)
        return self._written(after, entry, audit, actor)

    def _was_used(self, event_id: str) -> bool:
        """Return whether a deleted event had this id; its joins may still be in the join queue."""
        if self._directory.is_own(event_id):
            return False
        return self._store.was_used(event_id) or self._log.read(event_id) != EventState(event_id)

    def _write(
        self, before: StoredEvent, document: dict[str, Any], what: str, actor: Actor
    ) -> dict[str, Any]:
        """Write the next version; a document without a change writes nothing."""
        if document == before.document:
            return before.response(self._clock())
        after = StoredEvent(before.event_id, before.version + 1, document)
        known = self._directory.current(before.event_id, before.version)
        entry = entry_of(after.version, document, known, self._clock())
        audit = audit_entry(self._clock(), actor, what, *changed_members(before.document, document))
        gates = self._check_gates(before.event_id, before.document, document)
        with self._shutting.around(after.event_id, before.document, document):
            self._store.write(before, after, entry, audit, gates)
        return self._written(after, entry, audit, actor)

    def _check_gates(
        self, event_id: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> int | None:
        """Check changed rules beside those of all other events; raises EventConflict.

        Return the version of the rules of all events for which this holds; None without a check.
        """
        if not is_gated(after) or all(before.get(one) == after[one] for one in RULES):
            return None
        version = self._store.gates()
        others = [
            one for one, entry in self._directory.refresh().items()
            if entry.gated and one != event_id
        ]  # fmt: skip
        found = {event_id: after}
        for start in range(0, len(others), PAGE):
            for stored in self._store.read_many(others[start : start + PAGE]):
                found[stored.event_id] = stored.document
        check_shared(event_id, found)
        return version

    def _written(
        self, after: StoredEvent, entry: RegistryEntry, audit: AuditEntry, actor: Actor
    ) -> dict[str, Any]:
        self._directory.changed(after.event_id, entry)
        self._record(after.event_id, after.version, audit, actor)
        return after.response(self._clock())

    def _record(self, event_id: str, version: int, audit: AuditEntry, actor: Actor) -> None:
        before, after = dict(audit.before), dict(audit.after)
        change_log.record(event_id, audit.what, actor, before, after)
        self._publisher.event_changed(event_id, version, audit.what, actor.who)

    def _check_id(self, event_id: str) -> None:
        """Raise InvalidInput for an id that no event can have."""
        if not self._directory.is_own(event_id):
            check_event_id(event_id)

    def _read(self, event_id: str) -> StoredEvent:
        self._check_id(event_id)
        stored = self._store.read(event_id)
        if stored is None:
            raise UnknownEvent
        return stored

    def _check_version(self, before: StoredEvent | None, version: int | None) -> None:
        if before is not None and version is not None and version != before.version:
            raise self._stale(before)

    def _stale(self, current: StoredEvent, message: str = "") -> StaleVersion:
        return StaleVersion(current.response(self._clock()), message)
