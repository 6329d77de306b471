# SPDX-License-Identifier: Apache-2.0
"""Cost of each operation with 1 k, 10 k, 100 k visitors in the event; ``ROWS=1000000``: 1 M."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from tests.benchmarks.tables import percentile, room_on, servers_of_a_room, table
from tests.stack import RealRoom
from waiting_room.adapters.dynamodb_items import insert_new
from waiting_room.adapters.dynamodb_outcomes import _item
from waiting_room.records import Position
from waiting_room.tokens import issue

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CALLS = 40


def fill(real: RealRoom, given: int, wanted: int) -> int:
    """Let the event have ``wanted`` visitors, a quarter of them with a token; written directly."""
    now = int(time.time())
    while given < wanted:
        count = min(5_000, wanted - given)
        real.log.reserve(real.event_id, count, real.log.read(real.event_id))
        rows = [
            Position(real.event_id, 1, str(uuid.uuid4()), given + index + 1, now)
            for index in range(count)
        ]
        real.positions.insert(rows)
        insert_new(
            real.dynamodb,
            real.names["TOKENS_TABLE"],
            [
                _item(issue(row, key_id="k", issuer="i", validity=3600, now=now))
                for row in rows[::4]
            ],
            "the token table",
        )
        given += count
    real.valkey.client().flushall()
    return given


def main() -> None:
    """Print the tables of requests and of times."""
    largest = int(os.environ.get("ROWS", "100000"))
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        event, given = real.event_id, 0
        for _ in range(2):
            real.room.increment_serving_counter(event, 1_000_000)
        rebuilds: list[list[Any]] = []
        costs: list[list[Any]] = []
        times: list[list[Any]] = []
        for size in (size for size in SIZES if size <= largest):
            given = fill(real, given, size - CALLS * 2)
            joins = real.joins(CALLS * 2)
            calls = {
                "join (batch)": lambda i, joins=joins: real.room.assign(
                    event, joins[i * 2 : i * 2 + 2]
                ),
                "position": lambda i, joins=joins: real.room.queue_number(
                    event, joins[i].request_id
                ),
                "status": lambda i: real.room.status(event),
                "first token": lambda i, joins=joins: real.room.generate_token(
                    event, joins[i].request_id
                ),
                "raise the counter": lambda i: real.room.increment_serving_counter(event, 1),
                "active tokens": lambda i: real.room.counts(event),
            }
            started = time.perf_counter()
            cost = real.counted(lambda: real.room.counts(event))
            rebuilds.append([size, cost["dynamodb"], (time.perf_counter() - started) * 1000])
            cost_row: list[Any] = [size]
            time_row: list[Any] = [size]
            for call in calls.values():
                spent, requests = [], 0
                for index in range(CALLS):
                    started = time.perf_counter()
                    cost = real.counted(lambda call=call, index=index: call(index))
                    spent.append((time.perf_counter() - started) * 1000)
                    requests = max(requests, cost["redis"] + cost["dynamodb"])
                cost_row.append(requests)
                time_row.append(percentile(spent, 0.5))
            given += CALLS * 2
            costs.append(cost_row)
            times.append(time_row)
        names = ["visitors", *calls]
        table("Requests as the event grows: the most that one call made", names, costs)
        table(
            "Rebuild of the counters: nothing settled, every fourth visitor with a living token",
            ["visitors", "DynamoDB requests", "ms"],
            rebuilds,
        )
        table(f"Time as the event grows: p50 in ms, Valkey and {name}", names, times)


if __name__ == "__main__":
    main()
