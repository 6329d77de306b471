# SPDX-License-Identifier: Apache-2.0
"""Events table in DynamoDB: documents, registry and audit log.

Items of an event have the event id as partition key: ``document``, and one ``audit#…`` per change.
The registry is one item with the map ``events``, from event id to the text of its entry. The item
``gates`` beside it counts the changes of the rules of all events.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.audit_items import new_entry
from waiting_room.adapters.dynamodb.items import Item, number, text, to_item
from waiting_room.domain.errors import Conflict, EventConflict, Unavailable
from waiting_room.domain.events.audit import AuditEntry
from waiting_room.domain.events.document import StoredEvent, complete
from waiting_room.domain.events.registry import Registry, RegistryEntry, encode
from waiting_room.domain.events.schema import MAX_EVENTS

WHAT = "the table of events"
REGISTRY = {"event_id": {"S": "#registry"}, "item": {"S": "registry"}}
GATES = {"event_id": {"S": "#registry"}, "item": {"S": "gates"}}
CANCELLED = "TransactionCanceledException"
FAILED = "ConditionalCheckFailed"
WRITES = ("document", "registry", "audit", "gates")  # requests of a transaction, in this order


class DynamoEvents:
    """The EventDocuments port on DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def registry(self, *, consistent: bool = False) -> Registry:
        """Return the registry; empty before the first event."""
        with translate_errors(WHAT):
            found = self._client.get_item(
                TableName=self._table, Key=REGISTRY, ConsistentRead=consistent
            )
        events = found.get("Item", {}).get("events", {"M": {}})["M"]
        return Registry({event_id: str(value["S"]) for event_id, value in events.items()})

    def read(self, event_id: str) -> StoredEvent | None:
        """Return a document by a consistent read."""
        with translate_errors(WHAT):
            found = self._client.get_item(
                TableName=self._table, Key=_key(event_id, "document"), ConsistentRead=True
            )
        return _stored(found["Item"]) if "Item" in found else None

    def read_many(self, event_ids: Sequence[str]) -> list[StoredEvent]:
        """Return the documents of at most 100 events."""
        if not event_ids:
            return []
        keys = [_key(event_id, "document") for event_id in event_ids]
        asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
        found: dict[str, StoredEvent] = {}
        while asked:
            with translate_errors(WHAT):
                response = self._client.batch_get_item(RequestItems=asked)
            for item in response["Responses"].get(self._table, ()):
                found[text(item, "event_id")] = _stored(item)
            asked = response.get("UnprocessedKeys")
        return [found[event_id] for event_id in event_ids if event_id in found]

    def write(
        self,
        before: StoredEvent | None,
        after: StoredEvent,
        entry: RegistryEntry,
        audit: AuditEntry,
        gates: int | None = None,
    ) -> None:
        """Write document, registry entry and audit entry in one transaction."""
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": {
                **_key(after.event_id, "document"),
                **to_item(
                    {
                        "version": after.version,
                        "document": json.dumps(after.document, ensure_ascii=False),
                    }
                ),
            },
            **_if_current(before),
        }
        change: dict[str, Any] = {
            "TableName": self._table,
            "Key": REGISTRY,
            "UpdateExpression": "SET events.#id = :entry",
            "ConditionExpression": "attribute_exists(events)",
            "ExpressionAttributeNames": {"#id": after.event_id},
            "ExpressionAttributeValues": {":entry": {"S": encode(entry)}},
        }
        if before is None:
            change["ConditionExpression"] += " AND size(events) < :most"
            change["ExpressionAttributeValues"][":most"] = {"N": str(MAX_EVENTS)}
        requests = [{"Put": put}, {"Update": change}, self._audit(after.event_id, audit)]
        if gates is not None:
            requests.append(self._next_gates(gates))
        for _ in range(2):
            failed = self._transact(requests)
            if not failed:
                return
            if failed & {"document", "gates"} or before is not None:
                raise Conflict
            if len(self.registry(consistent=True)) >= MAX_EVENTS:
                raise EventConflict(f"the deployment has {MAX_EVENTS} events, which is the limit")
            self._create_registry()
        raise Unavailable(f"{WHAT} has no registry")

    def gates(self) -> int:
        """Return the version of the rules of all events; 0 at first."""
        with translate_errors(WHAT):
            found = self._client.get_item(TableName=self._table, Key=GATES, ConsistentRead=True)
        return number(found["Item"], "version") if "Item" in found else 0

    def announce_gates(self) -> None:
        """Make the next version of the rules of all events."""
        with translate_errors(WHAT):
            self._client.update_item(
                TableName=self._table,
                Key=GATES,
                UpdateExpression="ADD #version :one",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    def delete(self, before: StoredEvent, audit: AuditEntry) -> None:
        """Delete document and registry entry, and write the audit entry, in one transaction."""
        gone = {
            "TableName": self._table,
            "Key": _key(before.event_id, "document"),
            **_if_current(before),
        }
        change = {
            "TableName": self._table,
            "Key": REGISTRY,
            "UpdateExpression": "REMOVE events.#id",
            "ExpressionAttributeNames": {"#id": before.event_id},
        }
        requests = [{"Delete": gone}, {"Update": change}, self._audit(before.event_id, audit)]
        if self._transact(requests):
            raise Conflict

    def was_used(self, event_id: str) -> bool:
        """Return whether the audit log has an entry of this event id."""
        with translate_errors(WHAT):
            found = self._client.query(
                TableName=self._table,
                KeyConditionExpression="event_id = :event AND begins_with(#item, :audit)",
                ExpressionAttributeNames={"#item": "item"},
                ExpressionAttributeValues={":event": {"S": event_id}, ":audit": {"S": "audit#"}},
                Limit=1,
                ConsistentRead=True,
            )
        return bool(found["Items"])

    def _audit(self, event_id: str, audit: AuditEntry) -> dict[str, Any]:
        """Return the request that writes an audit entry."""
        key, values = new_entry(audit)
        return {"Put": {"TableName": self._table, "Item": {**_key(event_id, key), **values}}}

    def _next_gates(self, gates: int) -> dict[str, Any]:
        """Return the request that makes the next version of the rules of all events."""
        item = {**GATES, "version": {"N": str(gates + 1)}}
        return {"Put": {"TableName": self._table, "Item": item, **_if_version(gates)}}

    def _transact(self, requests: list[dict[str, Any]]) -> set[str]:
        """Run a transaction; return the names of the writes whose condition failed."""
        with translate_errors(WHAT):
            try:
                self._client.transact_write_items(TransactItems=requests)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = [one.get("Code") for one in error.response["CancellationReasons"]]
                failed = {
                    name for name, code in zip(WRITES, reasons, strict=False) if code == FAILED
                }
                if failed:
                    return failed
                if "TransactionConflict" in reasons:
                    raise Conflict from None
                raise
        return set()

    def _create_registry(self) -> None:
        with translate_errors(WHAT):
            self._client.update_item(
                TableName=self._table,
                Key=REGISTRY,
                UpdateExpression="SET events = if_not_exists(events, :none)",
                ExpressionAttributeValues={":none": {"M": {}}},
            )


def _key(event_id: str, item: str) -> Item:
    return {"event_id": {"S": event_id}, "item": {"S": item}}


def _stored(item: Item) -> StoredEvent:
    document = complete(json.loads(text(item, "document")))
    return StoredEvent(text(item, "event_id"), number(item, "version"), document)


def _if_current(before: StoredEvent | None) -> dict[str, Any]:
    return _if_version(before.version if before else 0)


def _if_version(version: int) -> dict[str, Any]:
    """Return the condition that an item has this version; 0: that it does not exist."""
    if not version:
        return {"ConditionExpression": "attribute_not_exists(event_id)"}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }
