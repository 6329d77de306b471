# SPDX-License-Identifier: Apache-2.0
"""History of an event: items ``minute#…`` of the Events table.

The counts of a minute are one text, so that an item is small: its size decides what a read costs.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import Item, query_all, text, to_item
from waiting_room.domain.events.history import HISTORY_LIFE, MinuteTotals

WHAT = "the history of an event"


class DynamoHistory:
    """The History port on DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def put(self, event_id: str, totals: MinuteTotals) -> None:
        """Store a minute."""
        with translate_errors(WHAT):
            self._client.put_item(TableName=self._table, Item=minute_item(event_id, totals))

    def between(self, event_id: str, first: int, last: int) -> list[MinuteTotals]:
        """Return minutes, by eventually consistent reads."""
        earlier = self._query(event_id, 0, first - 1, ScanIndexForward=False, Limit=1)
        return [*earlier[:1], *self._query(event_id, first, last)]

    def _query(self, event_id: str, first: int, last: int, **options: Any) -> list[MinuteTotals]:
        if last < first:
            return []
        request = {
            "TableName": self._table,
            "KeyConditionExpression": "event_id = :event AND #item BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#item": "item"},
            "ExpressionAttributeValues": to_item(
                {":event": event_id, ":first": _key(first), ":last": _key(last)}
            ),
            **options,
        }
        if "Limit" in options:
            with translate_errors(WHAT):
                return [_totals(item) for item in self._client.query(**request)["Items"]]
        return [_totals(item) for item in query_all(self._client, WHAT, **request)]


def minute_item(event_id: str, totals: MinuteTotals) -> Item:
    """Return the item of a minute."""
    return to_item(
        {
            "event_id": event_id,
            "item": _key(totals.at),
            "counts": json.dumps(astuple(totals)[1:], separators=(",", ":")),
            "ttl": totals.at + HISTORY_LIFE,
        }
    )


def _key(at: int) -> str:
    return f"minute#{at:012d}"


def _totals(item: Item) -> MinuteTotals:
    return MinuteTotals(int(text(item, "item")[7:]), *json.loads(text(item, "counts")))
