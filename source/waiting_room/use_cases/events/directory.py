# SPDX-License-Identifier: Apache-2.0
"""Directory of the events: a copy of the registry that a warm function keeps for seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from waiting_room.domain.errors import (
    JoinRefused,
    NoSuchEvent,
    NotAssignedYet,
    PhaseForbids,
    Unavailable,
    UnknownEvent,
)
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.events.registry import Registry
from waiting_room.domain.limits import NEW_EVENT_ID

if TYPE_CHECKING:
    from waiting_room.domain.events.document import StoredEvent
    from waiting_room.domain.events.registry import RegistryEntry
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.records import Counts
    from waiting_room.domain.room_settings import EventSettings, RoomSettings

REGISTRY_CACHE = 2.0  # s for which a warm function uses its copy of the registry
LAG = 1.0  # s for which an eventually consistent read can lack a change
UNREADABLE = 5.0  # s after a failed read for which ``/status`` uses the last copy
MAX_ASKERS = 1_000  # whose first call is remembered
LOOK_AGAIN = 1.0  # s between two reads that look for an event which the copy does not have


class EventDirectory:
    """The events of the deployment. One instance serves all invocations of a warm function."""

    def __init__(self, settings: RoomSettings, documents: EventDocuments, clock: Clock) -> None:
        self._settings, self._documents, self._clock = settings, documents, clock
        self._copy = Registry({})
        self._read_at = 0.0  # epoch s; 0 before the first read
        self._changed_at = 0.0  # epoch s; last change of this function
        self._looked_at = 0.0  # epoch s; last read because the copy did not have an event
        self._first_calls: dict[int, float] = {}  # epoch s, by hash of event and asker
        self._failed_at = 0.0  # epoch s; last read for ``/status`` that failed

    def all(self) -> Mapping[str, RegistryEntry]:
        """Return the registry; the copy is at most REGISTRY_CACHE seconds old."""
        now = self._clock()
        if not 0 <= now - self._read_at < REGISTRY_CACHE:
            self.refresh(consistent=0 <= now - self._changed_at < LAG)
        return self._copy

    def with_minute_work(self) -> list[str]:
        """Return the events that have work for the workers of each minute."""
        now = self._clock()
        active = {one for one, entry in self.all().items() if entry.has_minute_work(now)}
        return sorted(active | {self._settings.events[0].event_id})

    def refresh(self, *, consistent: bool = True) -> Mapping[str, RegistryEntry]:
        """Read the registry now."""
        began = self._clock()
        self._copy = self._documents.registry(consistent=consistent)
        self._read_at = began
        return self._copy

    def current(self, event_id: str, version: int) -> RegistryEntry | None:
        """Return the entry of a document of this version, from the copy if it has it."""
        entry = self.all().get(event_id)
        if entry is None or entry.version != version:
            entry = self.refresh().get(event_id)
        return entry

    def changed(self, event_id: str, entry: RegistryEntry | None) -> None:
        """Put a change of this function into the copy; None for a deleted event."""
        self._copy = self._copy.changed(event_id, entry)
        self._changed_at = self._clock()

    def find(self, event_id: str, *, asker: str = "") -> RegistryEntry | None:
        """Return the entry of an event; None for the event of the deployment before its set-up.

        Raises UnknownEvent for an event that does not exist. An event that the copy lacks is
        looked for in the table, at most once in LOOK_AGAIN seconds. In between, an ``asker`` (a
        request id) gets NotAssignedYet, unless the table was read since its first call.
        """
        own = self.is_own(event_id)
        if not own and not NEW_EVENT_ID.fullmatch(event_id):
            raise UnknownEvent
        entry = self.all().get(event_id)
        if entry is not None or own:
            return entry
        now = self._clock()
        if not 0 <= now - self._looked_at < LOOK_AGAIN:
            self._looked_at = now
            entry = self.refresh().get(event_id)
        elif asker and not self._was_read_since_first_call(event_id, asker):
            raise NotAssignedYet
        if entry is None:
            raise UnknownEvent
        return entry

    def shown(self, event_id: str) -> tuple[RegistryEntry | None, bool]:
        """Return the entry that ``/status`` shows, and whether it is known; it decides nothing.

        While the registry cannot be read, this is the entry of the last copy. The event of the
        deployment is unknown before the first copy. A read that failed is repeated after UNREADABLE
        seconds. Raises InvalidInput for an event that does not exist, Unavailable for another
        event before the first copy.
        """
        if not 0 <= self._clock() - self._failed_at < UNREADABLE:
            try:
                return self._found(event_id), True
            except Unavailable:
                self._failed_at = self._clock()
        entry = self._copy.get(event_id)
        if entry is None and not self.is_own(event_id):
            raise Unavailable("the events cannot be read")
        return entry, entry is not None

    def check(self, event_id: str) -> None:
        """Raise InvalidInput for an event that does not exist.

        For the event of the deployment this reads nothing.
        """
        if not self.is_own(event_id):
            self._found(event_id)

    def document(self, event_id: str) -> StoredEvent | None:
        """Return the document of an event; None for that of the deployment before its set-up.

        Raises NoSuchEvent. For the event of the deployment this does not read the registry.
        """
        self.check(event_id)
        stored = self._documents.read(event_id)
        if stored is None and not self.is_own(event_id):
            raise NoSuchEvent("event_id is not an event of this waiting room")
        return stored

    def event(self, event_id: str) -> EventSettings:
        """Return the settings of an event; raises InvalidInput for one that does not exist."""
        entry = self._found(event_id)
        own = self._settings.events[0]
        if entry is None:
            return own
        return entry.settings(event_id, self._clock(), minute_metrics=own.minute_metrics)

    def check_joined(self, event_id: str, request_id: str) -> None:
        """Check the event of a visitor's join; reads nothing for the event of the deployment.

        Raises InvalidInput for an invalid id, JoinRefused for an event that does not exist, and
        NotAssignedYet while this is not certain.
        """
        if self.is_own(event_id):
            return
        if not NEW_EVENT_ID.fullmatch(event_id):
            raise NoSuchEvent("event_id is not an event of this waiting room")
        try:
            self.find(event_id, asker=request_id)
        except UnknownEvent:
            raise JoinRefused("unknown_event") from None

    def check_not_closed(self, event_id: str) -> None:
        """Raise JoinRefused for a closed event, which issues no token."""
        entry = self._found(event_id)
        if entry is not None and entry.phase(self._clock()) is Phase.CLOSED:
            raise JoinRefused("closed")

    def check_serves(self, event_id: str) -> None:
        """Raise PhaseForbids in a phase that does not admit visitors.

        Raises InvalidInput for an event that does not exist.
        """
        entry = self._found(event_id)
        if entry is not None and not (phase := entry.phase(self._clock())).serves:
            raise PhaseForbids(phase)

    def visible(self, event_id: str, counts: Counts) -> Counts:
        """Return the counts for operators: behind a gate, sessions are the active visitors."""
        entry = self.all().get(event_id)
        return counts.at_gate() if entry and entry.gated else counts

    def is_own(self, event_id: str) -> bool:
        """Return whether this is the event of the deploy-time parameters."""
        return event_id == self._settings.events[0].event_id

    def _was_read_since_first_call(self, event_id: str, asker: str) -> bool:
        """Return whether the table was looked at after the first call of an asker.

        Otherwise this call is remembered. So an asker does not wait longer than two calls, however
        often others ask first.
        """
        key = hash((event_id, asker))
        if len(self._first_calls) >= MAX_ASKERS and key not in self._first_calls:
            self._first_calls.clear()
        return self._first_calls.setdefault(key, self._clock()) < self._looked_at

    def _found(self, event_id: str) -> RegistryEntry | None:
        try:
            return self.find(event_id)
        except UnknownEvent:
            raise NoSuchEvent("event_id is not an event of this waiting room") from None
