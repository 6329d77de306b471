# SPDX-License-Identifier: Apache-2.0
"""Cost of each operation with 1 k, 10 k, 100 k visitors in the event; ``ROWS=1000000``: 1 M."""

from __future__ import annotations

import os
import time
from typing import Any

from tests.benchmarks.tables import percentile, room_on, servers_of_a_room, table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CALLS = 40


def main() -> None:
    """Print the tables of requests and of times."""
    largest = int(os.environ.get("ROWS", "100000"))
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        event, given = real.event_id, 0
        costs: list[list[Any]] = []
        times: list[list[Any]] = []
        for size in (size for size in SIZES if size <= largest):
            while given < size - CALLS * 2:
                batch = real.joins(min(2_000, size - CALLS * 2 - given))
                real.room.assign(event, batch)
                for join in batch[::4]:  # a quarter have a token, as after a while on sale
                    if given == 0:
                        real.room.increment_serving_counter(event, 1_000_000)
                        given = 1
                    real.room.generate_token(event, join.request_id)
                given += len(batch)
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
        table(f"Time as the event grows: p50 in ms, Valkey and {name}", names, times)


if __name__ == "__main__":
    main()
