# SPDX-License-Identifier: Apache-2.0
"""moto's DynamoDB in its process: queries that read only the rows they return, rows that expire.

moto 5.2 looks at every row of a table for each query and never deletes a row past its TTL. Here
each table and index keeps its rows by partition, in the order of their sort keys. What a query of
another form than the room's needs is still moto's. The answers are moto's, but for the copies that
it makes of each row: a request holds ``fixes.LOCK`` until its response is written.
"""

from __future__ import annotations

import copy
import json
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from deployment.local.moto import fixes

TTL_DELAY = 30  # s that a row stays past its time: AWS deletes late, and code must not rely on it
TTL_OLDEST = 5 * 365 * 86_400  # s; AWS leaves rows whose time is longer past than that
TTL_STEP = 100  # rows of a table that one request deletes
SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}  # who deletes by TTL
Key = tuple[Any, ...]
PLAIN = ("S", "N", "SS", "NS", "BOOL")  # types whose values are in a response as they are kept
_moto_query = Table.query
_moto_response = DynamoResult.execute_result


@dataclass
class Partition:
    """Rows in the order of their keys."""

    keys: list[Key] = field(default_factory=list)
    rows: list[Item] = field(default_factory=list)


class Order:
    """The rows that have certain attributes: apart by the first of them, sorted by the others.

    ``names`` are attributes with their types, ``by`` how many of them make the partition. A row
    with another type in one of them is not in here, as AWS keeps none in an index.
    """

    def __init__(self, names: Sequence[tuple[str, str]], by: int = 1) -> None:
        self._names, self._by = names, by
        self._partitions: dict[Key, Partition] = {}
        self._places: dict[Key, Key] = {}

    def put(self, row_id: Key, row: Item) -> None:
        """Keep a row where its attributes say; what stood for it goes."""
        key = self._key(row)
        if self._places.get(row_id) != key:
            self.drop(row_id)
        if key is None:
            return
        partition = self._partitions.setdefault(key[: self._by], Partition())
        index = bisect_left(partition.keys, key[self._by :])
        if row_id in self._places:
            partition.rows[index] = row
            return
        self._places[row_id] = key
        partition.keys.insert(index, key[self._by :])
        partition.rows.insert(index, row)

    def drop(self, row_id: Key) -> None:
        """Forget a row."""
        key = self._places.pop(row_id, None)
        if key is None:
            return
        partition = self._partitions[key[: self._by]]
        index = bisect_left(partition.keys, key[self._by :])
        del partition.keys[index], partition.rows[index]
        if not partition.keys:
            del self._partitions[key[: self._by]]

    def partition(self, *key: Any) -> Partition:
        """The rows of a partition."""
        return self._partitions.get(key) or Partition()

    def _key(self, row: Item) -> Key | None:
        key = []
        for name, kind in self._names:
            value = row.attrs.get(name)
            if value is None or value.type != kind:
                return None
            key.append(value.cast_value)
        return tuple(key)


class Rows:
    """The orders of a table: of itself (``""``), of each index that the room's form has, of TTL."""

    def __init__(self, table: Table) -> None:
        kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
        own = [(name, kinds[name]) for name in table.table_key_attrs]
        self.orders = {"": Order(own)}
        self.names = {"": own}
        for index in table.global_indexes:
            names = [(name, kinds[name]) for name in index.schema_key_attrs]
            if len(names) == 2 and index.schema[0]["KeyType"] == "HASH":
                self.names[index.name] = [*names, *own]
                self.orders[index.name] = Order(self.names[index.name])
        self.ttl = _ttl(table)
        self.leaving = Order([(self.ttl, "N"), *own], by=0)
        self._all = [*self.orders.values(), *([self.leaving] if self.ttl else [])]
        for row in table.all_items():
            self.put(row)

    def put(self, row: Item) -> None:
        """Keep a row in every order."""
        row_id = _row_id(row)
        for order in self._all:
            order.put(row_id, row)

    def drop(self, row: Item) -> None:
        """Forget a row."""
        row_id = _row_id(row)
        for order in self._all:
            order.drop(row_id)


def apply() -> None:
    """Correct moto in this process; a second call changes nothing."""
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
        """moto changes the row where it stands, also when it then refuses."""
        try:
            return update(self, table_name, key, *a, **k)
        finally:
            _keep_again(self, table_name, key)

    Table.put_item, Table.delete_item = put_item, delete_item
    DynamoDBBackend.update_item = update_item
    DynamoResult.execute_result = response
    _expire_at_each_request()


def rows_of(table: Table) -> Rows:
    """The orders of a table; made from its rows at first use."""
    kept = _kept(table)
    if kept is None or kept.ttl != _ttl(table) or set(kept.orders) - {""} != _indexes(table):
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
    """``Table.query`` of moto: the rows, how many were looked at, where the next page begins."""
    kept = rows_of(self)
    names = kept.names.get(index_name or "")
    filters = set(more) - {"hash_key_conditions", "range_key_conditions"}
    window = None
    if names and hash_key and not filters and not (index_name and consistent_read):
        partition = kept.orders[index_name or ""].partition(hash_key.cast_value)
        window = _window(partition, names, hash_key, range_comparison, range_objs)
        window = _after(window, partition, names, exclusive_start_key, scan_index_forward)
    if window is None:
        answer: tuple[list[Item], int, dict[str, Any] | None] = _moto_query(
            self, hash_key, range_comparison, range_objs, limit, exclusive_start_key,
            scan_index_forward, projection_expressions, index_name, consistent_read,
            filter_expression, **more,
        )  # fmt: skip
        return answer
    found: list[Item] = []
    size, last = 0, None
    for row, wanted in _with_next(partition, window, scan_index_forward):
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
    """Status, headers, body: moto's, which looks up each member of each value in its model.

    Rows of plain values are put into the body of the response without rows.
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
    """Delete rows past their TTL, the oldest first; answers how many."""
    if not _ttl(table):
        return 0
    leaving = rows_of(table).leaving.partition()
    first = bisect_left(leaving.keys, (Decimal(int(now) - TTL_OLDEST),))
    last = bisect_left(leaving.keys, (Decimal(int(now) - TTL_DELAY),))
    due = leaving.rows[first : min(last, first + most)]
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


def _keep_again(backend: DynamoDBBackend, name: str, key: Mapping[str, Any]) -> None:
    for table in list(backend.tables.values()):
        kept = _kept(table)
        if kept and name in (table.name, table.table_arn) and set(key) == {*table.table_key_attrs}:
            row = table.get_item(*(DynamoType(key[part]) for part in table.table_key_attrs))
            if row is not None:
                kept.put(row)


def _ttl(table: Table) -> str:
    on = table.ttl.get("TimeToLiveStatus") == "ENABLED"
    return str(table.ttl["AttributeName"]) if on else ""


def _indexes(table: Table) -> set[str]:
    return {
        index.name
        for index in table.global_indexes
        if len(index.schema) == 2 and index.schema[0]["KeyType"] == "HASH"
    }


def _row_id(row: Item) -> Key:
    parts = (row.hash_key, row.range_key)
    return tuple(part.cast_value for part in parts if part is not None)


def _window(
    partition: Partition,
    names: Sequence[tuple[str, str]],
    hash_key: DynamoType,
    comparison: str | None,
    values: Sequence[DynamoType],
) -> tuple[int, int] | None:
    """Where the rows of a key condition begin and end; None for one that is left to moto."""
    kinds = {value.type for value in values}
    if hash_key.type != names[0][1] or (values and (len(names) < 2 or kinds != {names[1][1]})):
        return None
    keys = partition.keys
    if comparison is None:
        return 0, len(keys)
    wanted = [value.cast_value for value in values]
    within = _COMPARISONS.get(comparison.upper())
    return within(keys, *wanted) if within else None


def _from(keys: Sequence[Key], value: Any) -> int:
    return bisect_left(keys, value, key=_sort_value)


def _past(keys: Sequence[Key], value: Any) -> int:
    return bisect_right(keys, value, key=_sort_value)


def _sort_value(key: Key) -> Any:
    return key[0]


def _beginning(keys: Sequence[Key], value: Any) -> tuple[int, int]:
    first = last = _from(keys, value)
    while last < len(keys) and str(keys[last][0]).startswith(value):
        last += 1
    return first, last


_COMPARISONS: dict[str, Callable[..., tuple[int, int]]] = {
    "=": lambda keys, value: (_from(keys, value), _past(keys, value)),
    "<": lambda keys, value: (0, _from(keys, value)),
    "<=": lambda keys, value: (0, _past(keys, value)),
    ">": lambda keys, value: (_past(keys, value), len(keys)),
    ">=": lambda keys, value: (_from(keys, value), len(keys)),
    "BETWEEN": lambda keys, low, high: (_from(keys, low), _past(keys, high)),
    "BEGINS_WITH": _beginning,
}


def _after(
    window: tuple[int, int] | None,
    partition: Partition,
    names: Sequence[tuple[str, str]],
    start: Mapping[str, Any] | None,
    forward: bool,
) -> tuple[int, int] | None:
    """What of a window comes after the row that a page ended with; None: left to moto."""
    if window is None or start is None:
        return window
    if {(name, next(iter(value))) for name, value in start.items()} != set(names):
        return None
    key = tuple(DynamoType(start[name]).cast_value for name, _ in names[1:])
    first, last = window
    if forward:
        return max(first, bisect_right(partition.keys, key)), last
    return first, min(last, bisect_left(partition.keys, key))


def _with_next(
    partition: Partition, window: tuple[int, int], forward: bool
) -> Iterator[tuple[Item, bool]]:
    """The rows of a window, and the one of the partition that follows: a page may end before it."""
    first, last = window
    rows = partition.rows
    for index in range(first, last) if forward else range(last - 1, first - 1, -1):
        yield rows[index], True
    following = max(first, last) if forward else min(first, last) - 1
    if 0 <= following < len(rows):
        yield rows[following], False


def _projected(table: Table, index_name: str, rows: list[Item]) -> list[Item]:
    """What an index holds of rows."""
    index = table.get_index(index_name)
    kind = (index.projection or {}).get("ProjectionType")
    if kind not in ("KEYS_ONLY", "INCLUDE"):
        return rows
    more = index.projection.get("NonKeyAttributes", []) if kind == "INCLUDE" else []
    names = [*table.table_key_attrs, *index.schema_key_attrs, *more]
    return _picked(rows, [[name] for name in names])


def _picked(rows: list[Item], paths: list[list[str]]) -> list[Item]:
    """The attributes of rows that are asked for."""
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
