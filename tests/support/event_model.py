# SPDX-License-Identifier: Apache-2.0
"""Model of an event for the state machine: its documents in time, and what follows from them.

The model keeps every document with the time at which it began to apply. The code under test keeps
the current one and a few earlier ones in the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.registry import MAX_PAST
from waiting_room.domain.records import Join, Position

Document = Mapping[str, Any]
NO_ROW, RESET, ASSIGNED = "no row", "reset", "assigned"
REFUSALS = {Phase.SCHEDULED: "not_open", Phase.DRAINING: "draining", Phase.CLOSED: "closed"}
ANY = frozenset(Phase)
ALLOWED = {  # the contract's table of actions
    "open": ANY,
    "pause": frozenset({Phase.OPEN}),
    "resume": frozenset({Phase.PAUSED}),
    "drain": frozenset({Phase.OPEN, Phase.PAUSED}),
    "close": ANY - {Phase.CLOSED},
    "pass_through": ANY - {Phase.CLOSED},
    "queue": ANY - {Phase.CLOSED},
}


def kind_of(row: Position | None) -> str:
    """Return what a join became: NO_ROW, RESET, ASSIGNED or the reason of a refusal."""
    if row is None:
        return NO_ROW
    return row.refused or (ASSIGNED if row.position else RESET)


def deciding(document: Document) -> tuple[Any, ...]:
    """Return the members that decide the phase."""
    return document["mode"], document["schedule"], document["control"]


@dataclass
class EventModel:
    """One event id. ``documents`` are those since the last creation, with their first moment."""

    event_id: str
    documents: list[tuple[float, Document]] = field(default_factory=list)
    version: int = 0
    generation: int = 1
    reset_at: float = 0.0
    was_used: bool = False
    deleted: tuple[float, list[tuple[float, Document]]] = (0.0, [])
    authors: list[tuple[str, str]] = field(default_factory=list)  # of documents: who and what
    operations: list[tuple[str, str]] = field(default_factory=list)  # others: who and what

    @property
    def exists(self) -> bool:
        """Return whether the event has a document."""
        return bool(self.documents)

    @property
    def document(self) -> Document:
        """Return the current document."""
        return self.documents[-1][1]

    def changed(self, document: Document, now: float, version: int) -> None:
        """Note a document that applies from ``now``."""
        self.documents.append((now, document))
        self.version = version

    def removed(self, now: float) -> None:
        """Note a delete."""
        self.deleted = now, self.documents
        self.documents, self.version, self.was_used = [], 0, True

    def phase(self, now: float) -> Phase | None:
        """Return the phase at ``now``; None for an event that does not exist."""
        return phase_of(self.document, now) if self.exists else None

    def phases(self, now: float, seconds: float) -> set[Phase]:
        """Return the phases at ``now`` by each document of the last ``seconds``."""
        found = {phase_of(one, now) for _, one in self._lately(self.documents, now - seconds)}
        at, documents = self.deleted
        if documents and at >= now - seconds:
            found |= {phase_of(one, now) for _, one in self._lately(documents, now - seconds)}
        return found

    def fates(self, join: Join, now: float, copy_age: float) -> set[str]:
        """Return what a join may become at ``now``, by a copy that is at most ``copy_age`` old.

        An old copy can accept a join. It cannot refuse one, as a worker reads the registry again
        before a refusal.
        """
        found = {self._fate(self.documents, join)}
        deleted_at, deleted = self.deleted
        for documents, end in ((self.documents, now + 1), (deleted, deleted_at)):
            ends = [*(at for at, _ in documents[1:]), end]  # of copies with the first documents
            for number, until in enumerate(ends, 1):
                if documents and now - copy_age <= until <= now:
                    found |= {self._fate(documents[:number], join)} & {ASSIGNED, RESET}
        return found

    def _fate(self, documents: list[tuple[float, Document]], join: Join) -> str:
        if not documents:
            return NO_ROW
        applied = self._applied(documents, join.sent_at)
        phase = phase_of(applied, join.sent_at)
        if phase in REFUSALS:
            return REFUSALS[phase]
        secret = documents[-1][1]["join"]["client_secret"]
        if secret == "required" and not join.client_secret_hash:
            return "client_secret"
        return RESET if join.sent_at <= self.reset_at else ASSIGNED

    @staticmethod
    def _applied(documents: list[tuple[float, Document]], sent_at: float) -> Document:
        """Return the document that applied to a join, among those that the registry keeps."""
        kept = [documents[0]]
        for at, document in documents[1:]:
            if deciding(document) == deciding(kept[-1][1]):
                kept[-1] = kept[-1][0], document
            else:
                kept.append((at, document))
        kept = kept[-MAX_PAST - 1 :]
        applied = kept[0][1]
        for at, document in kept:
            if at <= sent_at:
                applied = document
        return applied

    @staticmethod
    def _lately(
        documents: list[tuple[float, Document]], since: float
    ) -> list[tuple[float, Document]]:
        """Return the documents that applied at ``since`` or later."""
        first = max((n for n, (at, _) in enumerate(documents) if at < since), default=0)
        return documents[first:]
