# SPDX-License-Identifier: Apache-2.0
"""Costs of the counters in DynamoDB beside those in Redis: requests, units, time of an operation.

Units are those that DynamoDB Local reports. The rows of a join and the commands of Redis have no
units. ``count …`` is the worker of the stream, by the size of its batch. Operations of both stores
alternate; the time is the median on this machine, with the servers beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.benchmarks.operation_costs import Meter
from tests.benchmarks.tables import number_setting, percentile, servers_of_a_room, table
from tests.support.in_memory_room import IN_TABLES
from tests.support.real_stores import RealRoom
from waiting_room.domain.records import Outcome, SessionStatus

ROUNDS = number_setting("ROUNDS", 40)
TOKENS = 600  # visitors with a token
SIZES = (100, 10, 1)  # rows of a batch of the stream


def event(url: str, valkey: Any, options: dict[str, str]) -> tuple[RealRoom, list[str]]:
    """A room with served visitors; their request ids."""
    real = RealRoom(url, valkey, options)
    real.room.workers.setup.run()
    joins = real.joins(TOKENS + ROUNDS * 4)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, len(joins))
    ids = [join.request_id for join in joins]
    for request_id in ids[:TOKENS]:
        real.room.tokens.issue(real.event_id, request_id)
    real.deliver(tokens_of(real))
    return real, ids


def tokens_of(real: RealRoom) -> list[Outcome]:
    """The tokens of a room, in order of their positions."""
    rows = real.outcomes.in_range(real.event_id, 1, 1, TOKENS)
    return sorted((row for row in rows if row.is_token), key=lambda row: row.position)


def operations(real: RealRoom, ids: list[str]) -> dict[str, Callable[[], object]]:
    """A call of each operation; each call of a kind has another visitor."""
    room, event_id = real.room, real.event_id
    fresh = iter(ids[TOKENS:])
    ends = iter(ids[:TOKENS])
    return {
        "join, batch of 100": lambda: room.workers.assignment.assign(event_id, real.joins(100)),
        "serving number": lambda: room.metrics.serving_number(event_id),
        "waiting number": lambda: room.metrics.waiting_number(event_id),
        "all numbers": lambda: room.metrics.counts(event_id),
        "first token": lambda: room.tokens.issue(event_id, next(fresh)),
        "the same token again": lambda: room.tokens.issue(event_id, ids[0]),
        "increment": lambda: room.control.increment(event_id, 1),
        "end of a session": lambda: room.sessions.end(event_id, next(ends), 1),
    }


def batches(rows: Sequence[Outcome], size: int) -> dict[str, Iterator[list[Outcome]]]:
    """Batches of tokens at adjacent positions, and of ended sessions that are far apart."""
    step = len(rows) // size
    ended = [replace(row, status=SessionStatus.COMPLETED, ended_at=row.at) for row in rows]
    return {
        f"count {size} new tokens": (
            list(rows[start : start + size]) for start in range(0, len(rows), size)
        ),
        f"count {size} ended sessions": (ended[start::step][:size] for start in range(step)),
    }


def measured(meter: Meter, call: Callable[[], object], times: int) -> tuple[Any, float]:
    """Return the cost of a call, and the median of its time (ms)."""
    spent: list[float] = []

    def timed() -> None:
        started = time.perf_counter()
        call()
        spent.append((time.perf_counter() - started) * 1000)

    return meter.cost(timed, times), percentile(spent, 0.5)


def main() -> None:
    """Print the table."""
    with servers_of_a_room() as (valkey, url, _):
        rooms = {
            "Redis": event(url, valkey, {}),
            "DynamoDB": event(url, None, dict(IN_TABLES)),
        }
        meters = {name: Meter(real) for name, (real, _) in rooms.items()}
        calls = {name: operations(*made) for name, made in rooms.items()}
        rows_of_table = []
        for operation in calls["Redis"]:
            for name, meter in meters.items():
                cost, spent = measured(meter, calls[name][operation], ROUNDS)
                rows_of_table.append(line(operation, name, cost, spent))
        real, _ = rooms["DynamoDB"]
        kept = tokens_of(real)
        for size in SIZES:
            other = [replace(row, event_id=f"{row.event_id}-{size}") for row in kept]
            for operation, made in batches(other, size).items():
                cost, spent = measured(
                    meters["DynamoDB"],
                    lambda made=made: real.room.counters.count_delivered(next(made)),
                    len(kept) // size if "tokens" in operation else min(5, len(kept) // size),
                )
                rows_of_table.append(line(operation, "DynamoDB", cost, spent))
    table("Counters in DynamoDB: cost of an operation", HEAD, rows_of_table)


HEAD = ("operation", "counters in", "Redis", "DynamoDB", "read units", "write units", "ms")


def line(operation: str, store: str, cost: Any, spent: float) -> tuple[object, ...]:
    """Return a line of the table."""
    return (
        operation, store, cost.redis, cost.dynamodb, cost.read_units, cost.write_units,
        f"{spent:.1f}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
