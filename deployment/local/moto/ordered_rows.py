# SPDX-License-Identifier: Apache-2.0
"""Items of a moto table by partition, sorted by their sort keys."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

Key = tuple[Any, ...]


@dataclass
class Partition:
    """Items sorted by their keys."""

    keys: list[Key] = field(default_factory=list)
    rows: list[Item] = field(default_factory=list)


class Order:
    """The items that have certain attributes: partitioned by the first, sorted by the others.

    ``names`` are attributes with their types, the first ``by`` of which make the partition. An
    item with another type in one of them is left out, as from an index of DynamoDB.
    """

    def __init__(self, names: Sequence[tuple[str, str]], by: int = 1) -> None:
        self._names, self._by = names, by
        self._partitions: dict[Key, Partition] = {}
        self._keys: dict[Key, Key] = {}

    def put(self, row_id: Key, row: Item) -> None:
        """Add an item at the position of its key; replace its previous version."""
        key = self._key(row)
        if self._keys.get(row_id) != key:
            self.drop(row_id)
        if key is None:
            return
        partition = self._partitions.setdefault(key[: self._by], Partition())
        index = bisect_left(partition.keys, key[self._by :])
        if row_id in self._keys:
            partition.rows[index] = row
            return
        self._keys[row_id] = key
        partition.keys.insert(index, key[self._by :])
        partition.rows.insert(index, row)

    def drop(self, row_id: Key) -> None:
        """Remove an item."""
        key = self._keys.pop(row_id, None)
        if key is None:
            return
        partition = self._partitions[key[: self._by]]
        index = bisect_left(partition.keys, key[self._by :])
        del partition.keys[index], partition.rows[index]
        if not partition.keys:
            del self._partitions[key[: self._by]]

    def partition(self, *key: Any) -> Partition:
        """Return the items of a partition."""
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
    """The orders of a table: by its key (``""``), by each supported index, and by TTL."""

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
        self.ttl = ttl_attribute(table)
        self.by_ttl = Order([(self.ttl, "N"), *own], by=0)
        self._all = [*self.orders.values(), *([self.by_ttl] if self.ttl else [])]
        for row in table.all_items():
            self.put(row)

    def put(self, row: Item) -> None:
        """Add an item to every order."""
        row_id = _row_id(row)
        for order in self._all:
            order.put(row_id, row)

    def drop(self, row: Item) -> None:
        """Remove an item."""
        row_id = _row_id(row)
        for order in self._all:
            order.drop(row_id)


def ttl_attribute(table: Table) -> str:
    """Return the name of the TTL attribute; empty if TTL is not enabled."""
    on = table.ttl.get("TimeToLiveStatus") == "ENABLED"
    return str(table.ttl["AttributeName"]) if on else ""


def _row_id(row: Item) -> Key:
    parts = (row.hash_key, row.range_key)
    return tuple(part.cast_value for part in parts if part is not None)
