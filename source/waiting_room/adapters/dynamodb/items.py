# SPDX-License-Identifier: Apache-2.0
"""What the DynamoDB stores share: attribute values, batched conditional inserts, wide queries."""

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
Answer = TypeVar("Answer")
SHARDS = 16  # partitions of a line: 16 × 1,000 writes/s, and a range is read 16 queries wide
INSERT_BATCH = 25  # statements of one BatchExecuteStatement, DynamoDB's limit
ROUNDS = 6  # times that throttled parts of a batch are sent again within one call: about 2 s
FIRST_PAUSE = 0.05  # s before the second round, twice as long before each next one
MAX_CONCURRENT_REQUESTS = 8  # requests of one call under way at once


def to_item(values: Mapping[str, Any]) -> Item:
    """Attribute values of texts, whole numbers and fractions."""
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
    """A whole number of an item, 0 when it is not there."""
    return int(item[name]["N"]) if name in item else 0


def text(item: Item, name: str) -> str:
    """A text of an item, empty when it is not there."""
    return str(item[name]["S"]) if name in item else ""


def insert_if_absent(
    client: Any, table: str, items: Sequence[Item], what: str
) -> tuple[list[int], list[int]]:
    """Insert items whose key is free: one request for 25, at the price of plain puts.

    Answers the indexes of items whose key was taken, and of items that could not be written.
    A statement is refused on its own (``DuplicateItem``); throttled ones are sent again.
    """
    taken: list[int] = []
    left = list(range(len(items)))
    for attempt in range(ROUNDS):
        pause_before(attempt)
        batches = [
            left[start : start + INSERT_BATCH] for start in range(0, len(left), INSERT_BATCH)
        ]
        codes = map_concurrently(
            lambda indexes: _insert_batch(client, table, [items[i] for i in indexes], what), batches
        )
        left = []
        for index, code in zip(chain(*batches), chain(*codes), strict=True):
            if code == "DuplicateItem":
                taken.append(index)
            elif code in BUSY_CODES:
                left.append(index)
            elif code:
                raise RuntimeError(f"{what} refused a row: {code}")
        if not left:
            break
    return taken, left


def pause_before(attempt: int) -> None:
    """Wait before parts of a batch that were throttled are sent again; not before the first try.

    Callers part by a random share of the pause.
    """
    if attempt:
        share = random.uniform(0.5, 1.5)  # nosec B311 - jitter
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * share)


def map_concurrently(call: Callable[[Part], Answer], parts: Sequence[Part]) -> list[Answer]:
    """What ``call`` answers to each part, several under way at once: the network is the wait."""
    if len(parts) == 1:
        return [call(parts[0])]
    with ThreadPoolExecutor(max_workers=MAX_CONCURRENT_REQUESTS) as pool:
        return list(pool.map(call, parts))


def _insert_batch(client: Any, table: str, items: Sequence[Item], what: str) -> list[str]:
    with translate_errors(what):
        answer = client.batch_execute_statement(
            Statements=[
                {"Statement": _insert_statement(table, tuple(item)), "Parameters": [*item.values()]}
                for item in items
            ]
        )
    return [response.get("Error", {}).get("Code", "") for response in answer["Responses"]]


@cache
def _insert_statement(table: str, names: tuple[str, ...]) -> str:
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


def query_all(client: Any, what: str, **request: Any) -> Iterator[Item]:
    """Every item of a query, page by page."""
    for page in query_pages(client, what, **request):
        yield from page["Items"]


def query_pages(client: Any, what: str, **request: Any) -> Iterator[dict[str, Any]]:
    """The pages of a query."""
    while True:
        with translate_errors(what):
            page = client.query(**request)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def query_line(
    client: Any,
    what: str,
    line: str,
    first: int,
    last: int,
    *,
    names: Mapping[str, str] | None = None,
    values: Item | None = None,
    **request: Any,
) -> Iterator[Item]:
    """The items of a range of positions, from all shards of a line at once.

    ``names`` and ``values`` are what further expressions of the request use.
    """
    wanted = _range_requests(line, first, last, names or {}, values or {}, request)
    for items in map_concurrently(lambda one: list(query_all(client, what, **one)), wanted):
        yield from items


def count_line(client: Any, what: str, line: str, first: int, last: int, **request: Any) -> int:
    """How many items there are in a range of positions; none of them crosses the network."""

    def count(one: dict[str, Any]) -> int:
        return sum(int(page["Count"]) for page in query_pages(client, what, **one, Select="COUNT"))

    return sum(map_concurrently(count, _range_requests(line, first, last, {}, {}, request)))


def _range_requests(
    line: str,
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
                **to_item({":shard": f"{line}#{shard}", ":first": first, ":last": last}),
                **values,
            },
            **request,
        }
        for shard in sorted(shards)
    ]


def shard_of(event_id: str, generation: int, position: int) -> str:
    """The partition key of a position in its line."""
    return f"{event_id}#{generation}#{position % SHARDS}"
