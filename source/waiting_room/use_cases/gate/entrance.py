# SPDX-License-Identifier: Apache-2.0
"""Entrance of the sites behind a gate: lead a visitor into the queue or straight through."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from waiting_room.domain.errors import UnknownEvent
from waiting_room.domain.events.document import StoredEvent, is_gated
from waiting_room.domain.limits import EVENT_ID

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.gate_keys import GateKeySource

DOCUMENT_CACHE = 1.0  # s for which a warm function uses its copy of a document
MAX_DOCUMENTS = 1_000  # documents that a function keeps
RETRY_AFTER = 10  # s after which a client that has to wait asks again


class Way(StrEnum):
    """Decision of the entrance."""

    GO = "go"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Entry:
    """The decision for visitors who arrive now; ``retry_after`` is in seconds."""

    way: Way
    retry_after: int = RETRY_AFTER


class GatedEvents:
    """Documents of the events that are behind a gate, at most DOCUMENT_CACHE seconds old."""

    def __init__(self, documents: EventDocuments, clock: Clock) -> None:
        self._documents, self._clock = documents, clock
        self._copies: dict[str, tuple[float, StoredEvent | None]] = {}

    def get(self, event_id: str) -> StoredEvent:
        """Return the document of an event; raises UnknownEvent unless it is behind a gate."""
        began = self._clock()
        read_at, found = self._copies.get(event_id, (0.0, None))
        if not 0 <= began - read_at < DOCUMENT_CACHE:
            found = self._documents.read(event_id) if EVENT_ID.fullmatch(event_id) else None
            if len(self._copies) >= MAX_DOCUMENTS:
                self._copies.clear()
            self._copies[event_id] = began, found
        if found is None or not is_gated(found.document):
            raise UnknownEvent("no event behind a gate has this id")
        return found


class Entrance:
    """The entrance. One instance serves all invocations of a warm function."""

    def __init__(self, events: GatedEvents, keys: GateKeySource, clock: Clock) -> None:
        self.events, self.keys, self.clock = events, keys, clock

    def enter(self, event_id: str) -> Entry:
        """Return the decision for visitors who arrive now; raises UnknownEvent."""
        self.events.get(event_id)
        return Entry(Way.WAIT)
