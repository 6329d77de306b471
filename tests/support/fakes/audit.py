# SPDX-License-Identifier: Apache-2.0
"""The ports of the audit log and the history in memory."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.support.fakes.events import MemoryEvents
from tests.support.fakes.serving_log import MemoryServingLog
from waiting_room.domain.events.audit import AuditEntry, LoggedEntry, LoggedMove, key_at
from waiting_room.domain.events.history import MinuteTotals


class MemoryAuditLog:
    """The AuditLog port in memory; changes and moves are those of the other stores."""

    def __init__(self, events: MemoryEvents, log: MemoryServingLog) -> None:
        self._events, self._log = events, log
        self._operations: dict[str, list[AuditEntry]] = defaultdict(list)

    def append(self, event_id: str, entry: AuditEntry) -> None:
        """Store an operation, as JSON keeps it."""
        values: dict[str, Any] = json.loads(json.dumps(entry.response()))
        self._operations[event_id].append(AuditEntry(**{**values, "at": entry.at}))

    def changes(self, event_id: str, before: str, limit: int) -> list[LoggedEntry]:
        """Return changes of the document."""
        return _page(self._events.audit.get(event_id, []), before, limit)

    def operations(self, event_id: str, before: str, limit: int) -> list[LoggedEntry]:
        """Return operations."""
        return _page(self._operations.get(event_id, []), before, limit)

    def moves(self, event_id: str, generation: int, version: int, limit: int) -> list[LoggedMove]:
        """Return moves of all generations."""
        found = [
            LoggedMove(of, move)
            for of, move in self._log.all_moves(event_id)
            if not version or (of, move.version) < (generation, version)
        ]
        found.sort(key=lambda one: (one.generation, one.move.version), reverse=True)
        return found[:limit]


def _page(entries: list[AuditEntry], before: str, limit: int) -> list[LoggedEntry]:
    keyed = [
        LoggedEntry(key_at(entry.at, f"{index:08x}"), entry) for index, entry in enumerate(entries)
    ]
    found = [one for one in keyed if one.key < before]
    return sorted(found, key=lambda one: one.key, reverse=True)[:limit]


class MemoryHistory:
    """The History port in memory."""

    def __init__(self) -> None:
        self.minutes: dict[str, dict[int, MinuteTotals]] = defaultdict(dict)

    def put(self, event_id: str, totals: MinuteTotals) -> None:
        """Store a minute."""
        self.minutes[event_id][totals.at] = totals

    def between(self, event_id: str, first: int, last: int) -> list[MinuteTotals]:
        """Return minutes, and the one before them."""
        stored = self.minutes.get(event_id, {})
        earlier = sorted(at for at in stored if at < first)[-1:]
        within = sorted(at for at in stored if first <= at <= last)
        return [stored[at] for at in (*earlier, *within)]
