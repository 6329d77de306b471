# SPDX-License-Identifier: Apache-2.0
"""Positions per second: by size of the batch, and by number of workers (processes)."""

from __future__ import annotations

import multiprocessing
import time
from types import SimpleNamespace
from typing import Any

from infrastructure.blueprint.resources import ASSIGN
from tests.benchmarks.tables import (
    number_setting,
    numbers_setting,
    percentile,
    room_on,
    servers_of_a_room,
    table,
)
from tests.support.real_stores import RealRoom

BATCHES = numbers_setting("BATCHES", (10, 100, 1_000, 10_000))
WORKERS = numbers_setting("WORKERS", (1, 2, 4, 8))
JOINS = number_setting("JOINS", 4_000)  # for each size of batch, and for each number of workers


def main() -> None:
    """Print both tables."""
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        real.room.workers.assignment.assign(real.event_id, real.joins(1))
        table(
            f"Positions by batch: one worker, Valkey and {name} on this machine",
            [
                "batch",
                "ms per batch",
                "positions/s",
                "positions per processor second",
                "requests to DynamoDB",
                "requests to Redis",
                "wait of the last join, s",
            ],
            [by_batch(real, size) for size in BATCHES],
            name="positions-by-batch",
        )
        table(
            "Positions by workers: the servers share this machine's cores",
            ["workers", "positions/s", "ratio to one worker"],
            by_workers(real, url, valkey.port),
            name="positions-by-workers",
        )


def by_batch(real: RealRoom, size: int) -> list[Any]:
    """One worker, batch after batch. A visitor waits for the window, then for the batch."""
    spent, used, requests = [], 0.0, {"dynamodb": 0, "redis": 0}
    for _ in range(max(1, JOINS // size)):
        batch = real.joins(size)
        started, before = time.perf_counter(), time.process_time()
        requests = real.counted(lambda batch=batch: assign(real, batch))
        used += time.process_time() - before
        spent.append(time.perf_counter() - started)
    median = percentile(spent, 0.5)
    return [
        size,
        median * 1000,
        size / median,
        size * len(spent) / used,
        requests["dynamodb"],
        requests["redis"],
        ASSIGN.batch_window + median,
    ]


def assign(real: RealRoom, batch: list[Any]) -> None:
    """Give out a batch, all of it."""
    assert not real.room.workers.assignment.assign(real.event_id, batch).retry


def by_workers(real: RealRoom, url: str, port: int) -> list[list[Any]]:
    """Processes at once, each with batches of its own."""
    rows: list[list[Any]] = []
    for workers in WORKERS:
        size = 500
        batches = max(1, JOINS // size // workers)
        jobs = [(url, port, real.event_id, real.names, batches, size)] * workers
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            pool.map(_ready, range(workers), chunksize=1)
            started = time.perf_counter()
            done = sum(pool.map(_work, jobs, chunksize=1))
            rate = done / (time.perf_counter() - started)
        rows.append([workers, rate, rate / rows[0][1] if rows else 1.0])
    return rows


def _ready(_: int) -> None:
    """Each process has imported everything when it takes its second piece of work."""
    time.sleep(0.5)


def _work(job: tuple[str, int, str, dict[str, str], int, int]) -> int:
    url, port, event_id, names, batches, size = job
    real = RealRoom(url, SimpleNamespace(port=port), names=names, event_id=event_id)  # type: ignore[arg-type]
    for _ in range(batches):
        real.room.workers.assignment.assign(event_id, real.joins(size))
    return batches * size


if __name__ == "__main__":
    main()
