# SPDX-License-Identifier: Apache-2.0
"""A change of an event when the deployment has 1, 300 and 1,000 of them: time, requests, units.

``python -m tests.benchmarks.many_events`` measures it on moto and on DynamoDB Local. Read units are
those that the server reports. Write units are computed, two for each kB of each item that a
transaction writes: DynamoDB Local counts the old and the new item. With APPLY=990 it also starts
the one-machine room and applies a file of so many events with the command line. No part of
``make bench``.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployment.capacity import prices
from tests.benchmarks.tables import number_setting, numbers_setting, table
from tests.support import servers
from tests.support.local_stack import running_room
from tests.support.real_stores import RealRoom
from waiting_room.adapters.dynamodb.events import REGISTRY
from waiting_room.domain.actors import UNKNOWN
from waiting_room.domain.events.document import complete
from waiting_room.domain.events.registry import encode, entry_of
from waiting_room.use_cases.events.event_documents import EventDocuments

SIZES = numbers_setting("SIZES", [1, 300, 1_000])
CALLS = number_setting("CALLS", 20)  # of each kind
APPLY = number_setting("APPLY", 0)
CONTENT = {
    "title": "An on-sale with a title of usual length",
    "schedule": {"pre_queue_at": 1_900_000_000, "opens_at": 1_900_003_600},
    "admission": {"strategy": "rate", "per_minute": 300},
}
READS = ("GetItem", "BatchGetItem", "Query")
CHANGES = {"patch": 1, "create": 1, "close, delete, create": 3}  # documents that a call writes
COLUMNS = ["server", "events", "call", "ms", "requests", "read units", "write units"]


def main() -> None:
    """Print the tables."""
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        valkey = servers.Valkey(Path(folder))
        try:
            for name, started in table_servers().items():
                with started() as url:
                    for size in SIZES:
                        rows += measured(name, RealRoom(url, valkey), size)
        finally:
            valkey.kill()
    table("Changes of one event: median of each call", COLUMNS, rows)
    table(
        "Cost of a change: us-east-1, on demand",
        ["events", "call", "US dollars per 1,000 calls"],
        [[size, call, 1_000 * dollars(reads, writes)]
         for server, size, call, _, _, reads, writes in rows if server == rows[-1][0]],
    )  # fmt: skip
    if APPLY:
        applied()


def table_servers() -> dict[str, Callable[[], Any]]:
    """Return the table servers that this machine can run."""
    found: dict[str, Callable[[], Any]] = {"moto": servers.moto_server}
    if not servers.missing_for_dynamodb_local():
        found["DynamoDB Local"] = servers.dynamodb_local
    return found


def measured(name: str, real: RealRoom, size: int) -> list[list[Any]]:
    """Return the rows of a deployment with ``size`` events."""
    real.room.workers.setup.run()
    fill(real, size - 1)
    documents = real.event_documents()
    ids: Iterator[int] = iter(range(CALLS))
    calls: dict[str, Callable[[], object]] = {
        "patch": lambda: documents.patch(
            real.event_id, {"title": f"{time.monotonic()}"}, None, actor=UNKNOWN
        ),
        "list all": lambda: list(pages(documents)),
        "create": lambda: documents.put(f"new-{next(ids)}", CONTENT, None, actor=UNKNOWN),
    }
    if size >= 1_000:
        del calls["create"]  # a deployment has at most 1,000 events
        calls["close, delete, create"] = lambda: create_last(documents)
    found = []
    for call, make in calls.items():
        times, requests = [], []
        with units(real.dynamodb) as used:
            for _ in range(CALLS):
                real.requests.clear()
                started = time.perf_counter()
                make()
                times.append(1_000 * (time.perf_counter() - started))
                requests.append(real.requests["dynamodb"])
        written = CHANGES.get(call, 0) * units_of_a_change(real)
        found.append([
            name, size, call, statistics.median(times), statistics.mean(requests),
            used["read"] / CALLS, written,
        ])  # fmt: skip
    return found


def create_last(documents: EventDocuments) -> None:
    """Close and delete an event, and create it again: three changes."""
    event_id = f"event-{SIZES[-1] - 2:04d}"
    documents.act(event_id, "close", actor=UNKNOWN)
    documents.delete(event_id, None, actor=UNKNOWN)
    documents.put(event_id, CONTENT, None, actor=UNKNOWN)


def pages(documents: EventDocuments) -> Iterator[dict[str, Any]]:
    """List all events, page by page."""
    mark: str | None = ""
    while mark is not None:
        rows, mark = documents.page(mark)
        yield from rows


def fill(real: RealRoom, count: int) -> None:
    """Write documents and registry entries, without the routes."""
    document = complete(CONTENT)
    name, entry = real.names["EVENTS_TABLE"], encode(entry_of(1, document))
    ids = [f"event-{number:04d}" for number in range(count)]
    for first in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": {
                "event_id": {"S": one}, "item": {"S": "document"}, "version": {"N": "1"},
                "document": {"S": json.dumps(document)},
            }}}
            for one in ids[first : first + 25]
        ]  # fmt: skip
        real.dynamodb.batch_write_item(RequestItems={name: puts})
    events = real.dynamodb.get_item(TableName=name, Key=REGISTRY)["Item"]["events"]["M"]
    events |= {one: {"S": entry} for one in ids}
    real.dynamodb.put_item(TableName=name, Item={**REGISTRY, "events": {"M": events}})


def units_of_a_change(real: RealRoom) -> int:
    """Return the write units of one change: registry, document and audit entry."""
    name = real.names["EVENTS_TABLE"]
    events = real.dynamodb.get_item(TableName=name, Key=REGISTRY)["Item"]["events"]["M"]
    registry = sum(len(one) + len(entry["S"]) + 1 for one, entry in events.items())
    document = len(json.dumps(complete(CONTENT)))
    return 2 * sum(math.ceil(size / 1_024) for size in (registry, document, 1))


@contextmanager
def units(client: Any) -> Iterator[Counter[str]]:
    """Count the read units that the server reports meanwhile."""
    used: Counter[str] = Counter()

    def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        found = parsed.get("ConsumedCapacity") or []
        if model.name in READS:
            for one in found if isinstance(found, list) else [found]:
                used["read"] += one.get("CapacityUnits", 0)

    client.meta.events.register("provide-client-params.dynamodb", ask)
    client.meta.events.register("after-call.dynamodb", count)
    try:
        yield used
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb", ask)
        client.meta.events.unregister("after-call.dynamodb", count)


def dollars(reads: float, writes: float) -> float:
    """Return the price of units, on demand."""
    price = prices.load("us-east-1")
    total = reads * price["dynamodb_million_reads"] + writes * price["dynamodb_million_writes"]
    return total / 1_000_000


def applied() -> None:
    """Apply a file of events to the one-machine room; print the time of each run."""
    rows = []
    with tempfile.TemporaryDirectory() as name, running_room(Path(name)) as room:
        file = Path(name) / "events.json"
        file.write_text(json.dumps({f"apply-{n:04d}": CONTENT for n in range(APPLY)}))
        for what in ("all new", "no difference"):
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "apps.command_line", "events", "apply", str(file), "--yes"],
                capture_output=True, text=True, cwd=room.folder, check=False,
                env={**os.environ, "PYTHONPATH": str(servers.ROOT / "source"),
                     "LOCAL_DIR": str(room.folder)},
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(f"apply ended with {done.returncode}: {done.stderr[-500:]}")
            rows.append([what, time.monotonic() - started, done.stdout.strip().split("\n")[-1]])
    table(f"Apply: {APPLY:,} events by the command line", ["run", "seconds", "output"], rows)


if __name__ == "__main__":
    main()
