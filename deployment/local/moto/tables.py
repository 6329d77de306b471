# SPDX-License-Identifier: Apache-2.0
"""DynamoDB of moto with fast queries and working TTL.

moto 5.2 scans the whole table for each query and never deletes items past their TTL. Here each
table and index keeps its items by partition, sorted by the sort key. Queries of a form that the
room does not use still run in moto. Results equal those of moto, but items are not copied: a
request holds ``fixes.LOCK`` until its response is written.
"""

from __future__ import annotations

import copy
import json
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from deployment.local.moto import fixes
from deployment.local.moto.key_conditions import key_range, range_after, with_next
from deployment.local.moto.ordered_rows import Rows, ttl_attribute

TTL_DELAY = 30  # s; DynamoDB also deletes late
TTL_OLDEST = 5 * 365 * 86_400  # s; DynamoDB does not delete items that expired longer ago
TTL_STEP = 100  # items of a table that one request deletes
# The identity in stream records of a deletion by TTL.
SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
PLAIN = ("S", "N", "SS", "NS", "BOOL")  # types with the same form in storage and in a response
_moto_query = Table.query
_moto_response = DynamoResult.execute_result


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(Table, "sorted", False):
        return
    Table.sorted = True
    Table.query = query
    put, delete, update = Table.put_item, Table.delete_item, DynamoDBBackend.update_item

    def put_item(self: Table, *args: Any, **kwargs: Any) -> Item:
        row = put(self, *args, **kwargs)
        if kept := _kept(self):
            kept.put(row)
        return row

    def delete_item(self: Table, *args: Any, **kwargs: Any) -> Item | None:
        row = delete(self, *args, **kwargs)
        if row is not None and (kept := _kept(self)):
            kept.drop(row)
        return row

    def update_item(self: DynamoDBBackend, table_name: str, key: Any, *a: Any, **k: Any) -> Item:
        """Update the orders too: moto changes the item even if it then raises."""
        try:
            return update(self, table_name, key, *a, **k)
        finally:
            keep_again(self, table_name, key)

    Table.put_item, Table.delete_item = put_item, delete_item
    DynamoDBBackend.update_item = update_item
    DynamoResult.execute_result = response
    _expire_at_each_request()


def rows_of(table: Table) -> Rows:
    """Return the orders of a table, built from its items at first use."""
    kept = _kept(table)
    if (
        kept is None
        or kept.ttl != ttl_attribute(table)
        or set(kept.orders) - {""} != _indexes(table)
    ):
        kept = table.rows_in_order = Rows(table)
    return kept


def query(
    self: Table,
    hash_key: DynamoType | None,
    range_comparison: str | None,
    range_objs: list[DynamoType],
    limit: int | None,
    exclusive_start_key: Mapping[str, Any] | None,
    scan_index_forward: bool,
    projection_expressions: list[list[str]] | None,
    index_name: str | None = None,
    consistent_read: bool = False,
    filter_expression: Any = None,
    **more: Any,
) -> tuple[list[Item], int, dict[str, Any] | None]:
    """Replace ``Table.query``: return items, scanned count and last evaluated key."""
    kept = rows_of(self)
    names = kept.names.get(index_name or "")
    filters = set(more) - {"hash_key_conditions", "range_key_conditions"}
    window = None
    if names and hash_key and not filters and not (index_name and consistent_read):
        partition = kept.orders[index_name or ""].partition(hash_key.cast_value)
        window = key_range(partition, names, hash_key, range_comparison, range_objs)
        window = range_after(window, partition, names, exclusive_start_key, scan_index_forward)
    if window is None:
        answer: tuple[list[Item], int, dict[str, Any] | None] = _moto_query(
            self, hash_key, range_comparison, range_objs, limit, exclusive_start_key,
            scan_index_forward, projection_expressions, index_name, consistent_read,
            filter_expression, **more,
        )  # fmt: skip
        return answer
    found: list[Item] = []
    size, last = 0, None
    for row, wanted in with_next(partition, window, scan_index_forward):
        size += row.size()
        if len(found) == limit or size > RESULT_SIZE_LIMIT:
            last = self._get_last_evaluated_key(found[-1], index_name)
            break
        if wanted:
            found.append(row)
    looked_at = len(found)
    if index_name:
        found = _projected(self, index_name, found)
    if filter_expression is not None:
        found = [row for row in found if filter_expression.expr(row)]
    if projection_expressions:
        found = _picked(found, projection_expressions)
    return found, looked_at, last


def response(self: DynamoResult, context: Any) -> Any:
    """Return status, headers and body. moto serializes each value by its model, which is slow.

    Items with plain values only are inserted into a body that moto serialized without items.
    """
    result = self.result
    rows = result.get("Items") if isinstance(result, dict) else None
    if not rows or any(
        kind not in PLAIN for row in rows for value in row.values() for kind in value
    ):
        return _moto_response(self, context)
    status, headers, body = ActionResult({**result, "Items": []}).execute_result(context)
    return status, headers, json.dumps({**json.loads(body), "Items": rows})


def expire(table: Table, now: float, most: int = TTL_STEP) -> int:
    """Delete items past their TTL, the oldest first; return their number."""
    if not ttl_attribute(table):
        return 0
    expiring = rows_of(table).by_ttl.partition()
    first = bisect_left(expiring.keys, (Decimal(int(now) - TTL_OLDEST),))
    last = bisect_left(expiring.keys, (Decimal(int(now) - TTL_DELAY),))
    due = expiring.rows[first : min(last, first + most)]
    for row in due:
        table.delete_item(row.hash_key, row.range_key)
        if table.stream_shard is not None:
            table.stream_shard.items[-1].record["userIdentity"] = SERVICE
    return len(due)


def _expire_at_each_request() -> None:
    call = DynamoHandler.call_action

    def call_action(self: Any) -> Any:
        with fixes.LOCK:
            now = time.time()
            for regions in list(dynamodb_backends.values()):
                for backend in list(regions.values()):
                    for table in list(backend.tables.values()):
                        expire(table, now)
            return call(self)

    DynamoHandler.call_action = call_action


def _kept(table: Table) -> Rows | None:
    kept: Rows | None = getattr(table, "rows_in_order", None)
    return kept


def keep_again(backend: DynamoDBBackend, name: str, key: Mapping[str, Any]) -> None:
    """Put an item that was changed in place into the orders of its table."""
    for table in list(backend.tables.values()):
        kept = _kept(table)
        if kept and name in (table.name, table.table_arn) and set(key) == {*table.table_key_attrs}:
            row = table.get_item(*(DynamoType(key[part]) for part in table.table_key_attrs))
            if row is not None:
                kept.put(row)


def _indexes(table: Table) -> set[str]:
    return {
        index.name
        for index in table.global_indexes
        if len(index.schema) == 2 and index.schema[0]["KeyType"] == "HASH"
    }


def _projected(table: Table, index_name: str, rows: list[Item]) -> list[Item]:
    """Return the projected attributes of items in an index."""
    index = table.get_index(index_name)
    kind = (index.projection or {}).get("ProjectionType")
    if kind not in ("KEYS_ONLY", "INCLUDE"):
        return rows
    more = index.projection.get("NonKeyAttributes", []) if kind == "INCLUDE" else []
    names = [*table.table_key_attrs, *index.schema_key_attrs, *more]
    return _picked(rows, [[name] for name in names])


def _picked(rows: list[Item], paths: list[list[str]]) -> list[Item]:
    """Return items with the requested attributes only."""
    if any(len(path) > 1 for path in paths):
        return [row.project(paths) for row in rows]
    names = [path[0] for path in paths]
    return [_with_attributes(row, names) for row in rows]


def _with_attributes(row: Item, names: Sequence[str]) -> Item:
    picked = copy.copy(row)
    picked.attrs = LimitedSizeDict.__new__(LimitedSizeDict)
    for name in names:
        if name in row.attrs:
            dict.__setitem__(picked.attrs, name, row.attrs[name])
    return picked
