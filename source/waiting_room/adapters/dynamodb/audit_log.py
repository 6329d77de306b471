# SPDX-License-Identifier: Apache-2.0
"""Audit log in DynamoDB.

Changes of documents are items of the Events table, written with the document. Operations and moves
of the serving counter are rows of the serving log. An operation has the key of a change,
``audit#…``, so both are read alike.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.audit_items import entry_of_item, new_entry
from waiting_room.adapters.dynamodb.items import Item, number, query_all, text, to_item
from waiting_room.adapters.dynamodb.serving_log import STATE, move_of
from waiting_room.domain.events.audit import AuditEntry, LoggedEntry, LoggedMove

WHAT = "the audit log"
FIRST = "audit#"


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
        """Return moves; the state row has the latest one."""
        found: list[LoggedMove] = []
        if not version:
            with translate_errors(WHAT):
                state = self._client.get_item(
                    TableName=self._log,
                    Key=to_item({"event_id": event_id, "entry": STATE}),
                    ConsistentRead=True,
                ).get("Item", {})
            generation = number(state, "generation")
            version = number(state, "version") + 1
            if "move" in state:
                latest = move_of(text(state, "move"))
                version = latest.version
                found.append(LoggedMove(generation, latest))
        last = f"move#{generation:010d}#{version:012d}"
        for key, item in self._before(self._log, "entry", event_id, "move#", last, limit):
            found.append(LoggedMove(int(key.split("#")[1]), move_of(text(item, "move"))))
        return found[:limit]

    def _entries(
        self, table: str, sort_key: str, event_id: str, before: str, limit: int
    ) -> list[LoggedEntry]:
        return [
            LoggedEntry(key, entry_of_item(item))
            for key, item in self._before(table, sort_key, event_id, FIRST, before, limit)
        ]

    def _before(
        self, table: str, sort_key: str, event_id: str, first: str, before: str, limit: int
    ) -> list[tuple[str, Item]]:
        """Return items with their sort key, from ``first`` to below ``before``, latest first."""
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
        found = ((text(item, sort_key), item) for item in items)
        return list(islice(((key, item) for key, item in found if key < before), limit))
