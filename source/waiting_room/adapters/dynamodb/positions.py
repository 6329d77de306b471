# SPDX-License-Identifier: Apache-2.0
"""Positions in DynamoDB: by request id, and by position through an index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import (
    ROUNDS,
    Item,
    count_positions,
    insert_if_absent,
    number,
    pause_before,
    query_positions,
    shard_of,
    text,
    to_item,
)
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.domain.records import Position

INDEX = "ByPosition"
READ_BATCH = 100  # keys of one BatchGetItem, DynamoDB's limit
WHAT = "the positions table"


class DynamoPositions:
    """The Positions port on DynamoDB."""

    def __init__(self, client: Any, table: str, serving_log_table: str) -> None:
        self._client, self._table, self._log = client, table, serving_log_table

    def get(self, event_id: str, request_id: str) -> Position | None:
        """Return the row of a request; a consistent read."""
        with translate_errors(WHAT):
            response = self._client.get_item(
                TableName=self._table, Key=_key(event_id, request_id), ConsistentRead=True
            )
        return _position(response["Item"]) if "Item" in response else None

    def get_with_generation(
        self,
        event_id: str,
        request_id: str,
        *,
        known_generation: int | None,
        consistent: bool = False,
    ) -> tuple[int, Position | None]:
        """Return the generation and the row of a request, by one call."""
        key = _key(event_id, request_id)
        if known_generation is not None:
            with translate_errors(WHAT):
                response = self._client.get_item(
                    TableName=self._table, Key=key, ConsistentRead=consistent
                )
            return known_generation, _position(response["Item"]) if "Item" in response else None
        found = self._read(
            {
                self._table: {"Keys": [key], "ConsistentRead": consistent},
                self._log: {
                    "Keys": [to_item({"event_id": event_id, "entry": "state"})],
                    "ProjectionExpression": "generation",
                    "ConsistentRead": consistent,
                },
            }
        )
        states, rows = found.get(self._log, []), found.get(self._table, [])
        generation = number(states[0], "generation") if states else 1
        return generation, _position(rows[0]) if rows else None

    def get_many(self, event_id: str, request_ids: Sequence[str]) -> dict[str, Position]:
        """Return the rows of several requests; consistent reads."""
        rows: dict[str, Position] = {}
        ids = list(dict.fromkeys(request_ids))
        for start in range(0, len(ids), READ_BATCH):
            keys = [_key(event_id, request_id) for request_id in ids[start : start + READ_BATCH]]
            found = self._read({self._table: {"Keys": keys, "ConsistentRead": True}})
            for item in found.get(self._table, []):
                row = _position(item)
                rows[row.request_id] = row
        return rows

    def insert(self, rows: Sequence[Position]) -> dict[str, Position | None]:
        """Write rows whose request has none; return the current row of each request."""
        taken, failed = insert_if_absent(
            self._client, self._table, [_item(row) for row in rows], WHAT
        )
        current: dict[str, Position | None] = {row.request_id: row for row in rows}
        for index in failed:
            current[rows[index].request_id] = None
        if doubted := [rows[index].request_id for index in (*taken, *failed)]:
            # after a server error the row may exist: read it
            current.update(self.get_many(rows[0].event_id, doubted))
        return current

    def in_range(self, event_id: str, generation: int, first: int, last: int) -> Iterable[Position]:
        """Yield the rows of a range of positions, without their secrets; eventually consistent."""
        for item in query_positions(
            self._client,
            WHAT,
            f"{event_id}#{generation}",
            first,
            last,
            TableName=self._table,
            IndexName=INDEX,
        ):
            yield Position(
                event_id,
                generation,
                text(item, "id").rpartition("#")[2],
                number(item, "position"),
                number(item, "entry_time"),
            )

    def count(self, event_id: str, generation: int, first: int, last: int) -> int:
        """Count the rows of a range of positions."""
        queue = f"{event_id}#{generation}"
        return count_positions(
            self._client, WHAT, queue, first, last, TableName=self._table, IndexName=INDEX
        )

    def _read(self, request: dict[str, Any]) -> dict[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for attempt in range(ROUNDS):
            pause_before(attempt)
            with translate_errors(WHAT):
                response = self._client.batch_get_item(RequestItems=request)
            for table, items in response["Responses"].items():
                found.setdefault(table, []).extend(items)
            request = response.get("UnprocessedKeys") or {}
            if not request:
                return found
        raise Unavailable(f"{WHAT} is busy: unprocessed keys")


def _key(event_id: str, request_id: str) -> Item:
    return to_item({"id": f"{event_id}#{request_id}"})


def _item(row: Position) -> Item:
    """Return the item of a row; a row without a position is not in the index."""
    values: dict[str, Any] = {
        "id": f"{row.event_id}#{row.request_id}",
        "generation": row.generation,
        "position": row.position,
        "entry_time": row.entry_time,
        "ttl": row.entry_time + ROW_LIFE,
    }
    if row.position:
        values["shard"] = shard_of(row.event_id, row.generation, row.position)
    if row.client_secret_hash:
        values["client_secret_hash"] = row.client_secret_hash
    if row.refused:
        values["refused"] = row.refused
    return to_item(values)


def _position(item: Item) -> Position:
    event_id, _, request_id = text(item, "id").rpartition("#")
    return Position(
        event_id,
        number(item, "generation"),
        request_id,
        number(item, "position"),
        number(item, "entry_time"),
        text(item, "client_secret_hash"),
        text(item, "refused"),
    )
