# SPDX-License-Identifier: Apache-2.0
"""Cost of each operation with more and more visitors in the event already.

``SIZES=1000,10000,100000,1000000`` adds the million; it needs ``DYNAMODB_LOCAL_HEAP=4g`` and a
quarter of an hour. Visitors come with a row each, every fourth with a living token, and a move of
the serving counter for every hundred. A hundred sessions have ended at every size.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tests.benchmarks.tables import (
    number_setting,
    numbers_setting,
    percentile,
    room_on,
    servers_of_a_room,
    table,
)
from tests.support.real_stores import RealRoom
from waiting_room.adapters.dynamodb import outcome_items, serving_log
from waiting_room.adapters.dynamodb.positions import _item
from waiting_room.domain.records import Position, ServingMove
from waiting_room.domain.tokens import issue

SIZES = numbers_setting("SIZES", (1_000, 10_000, 100_000))
CALLS = number_setting("CALLS", 20)
JOINS_A_CALL = 10
ENDED = 100
VISITORS_A_MOVE = 100
MOVE_EVERY = 2  # s between moves of the serving counter
BLOCK = 16  # moves of one row, about as many as a state row has room for
UNSWEPT = 900 // MOVE_EVERY  # moves within the expiry period: the sweep has passed the others
BEYOND = 1_000_000  # the serving counter stands this far above, so that all calls are served
VERIFIED = 12  # minutes in which the worker compares a million rows that a rebuild left out
WRITE = 25  # items of one BatchWriteItem


class Reads:
    """Bytes that a room's table client was answered."""

    def __init__(self, real: RealRoom) -> None:
        self.bytes = 0
        real.dynamodb.meta.events.register("after-call.dynamodb", self._count)

    def _count(self, http_response: Any, **_: Any) -> None:
        self.bytes += len(http_response.content)


def main() -> None:
    """Print the tables of requests, of bytes, of processor time; and of rebuilds."""
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        reads, given = Reads(real), 0
        requests: list[list[Any]] = []
        sizes: list[list[Any]] = []
        times: list[list[Any]] = []
        rebuilds: list[list[Any]] = []
        for size in SIZES:
            given = fill(real, given, size)
            rebuilds.append(rebuild(real, reads, size))
            calls = calls_of(real)
            measured = [measure(real, reads, call) for call in calls.values()]
            for rows, part in ((requests, 0), (sizes, 1), (times, 2)):
                rows.append([size, *(found[part] for found in measured)])
            given = real.log.read(real.event_id).queue
            print(f"· {size:,} visitors measured", flush=True)
    columns = ["visitors", *calls]
    for title, rows, short in (
        ("Requests by number of visitors: maximum of one call", requests, "requests"),
        ("Kilobytes read from the tables by number of visitors: p50 of a call", sizes, "kilobytes"),
        (f"Processor time by number of visitors: p50 in ms, Valkey and {name}", times, "time"),
    ):
        turned = [list(column) for column in zip(columns, *rows, strict=True)]
        table(title, ["operation", *(f"{size:,}" for size in turned[0][1:])], turned[1:],
              name=f"growth-{short}")  # fmt: skip
    table(
        "Rebuild of lost counters by number of visitors",
        ["visitors", "requests", "kilobytes", "ms"],
        rebuilds,
        name="growth-rebuild",
    )


def fill(real: RealRoom, given: int, wanted: int) -> int:
    """Let the event have ``wanted`` visitors; written straight into the tables."""
    event = real.event_id
    positions, tokens = (real.names[key] for key in ("QUEUE_POSITIONS_TABLE", "TOKENS_TABLE"))
    first_ended = ""
    while given < wanted:
        now, count = int(time.time()), min(20_000, wanted - given)
        real.log.reserve(event, count, real.log.read(event))
        rows = [
            Position(event, 1, str(uuid.uuid4()), given + index + 1, now) for index in range(count)
        ]
        write(real, positions, [_item(row) for row in rows])
        issued = [issue(row, key_id="k", issuer="i", validity=7200, now=now) for row in rows[::4]]
        write(real, tokens, [outcome_items.item_of(outcome) for outcome in issued])
        if not given:
            first_ended = rows[0].request_id
        given += count
    move_counter(real, given, int(time.time()))
    real.valkey.client().flushall()
    real.room.workers.reconciliation.run(event)
    if first_ended:
        end_sessions(real)
    return given


def write(real: RealRoom, name: str, items: Sequence[Any]) -> None:
    """Put many items, 25 a request."""

    def put(batch: Sequence[Any]) -> None:
        left = {name: [{"PutRequest": {"Item": item}} for item in batch]}
        while left:
            left = real.dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems", {})

    batches = [items[start : start + WRITE] for start in range(0, len(items), WRITE)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(put, batches))


def move_counter(real: RealRoom, visitors: int, now: int) -> None:
    """Let the serving log have a move for every hundred visitors, the last ones not swept yet."""
    before = real.log.read(real.event_id)
    last = max(visitors // VISITORS_A_MOVE, 1)
    moves = [
        ServingMove(
            version,
            (version - 1) * VISITORS_A_MOVE,
            version * VISITORS_A_MOVE,
            now - (last - version) * MOVE_EVERY,
            "operator",
        )
        for version in range(1, last + 1)
    ]
    items = [
        serving_log.block_item(real.event_id, before.generation, moves[first : first + BLOCK])
        for first in range(0, len(moves), BLOCK)
    ]
    top = replace(moves[-1], version=last + 1, previous=moves[-1].current,
                  current=visitors + BEYOND, mark=uuid.uuid4().hex)  # fmt: skip
    version = max(before.version, last) + 1
    after = replace(
        before,
        version=version,
        serving=top.current,
        move=replace(top, version=version),
        expired_through=max(before.expired_through, (last - UNSWEPT) * VISITORS_A_MOVE),
        reconciled_through=before.queue,
        pending_through=before.queue,
        pending_since=now,
    )
    real.log.write(before, after)
    write(real, real.names["SERVING_LOG_TABLE"], items)  # over the move that it put there


def end_sessions(real: RealRoom) -> None:
    """A hundred visits are over."""
    rows = list(real.outcomes.in_range(real.event_id, 1, 1, ENDED * 4))
    for outcome in [row for row in rows if row.is_token][:ENDED]:
        real.room.sessions.end(real.event_id, outcome.request_id, 1)


def rebuild(real: RealRoom, reads: Reads, size: int) -> list[Any]:
    """Lose the counters and ask for them, after the minute worker had its turn."""
    real.room.workers.reconciliation.run(real.event_id)
    real.valkey.client().flushall()
    reads.bytes, started = 0, time.perf_counter()
    cost = real.counted(lambda: real.room.metrics.counts(real.event_id))
    spent = (time.perf_counter() - started) * 1000
    for _ in range(VERIFIED):
        real.room.workers.reconciliation.run(real.event_id)
    return [size, cost["dynamodb"], reads.bytes / 1000, spent]


def calls_of(real: RealRoom) -> dict[str, Callable[[], Any]]:
    """A call of each operation, on visitors that just came."""
    room, event = real.room, real.event_id
    joins = real.joins(CALLS * JOINS_A_CALL + CALLS * 4)
    groups = iter(
        [joins[at : at + JOINS_A_CALL] for at in range(0, CALLS * JOINS_A_CALL, JOINS_A_CALL)]
    )
    single = [join.request_id for join in joins[CALLS * JOINS_A_CALL :]]
    room.workers.assignment.assign(event, joins[CALLS * JOINS_A_CALL :])

    def ids(start: int) -> Iterator[str]:
        return iter(single[start * CALLS : (start + 1) * CALLS])

    first, known, ended = ids(0), single[-1], ids(1)
    for request_id in single[CALLS : 2 * CALLS]:
        room.tokens.issue(event, request_id)
    busy = ids(2)

    def busy_minute() -> None:
        room.tokens.issue(event, next(busy))
        real.requests.clear()
        room.workers.reconciliation.run(event)

    return {
        f"join ({JOINS_A_CALL} at once)": lambda: room.workers.assignment.assign(
            event, next(groups)
        ),
        "position": lambda: room.positions.queue_number(event, known),
        "status": lambda: room.metrics.status_page(event),
        "time to expiry": lambda: room.tokens.time_to_expiry(event, known),
        "first token": lambda: room.tokens.issue(event, next(first)),
        "raise the counter": lambda: room.control.increment(event, 1),
        "active tokens": lambda: room.metrics.counts(event),
        "end a session": lambda: room.sessions.end(event, next(ended), 1),
        "ended sessions (100)": lambda: room.sessions.ended(event),
        "expired tokens, a page": lambda: room.sessions.expired(event, 100, None),
        "idle minute: sweep": lambda: room.workers.expiry_sweep.run(event),
        "busy minute: reconciliation": busy_minute,
    }


def measure(real: RealRoom, reads: Reads, call: Callable[[], Any]) -> tuple[int, float, float]:
    """Most requests, p50 of kilobytes, p50 of processor ms."""
    most, kilobytes, spent = 0, [], []
    for _ in range(CALLS):
        reads.bytes, started = 0, time.process_time()
        cost = real.counted(call)
        spent.append((time.process_time() - started) * 1000)
        kilobytes.append(reads.bytes / 1000)
        most = max(most, cost["redis"] + cost["dynamodb"])
    return most, percentile(kilobytes, 0.5), percentile(spent, 0.5)


if __name__ == "__main__":
    main()
