# SPDX-License-Identifier: Apache-2.0
"""Time that Valkey takes for the scripts that read the counters, by number of moves.

All moves lie within the rate window of five minutes. The time is that of ``SLOWLOG``: the
server's own, without network and client. Runs of the scripts alternate; the result is the median.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from tests.benchmarks.tables import number_setting, numbers_setting, table
from tests.support import servers
from waiting_room.adapters.redis import counters as adapter
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain.counter_snapshot import Snapshot
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.records import EventState, ServingMove

MOVES = numbers_setting("MOVES", (0, 10, 1_000, 10_000))
CALLS = number_setting("CALLS", 300)
ROUNDS = number_setting("ROUNDS", 7)
BEFORE = Path(__file__).with_name("counts_by_iteration.lua")


def event_with_moves(counters: RedisCounters, event_id: str, moves: int, now: int) -> None:
    """Fill the counters of an event with moves of one position each, within the rate window."""
    steps = tuple(
        ServingMove(at + 1, at, at + 1, now - RATE_WINDOW + 1 + at * (RATE_WINDOW - 1) // moves, "")
        for at in range(moves)
    )
    state = EventState(
        event_id, queue=2 * moves, serving=moves, version=moves, move=steps[-1] if steps else None
    )
    lease_id = uuid.uuid4().hex
    counters.acquire_rebuild_lease(event_id, lease_id)
    counters.restore(Snapshot(state, steps, ()), lease_id)


def microseconds(client: redis.Redis, call: Callable[[], Any]) -> list[int]:
    """Return the server's times of the one script that ``call`` runs, one for each call."""
    call()
    client.slowlog_reset()
    for _ in range(CALLS):
        call()
    logged: list[dict[str, Any]] = client.slowlog_get(2 * CALLS)
    return [one["duration"] for one in logged if one["command"].startswith(b"EVALSHA")]


def scripts(client: redis.Redis, moves: int, now: int) -> dict[str, Callable[[], Any]]:
    """Return a call of each script, for an event with so many moves."""
    counters, event_id, former_id = RedisCounters(client), f"Event-{moves}", f"Former-{moves}"
    for one in (event_id, former_id):
        event_with_moves(counters, one, moves, now)
    former, keys = client.register_script(BEFORE.read_text()), adapter._event_keys(former_id)
    about: dict[str, Any] = client.info("everything")
    client.hset(keys[0], "run", f"{about['run_id']}:{about['master_replid']}")  # as it was then
    arguments = [now, RATE_WINDOW, SHORTEST_RATE, LATEST_MOVES]
    return {
        "counts, iterating": lambda: former(keys, arguments),
        "counts": lambda: counters.counts(event_id, now),
        "serving_num": lambda: counters.serving_number(event_id),
        "waiting_num": lambda: counters.waiting_number(event_id),
        "position_status": lambda: counters.position_status(event_id, moves // 2),
    }


def measure(client: redis.Redis) -> dict[str, list[int]]:
    """Return the median time (µs) of each script, by number of moves."""
    now = int(time.time())
    client.config_set("slowlog-log-slower-than", 0)
    client.config_set("slowlog-max-len", 2 * CALLS)
    calls = {
        (name, moves): call for moves in MOVES for name, call in scripts(client, moves, now).items()
    }
    found: dict[tuple[str, int], list[int]] = {key: [] for key in calls}
    for _ in range(ROUNDS):
        for key, call in calls.items():
            found[key] += microseconds(client, call)
    names = dict.fromkeys(name for name, _ in calls)
    return {name: [int(statistics.median(found[name, moves])) for moves in MOVES] for name in names}


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        server = servers.Valkey(Path(folder))
        try:
            found = measure(server.client())
        finally:
            server.kill()
    table(
        "Time of Redis for one script, µs, by moves within five minutes",
        ["script", *(f"{moves:,} moves" for moves in MOVES)],
        [[name, *times] for name, times in found.items()],
        name="counter-reads",
    )


if __name__ == "__main__":
    main()
