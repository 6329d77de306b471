# SPDX-License-Identifier: Apache-2.0
"""Time that Valkey takes for the scripts that read the counters, by number of moves.

All moves lie within the rate window of five minutes. In the rows with expiries, a token expired in
each second of the last ten minutes, and the upkeep ran half a minute ago. The time is that of
``SLOWLOG``: the server's own, without network and client. Runs of the scripts alternate; the result
is the median. Former versions of the script run on events that have the fields of that time.
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
from waiting_room.domain.counter_snapshot import LiveToken, Snapshot
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.records import EventState, ServingMove, SessionStatus

MOVES = numbers_setting("MOVES", (0, 10, 1_000, 10_000))
CALLS = number_setting("CALLS", 300)
ROUNDS = number_setting("ROUNDS", 7)
EXPIRED = 600  # s in each of which a token expired
UPKEEP_AGE = 30  # s
ITERATING = Path(__file__).with_name("counts_by_iteration.lua")
SEARCHING = Path(__file__).with_name("counts_by_search.lua")


def fill(counters: RedisCounters, event_id: str, moves: int, now: int, expired: int) -> None:
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
    tokens = [
        LiveToken(position, now - expired + position, SessionStatus.OPEN)
        for position in range(1, expired + 1)
    ]
    counters.restore(Snapshot(state, steps, tuple(tokens)), lease_id)
    counters.trim(event_id, now - UPKEEP_AGE)


def microseconds(client: redis.Redis, call: Callable[[], Any]) -> list[int]:
    """Return the server's times of the one script that ``call`` runs, one for each call."""
    call()
    client.slowlog_reset()
    for _ in range(CALLS):
        call()
    logged: list[dict[str, Any]] = client.slowlog_get(2 * CALLS)
    return [one["duration"] for one in logged if one["command"].startswith(b"EVALSHA")]


def former(client: redis.Redis, event_id: str) -> tuple[str, ...]:
    """Change the fields of an event to those of former versions; return its keys."""
    keys = adapter._event_keys(event_id)
    about: dict[str, Any] = client.info("everything")
    fields = {
        "run": f"{about['run_id']}:{about['master_replid']}",
        "built_on": about["master_replid"],
    }
    latest: Any = client.hget(keys[0], "latest")
    if latest:
        oldest_at, _, segments = latest.decode().partition(" ")
        fields |= {"oldest": "1", "oldest_at": oldest_at, "latest": segments}
    client.hset(keys[0], mapping=fields)
    client.hdel(keys[0], "replication_id", "summary", "firsts")
    return keys


def scripts(client: redis.Redis, moves: int, now: int) -> dict[str, Callable[[], Any]]:
    """Return a call of each script, for an event with so many moves."""
    counters = RedisCounters(client)
    iterating = client.register_script(ITERATING.read_text())
    searching = client.register_script(SEARCHING.read_text())
    event_id, busy_id = f"Event-{moves}", f"Busy-{moves}"
    former_id, former_busy_id = f"Former-{moves}", f"Former-busy-{moves}"
    for one, expired in (
        (event_id, 0),
        (former_id, 0),
        (busy_id, EXPIRED),
        (former_busy_id, EXPIRED),
    ):
        fill(counters, one, moves, now, expired)
    keys, busy_keys = former(client, former_id), former(client, former_busy_id)
    arguments = [now, RATE_WINDOW, SHORTEST_RATE, LATEST_MOVES]
    return {
        "counts, iterating": lambda: iterating(keys, arguments),
        "counts, searching": lambda: searching(keys, arguments),
        "counts": lambda: counters.counts(event_id, now),
        "counts, iterating, with expiries": lambda: iterating(busy_keys, arguments),
        "counts, searching, with expiries": lambda: searching(busy_keys, arguments),
        "counts, with expiries": lambda: counters.counts(busy_id, now),
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
