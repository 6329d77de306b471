# SPDX-License-Identifier: Apache-2.0
"""Key conditions of a query as ranges of a sorted partition."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

from deployment.local.moto.ordered_rows import Key, Partition


def key_range(
    partition: Partition,
    names: Sequence[tuple[str, str]],
    hash_key: DynamoType,
    comparison: str | None,
    values: Sequence[DynamoType],
) -> tuple[int, int] | None:
    """Return the range of the items that match; None for a condition that moto evaluates."""
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


def range_after(
    window: tuple[int, int] | None,
    partition: Partition,
    names: Sequence[tuple[str, str]],
    start: Mapping[str, Any] | None,
    forward: bool,
) -> tuple[int, int] | None:
    """Return the rest of a range after the start key of a page; None to let moto query."""
    if window is None or start is None:
        return window
    if {(name, next(iter(value))) for name, value in start.items()} != set(names):
        return None
    key = tuple(DynamoType(start[name]).cast_value for name, _ in names[1:])
    first, last = window
    if forward:
        return max(first, bisect_right(partition.keys, key)), last
    return first, min(last, bisect_left(partition.keys, key))


def with_next(
    partition: Partition, window: tuple[int, int], forward: bool
) -> Iterator[tuple[Item, bool]]:
    """Yield the items of a range, then the next one of the partition, which no page includes."""
    first, last = window
    rows = partition.rows
    for index in range(first, last) if forward else range(last - 1, first - 1, -1):
        yield rows[index], True
    following = max(first, last) if forward else min(first, last) - 1
    if 0 <= following < len(rows):
        yield rows[following], False
