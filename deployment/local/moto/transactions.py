# SPDX-License-Identifier: Apache-2.0
"""Transactions of moto that copy the items they write, not the whole table.

moto 5.2 copies the tables of a transaction first, to undo it. With 1,000 events a change of one of
them would take a second. The caller holds ``fixes.LOCK``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from deployment.local.moto.tables import keep_again

Kept = list[tuple[Table, Mapping[str, Any], Item | None]]


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(DynamoDBBackend, "copies_items", False):
        return
    DynamoDBBackend.copies_items = True
    run = DynamoDBBackend.transact_write_items

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        kept = _copies(self, transact_items)
        if kept is None:
            run(self, transact_items)
            return
        with _tables_are_not_copied():
            streams = [
                (table.stream_shard, len(table.stream_shard.items))
                for table, _, _ in kept
                if table.stream_shard is not None
            ]
            try:
                run(self, transact_items)
            except Exception:
                _undo(self, kept)
                for shard, length in streams:
                    del shard.items[length:]
                raise

    DynamoDBBackend.transact_write_items = transact_write_items


def _copies(backend: DynamoDBBackend, requests: Sequence[Mapping[str, Any]]) -> Kept | None:
    """Return the written items as they are now; None for an invalid request, left to moto."""
    kept: Kept = []
    for request in requests:
        for write in request.values():
            table = backend.tables.get(write.get("TableName"))
            names = table.table_key_attrs if table is not None else []
            key = write.get("Key") or write.get("Item") or {}
            if len(names) != 2 or not set(names) <= set(key):
                return None
            found = table.get_item(*(DynamoType(key[name]) for name in names))
            kept.append((table, {name: key[name] for name in names}, copy.deepcopy(found)))
    return kept


def _undo(backend: DynamoDBBackend, kept: Kept) -> None:
    for table, key, item in reversed(kept):
        first, second = (DynamoType(key[name]) for name in table.table_key_attrs)
        if item is not None:
            table.items[first][second] = item
            keep_again(backend, table.name, key)
        elif table.get_item(first, second) is not None:
            table.delete_item(first, second)


@contextmanager
def _tables_are_not_copied() -> Iterator[None]:
    Table.__deepcopy__ = lambda self, _memo: self
    try:
        yield
    finally:
        del Table.__deepcopy__
