# SPDX-License-Identifier: Apache-2.0
"""Audit log in DynamoDB.

Changes of documents are items of the Events table, written with the document. Operations and moves
of the serving counter are rows of the serving log. An operation has the key of a change,
``audit#…``, so both are read alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.audit_items import entry_of_item, new_entry
from waiting_room.adapters.dynamodb.items import Item, number, query_all, text, to_item
from waiting_room.adapters.dynamodb.packed_moves import MOST, moves_of_row
from waiting_room.adapters.dynamodb.serving_log import STATE
from waiting_room.domain.events.audit import AuditEntry, LoggedEntry, LoggedMove

WHAT = "the audit log"
FIRST = "audit#"
MOVES_A_ROW = 8  # at least, if the names of actors have a usual length


class DynamoAuditLog:
    """The AuditLog port on DynamoDB."""

    def __init__(self, client: Any, events_table: str, serving_log_table: str) -> None:
        self._client, self._events, self._log = client, events_table, serving_log_table

    def append(self, event_id: str, entry: AuditEntry) -> None:
        """Store an operation; an update, because the functions that write it may update rows."""
        key, values = new_entry(entry)
        with translate_errors(WHAT):
            self._client.update_item(
                TableName=self._log,
                Key=to_item({"event_id": event_id, "entry": key}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            )

    def changes(self, event_id: str, before: str, limit: int) -> list[LoggedEntry]:
        """Return changes of the document."""
        return self._entries(self._events, "item", event_id, before, limit)

    def operations(self, event_id: str, before: str, limit: int) -> list[LoggedEntry]:
        """Return operations."""
        return self._entries(self._log, "entry", event_id, before, limit)

    def moves(self, event_id: str, generation: int, version: int, limit: int) -> list[LoggedMove]:
        """Return moves; the state row has the latest ones."""
        found: dict[tuple[int, int], LoggedMove] = {}  # blocks of two writers may overlap
        for one in self._all_moves(event_id, generation, version, limit):
            key = one.generation, one.move.version
            if not version or key < (generation, version):
                found[key] = one
                if len(found) == limit:
                    break
        return list(found.values())

    def _all_moves(
        self, event_id: str, generation: int, version: int, limit: int
    ) -> Iterator[LoggedMove]:
        """Yield the moves of the state row and of the blocks that may be before a move."""
        with translate_errors(WHAT):
            state = self._client.get_item(
                TableName=self._log,
                Key=to_item({"event_id": event_id, "entry": STATE}),
                ConsistentRead=True,
            ).get("Item", {})
        current = number(state, "generation")
        if not version:
            generation, version = current, number(state, "version") + 1
        yield from merge(
            (LoggedMove(current, move) for move in reversed(moves_of_row(state))),
            self._blocks(event_id, generation, version, limit),
            key=lambda one: (-one.generation, -one.move.version),
        )

    def _blocks(
        self, event_id: str, generation: int, version: int, limit: int
    ) -> Iterator[LoggedMove]:
        """Yield the moves of the blocks that may contain one before ``version``."""
        last = f"move#{generation:010d}#{version + MOST:012d}"  # the block may end after the move
        rows = limit // MOVES_A_ROW + 1
        for key, item in self._items_before(self._log, "entry", event_id, "move#", last, rows):
            for move in reversed(moves_of_row(item)):
                yield LoggedMove(int(key.split("#")[1]), move)

    def _entries(
        self, table: str, sort_key: str, event_id: str, before: str, limit: int
    ) -> list[LoggedEntry]:
        return [
            LoggedEntry(key, entry_of_item(item))
            for key, item in islice(
                self._items_before(table, sort_key, event_id, FIRST, before, limit), limit
            )
        ]

    def _items_before(
        self, table: str, sort_key: str, event_id: str, first: str, before: str, limit: int
    ) -> Iterator[tuple[str, Item]]:
        """Yield items with their sort key, from ``first`` to below ``before``, latest first."""
        items = query_all(
            self._client,
            WHAT,
            TableName=table,
            KeyConditionExpression="#event = :event AND #key BETWEEN :first AND :before",
            ExpressionAttributeNames={"#event": "event_id", "#key": sort_key},
            ExpressionAttributeValues=to_item(
                {":event": event_id, ":first": first, ":before": before}
            ),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=limit + 1,
        )
        for item in items:
            key = text(item, sort_key)
            if key < before:
                yield key, item
