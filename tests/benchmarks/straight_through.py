# SPDX-License-Identifier: Apache-2.0
"""Visitors who go straight through: positions per second, and arrivals above the admission's rate.

``python -m tests.benchmarks.straight_through`` starts DynamoDB Local and Valkey. The first table
compares the write of the entrance with a write that assigns a position and serves it. The second
one offers OFFERED arrivals a second to an event whose quota ends meanwhile. THREADS, SECONDS,
OFFERED, ARRIVAL_SECONDS and PER_MINUTE change the sizes. The exit status is 1 if positions were
served above the rate, or a visitor who waited was overtaken after two seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.tables import number_setting, room_on, servers_of_a_room, table
from tests.support.fakes.entrance import entrance_of
from tests.support.real_stores import RealRoom
from waiting_room.domain import serving_counter
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.admission import burst
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.records import Join
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.use_cases.gate.entrance import Entry, Way

THREADS, SECONDS = number_setting("THREADS", 48), number_setting("SECONDS", 10)
OFFERED, ARRIVAL_SECONDS = number_setting("OFFERED", 500), number_setting("ARRIVAL_SECONDS", 20)
PER_MINUTE = number_setting("PER_MINUTE", 1_200)
COPIES = 2.0  # s: the cached response of ``enter`` and the copy of the state row
ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
MUST_BE_ZERO = (
    "overshoot",
    "positions above the serving counter",
    "overtaken after two seconds",
)
MOST = 1_000_000  # positions that are served ahead


def main() -> int:
    """Print both tables; return the exit status."""
    with servers_of_a_room() as (valkey, url, name):
        real = room_on(valkey, url)
        rows = throughput(real)
        table(
            f"Straight through: {THREADS} callers for {SECONDS} s, {name} on this machine",
            [
                "operation",
                "positions/s",
                f"ratio to serve and reserve, {THREADS} callers",
                "requests per position",
                "given up",
            ],
            rows,
            name="straight-through",
        )
        found = arrivals(real)
        table(
            f"Arrivals: {OFFERED} a second for {ARRIVAL_SECONDS} s, {PER_MINUTE} admitted a minute",
            ["measured", "value"],
            [list(row) for row in found.items()],
            name="arrivals",
        )
    wrong = violations(found)
    print("".join(f"\nWRONG: {one}" for one in wrong))
    return 1 if wrong else 0


def violations(found: Mapping[str, Any]) -> list[str]:
    """Return the figures that have to be 0 and are not."""
    return [f"{name} is {found[name]}" for name in MUST_BE_ZERO if found[name] > 0]


def throughput(real: RealRoom) -> list[list[Any]]:
    """Rows of the first table. The last one is the write to which the others are compared."""
    taking, straight, both = (event(real, number) for number in ("take", "straight", "both"))
    for one in (taking, straight):
        real.new_room().control.increment(one, MOST, actor=ADA)

    def take() -> Callable[[], bool]:
        stores = real.new_stores()
        state = stores.log.read(taking)
        return lambda: stores.straight_through.take(state).position > 0

    def go() -> Callable[[], bool]:
        door = entrance_of(real.new_stores(), time.time)
        return lambda: isinstance(door.go(straight), GateSession)

    def serve_and_reserve() -> Callable[[], bool]:
        log = real.new_stores().log
        return lambda: serve_one(log, both)

    found = [
        (name, *calls_in_parallel(real, make))
        for name, make in (
            ("write of the entrance", take),
            ("position, row and token", go),
            ("serve and reserve", serve_and_reserve),
        )
    ]
    base = found[-1][1] / SECONDS
    return [
        [name, done / SECONDS, done / SECONDS / base, requests / done, failed]
        for name, done, failed, requests in found
    ]


def serve_one(log: Any, event_id: str) -> bool:
    """Raise the serving counter by one and reserve the position, as moves and joins do."""
    try:
        for attempt in retry_on_conflict(time.time, time.sleep):
            with attempt:
                before = log.read(event_id)
                after = serving_counter.move(before, 1, int(time.time()), "admission")
                log.write(before, after)
    except TooManyConflicts:
        return False
    log.reserve(event_id, 1, before)
    return True


def calls_in_parallel(
    real: RealRoom, make: Callable[[], Callable[[], bool]]
) -> tuple[int, int, int]:
    """Make calls for SECONDS in THREADS.

    Returns how many succeeded, how many did not, and the requests to DynamoDB.
    """
    begin = threading.Barrier(THREADS)

    def run(_: int) -> tuple[int, int]:
        call = make()
        call()
        if begin.wait() == 0:
            real.requests.clear()
        done = failed = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                done, failed = (done + 1, failed) if call() else (done, failed + 1)
            except Unavailable:
                failed += 1
        return done, failed

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(run, range(THREADS)))
    done, failed = (sum(column) for column in zip(*found, strict=True))
    return done, failed, real.requests["dynamodb"]


@dataclass
class Record:
    """All that happened: straight positions, visitors who had to wait, and their joins."""

    straight: list[tuple[float, int]] = field(default_factory=list)  # time of the call, position
    waited: dict[str, float] = field(default_factory=dict)  # time of the response, by request id
    queue: list[Join] = field(default_factory=list)
    busy: int = 0
    handled: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def arrivals(real: RealRoom) -> dict[str, Any]:
    """Offer arrivals at a fixed rate; return the figures of the second table."""
    event_id, record = event(real, "arrivals"), Record()
    shared: dict[str, tuple[float, Entry]] = {}
    doors = threading.local()
    began, ended = time.time(), threading.Event()

    def enter(door: Any) -> Entry:
        """Return the response that the edge has, or that of the entrance; at most 1 s old."""
        at, entry = shared.get(event_id, (0.0, None))
        if entry is None or time.time() - at >= 1:
            entry = door.enter(event_id)
            shared[event_id] = time.time(), entry
        return entry

    def arrive(_: int) -> None:
        if not hasattr(doors, "own"):
            doors.own = entrance_of(real.new_stores(), time.time)
        asked = time.time()
        try:
            found: Any = enter(doors.own)
            if found.way is Way.GO:
                found = doors.own.go(event_id)
        except Unavailable:
            with record.lock:
                record.busy += 1
            return
        with record.lock:
            record.handled += 1
            if isinstance(found, GateSession):
                record.straight.append((asked, found.position))
            else:
                (join,) = real.joins(1)
                record.waited[join.request_id] = time.time()
                record.queue.append(join)

    def work() -> None:
        """Assign positions to the visitors who wait, and make the steps of admission."""
        room = real.new_room()
        while not ended.wait(0.5):
            with record.lock:
                batch, record.queue = record.queue, []
            if batch:
                room.workers.line.joins_received(event_id, batch)
                room.workers.assignment.assign(event_id, batch)
            room.workers.admission.step_after_joins(event_id)

    worker = threading.Thread(target=work)
    worker.start()
    with ThreadPoolExecutor(2 * THREADS) as pool:
        for number in range(OFFERED * ARRIVAL_SECONDS):
            time.sleep(max(0.0, began + number / OFFERED - time.time()))
            pool.submit(arrive, number)
    spent = time.time() - began
    time.sleep(1)
    ended.set()
    worker.join()
    return figures(real, event_id, record, began, spent)


def figures(
    real: RealRoom, event_id: str, record: Record, began: float, spent: float
) -> dict[str, Any]:
    """Return the figures; a waiting visitor is served when the serving counter reaches it."""
    log = real.new_stores().log
    state = log.read(event_id)
    moves = log.moves(state)
    elapsed = time.time() - began
    allowed = burst({"burst": None}, PER_MINUTE) + PER_MINUTE * elapsed / 60
    rows = real.positions.get_many(event_id, list(record.waited))
    reached = [move.current for move in moves]

    def served_at(request_id: str) -> float:
        row = rows.get(request_id)
        index = bisect_left(reached, row.position) if row else len(moves)
        return moves[index].at + 1.0 if index < len(moves) else float("inf")

    waits = [(at, served_at(request_id)) for request_id, at in record.waited.items()]
    overtaken = [
        (at, max((asked for asked, _ in record.straight if at < asked < served), default=0.0))
        for at, served in waits
    ]
    late = [one for one in overtaken if one[1] - one[0] > COPIES]
    return {
        "arrivals handled": record.handled,
        "arrivals handled a second": record.handled / spent,
        "straight through": len(record.straight),
        "straight through a second, until the first visitor waits": rate_before_waits(record),
        "visitors who had to wait": len(record.waited),
        "busy responses": record.busy,
        "positions served": state.serving,
        "positions that the rate allows": int(allowed),
        "overshoot": max(0, state.serving - int(allowed)),
        "positions above the serving counter": sum(
            position > state.serving for _, position in record.straight
        ),
        "overtaken in the first two seconds": len([one for one in overtaken if one[1]]) - len(late),
        "overtaken after two seconds": len(late),
    }


def rate_before_waits(record: Record) -> float:
    """Return the straight positions per second until the first visitor had to wait."""
    if not record.straight:
        return 0.0
    first = min(asked for asked, _ in record.straight)
    last = max(asked for asked, _ in record.straight)
    return len(record.straight) / max(0.1, last - first)


def event(real: RealRoom, name: str) -> str:
    """Create an event behind a gate; return its id."""
    event_id = f"{real.event_id}-{name}"
    admission = {"strategy": "manual"}
    if name == "arrivals":
        admission = {"strategy": "rate", "per_minute": PER_MINUTE}  # type: ignore[dict-item]
    content = {"protect": [{"path": f"/{name}"}], "admission": admission}
    real.event_documents().put(event_id, content, None, actor=ADA)
    return event_id


if __name__ == "__main__":
    sys.exit(main())
