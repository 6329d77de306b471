# SPDX-License-Identifier: Apache-2.0
"""Helpers of the DynamoDB stores: attribute values, conditional batch inserts, shard queries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain
from typing import Any, TypeVar

from waiting_room.adapters.aws import BUSY_CODES, translate_errors

Item = dict[str, dict[str, Any]]
Part = TypeVar("Part")
Result = TypeVar("Result")
SHARDS = 16  # partitions of a queue: 16 × 1,000 writes/s; a range is read by 16 queries at once
INSERT_BATCH = 25  # statements of one BatchExecuteStatement, DynamoDB's limit
ROUNDS = 6  # attempts to send the throttled parts of a batch within one call: about 2 s
FIRST_PAUSE = 0.05  # s before the second attempt; doubles before each next one
MAX_CONCURRENT_REQUESTS = 8  # concurrent requests of one call


def to_item(values: Mapping[str, Any]) -> Item:
    """Convert texts, numbers and sets of numbers to DynamoDB attribute values."""
    return {name: _value(value) for name, value in values.items()}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, float):
        return {"N": f"{value:.6f}"}
    return {"NS": [str(number) for number in value]}


def number(item: Item, name: str) -> int:
    """Return a whole number of an item; 0 when it is missing."""
    return int(item[name]["N"]) if name in item else 0


def text(item: Item, name: str) -> str:
    """Return a text of an item; empty when it is missing."""
    return str(item[name]["S"]) if name in item else ""


def insert_if_absent(
    client: Any, table: str, items: Sequence[Item], what: str
) -> tuple[list[int], list[int]]:
    """Insert items whose key does not exist: one request for 25, at the price of plain puts.

    Returns the indexes of items whose key exists, and of items that could not be written. Each
    statement fails separately (``DuplicateItem``); throttled ones are sent again.
    """
    taken: list[int] = []
    pending = list(range(len(items)))
    for attempt in range(ROUNDS):
        pause_before(attempt)
        batches = [
            pending[start : start + INSERT_BATCH] for start in range(0, len(pending), INSERT_BATCH)
        ]
        codes = map_concurrently(
            lambda indexes: _insert_batch(client, table, [items[i] for i in indexes], what), batches
        )
        pending = []
        for index, code in zip(chain(*batches), chain(*codes), strict=True):
            if code == "DuplicateItem":
                taken.append(index)
            elif code in BUSY_CODES:
                pending.append(index)
            elif code:
                raise RuntimeError(f"{what} rejected a row: {code}")
        if not pending:
            break
    return taken, pending


def pause_before(attempt: int) -> None:
    """Wait before throttled parts of a batch are sent again; not before the first attempt.

    The pause has 50 % jitter, so that concurrent callers do not collide again.
    """
    if attempt:
        share = random.uniform(0.5, 1.5)  # nosec B311 - jitter
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * share)


def map_concurrently(call: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Return the result of ``call`` for each part, in order; calls run in threads."""
    if len(parts) == 1:
        return [call(parts[0])]
    with ThreadPoolExecutor(max_workers=MAX_CONCURRENT_REQUESTS) as pool:
        return list(pool.map(call, parts))


def _insert_batch(client: Any, table: str, items: Sequence[Item], what: str) -> list[str]:
    with translate_errors(what):
        response = client.batch_execute_statement(
            Statements=[
                {"Statement": _insert_statement(table, tuple(item)), "Parameters": [*item.values()]}
                for item in items
            ]
        )
    return [one.get("Error", {}).get("Code", "") for one in response["Responses"]]


@cache
def _insert_statement(table: str, names: tuple[str, ...]) -> str:
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


def query_all(client: Any, what: str, **request: Any) -> Iterator[Item]:
    """Yield every item of a query, page by page."""
    for page in query_pages(client, what, **request):
        yield from page["Items"]


def query_pages(client: Any, what: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Yield the pages of a query."""
    while True:
        with translate_errors(what):
            page = client.query(**request)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def query_positions(
    client: Any,
    what: str,
    queue: str,
    first: int,
    last: int,
    *,
    names: Mapping[str, str] | None = None,
    values: Item | None = None,
    **request: Any,
) -> Iterator[Item]:
    """Yield the items of a range of positions, from all shards of a queue at once.

    ``queue`` is the partition key without the shard. Further expressions of the request use
    ``names`` and ``values``.
    """
    wanted = _range_requests(queue, first, last, names or {}, values or {}, request)
    for items in map_concurrently(lambda one: list(query_all(client, what, **one)), wanted):
        yield from items


def count_positions(
    client: Any, what: str, queue: str, first: int, last: int, **request: Any
) -> int:
    """Count the items of a range of positions, without reading them over the network."""

    def count(one: dict[str, Any]) -> int:
        return sum(int(page["Count"]) for page in query_pages(client, what, **one, Select="COUNT"))

    return sum(map_concurrently(count, _range_requests(queue, first, last, {}, {}, request)))


def _range_requests(
    queue: str,
    first: int,
    last: int,
    names: Mapping[str, str],
    values: Item,
    request: Mapping[str, Any],
) -> list[dict[str, Any]]:
    shards = {position % SHARDS for position in range(first, min(last, first + SHARDS - 1) + 1)}
    return [
        {
            "KeyConditionExpression": "#shard = :shard AND #position BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#shard": "shard", "#position": "position", **names},
            "ExpressionAttributeValues": {
                **to_item({":shard": f"{queue}#{shard}", ":first": first, ":last": last}),
                **values,
            },
            **request,
        }
        for shard in sorted(shards)
    ]


def shard_of(event_id: str, generation: int, position: int) -> str:
    """Return the partition key of a position."""
    return f"{event_id}#{generation}#{position % SHARDS}"
