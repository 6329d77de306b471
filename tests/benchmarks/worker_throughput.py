# SPDX-License-Identifier: Apache-2.0
"""Positions per second: by size of the batch, and by number of workers (processes)."""

from __future__ import annotations

import multiprocessing
import sys
import time
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.tables import room_on, servers_of_a_room, table

SIZES = (10, 100, 1_000, 10_000)
WORKERS = (1, 2, 4, 8)


def main() -> None:
    """Print both tables."""
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        real.room.assign(real.event_id, real.joins(1))
        rows: list[list[Any]] = []
        for size in SIZES:
            batches = [real.joins(size) for _ in range(max(1, 2000 // size))]
            started = time.perf_counter()
            for batch in batches:
                assert not real.room.assign(real.event_id, batch).retry
            spent = time.perf_counter() - started
            rows.append([size, size * len(batches) / spent, 1000 * spent / len(batches)])
        table(
            f"Positions by batch: one worker, Valkey and {name}",
            ["batch", "positions/s", "ms per batch"],
            rows,
        )
        rows = []
        for workers in WORKERS:
            context = multiprocessing.get_context("spawn")
            with context.Pool(workers) as pool:
                args = [(url, valkey.port, real.event_id, real.names, 4, 500)] * workers
                pool.map(_warm, range(workers))
                started = time.perf_counter()
                done = sum(pool.map(_work, args, chunksize=1))
            rows.append([workers, done / (time.perf_counter() - started)])
        table(
            "Positions by workers: batches of 500; the servers share this machine's cores",
            ["workers", "positions/s"],
            rows,
        )


def _warm(_: int) -> None:
    time.sleep(0.5)


def _work(job: tuple[str, int, str, dict[str, str], int, int]) -> int:
    url, port, event_id, names, batches, size = job
    from tests.stack import RealRoom

    real = RealRoom(url, SimpleNamespace(port=port), names=names, event_id=event_id)  # type: ignore[arg-type]
    for _ in range(batches):
        real.room.assign(event_id, real.joins(size))
    return batches * size


if __name__ == "__main__":
    sys.exit(main())
