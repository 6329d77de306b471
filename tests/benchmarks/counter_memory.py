# SPDX-License-Identifier: Apache-2.0
"""Memory of the counters in Valkey for a hundred events, by the state of the event.

Each event has joined visitors within the hour, a token for every second one, and a move of the
serving counter every ten seconds. Trimming has not run, so expiries and moves are all present.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.benchmarks.tables import number_setting, table
from tests.support import servers
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain.counter_snapshot import LiveToken, Snapshot
from waiting_room.domain.records import EventState, ServingMove, SessionStatus, StateDetails

EVENTS = number_setting("EVENTS", 100)
NOW = 1_800_000_000
MOVE_EVERY = 10  # s
HOUR = 3_600
JOINS = 1_000  # request ids of one call
LEASES = (1_000, 10_000, 100_000, 1_000_000)  # visitors of one event who joined within the hour
# visitors of one event who joined within the hour
SIZES = {"no visitors": 0, "1,000 visitors": 1_000, "10,000 visitors": 10_000}


def fill(counters: RedisCounters, event_id: str, visitors: int) -> None:
    """Fill the counters of one event."""
    served = visitors // 2
    count = HOUR // MOVE_EVERY if visitors else 0
    moves = tuple(
        ServingMove(
            at + 1, at * served // count, (at + 1) * served // count,
            NOW - HOUR + at * MOVE_EVERY, "operator",
        )
        for at in range(count)
    )  # fmt: skip
    state = EventState(
        event_id, queue=visitors, serving=served, version=len(moves),
        move=moves[-1] if moves else None,
    )  # fmt: skip
    tokens = tuple(
        LiveToken(position, NOW + position * HOUR // served, SessionStatus.OPEN)
        for position in range(1, served + 1)
    )
    lease_id = uuid.uuid4().hex
    counters.acquire_rebuild_lease(event_id, lease_id)
    details = StateDetails("Doors open at ten", 1.0)
    counters.restore(Snapshot(state, moves, tokens, details=details), lease_id)
    lease(counters, event_id, 0, visitors)


def lease(counters: RedisCounters, event_id: str, first: int, last: int) -> None:
    """Take leases for visitors up to ``last``."""
    for start in range(first, last, JOINS):
        ids = [str(uuid.uuid4()) for _ in range(min(JOINS, last - start))]
        counters.acquire_join_leases(event_id, ids, NOW)


def kilobytes(client: redis.Redis, keys: Iterator[bytes]) -> float:
    """Return the memory of some keys."""
    return sum(client.memory_usage(key, samples=0) or 0 for key in keys) / 1024


def measure(client: redis.Redis, visitors: int) -> list[float]:
    """Return memory of EVENTS events in MB; kB of one event, of its leases and the rest."""
    client.flushall()
    counters = RedisCounters(client)
    fill(counters, "Warm-up", 1)  # the scripts themselves
    client.flushall()
    before = client.info("memory")["used_memory"]
    for number in range(EVENTS):
        fill(counters, f"Event-{number}", visitors)
    grown = client.info("memory")["used_memory"] - before
    leases = kilobytes(client, client.scan_iter(match="*:leases:*"))
    all_keys = kilobytes(client, client.scan_iter())
    return [
        round(grown / 2**20, 1),
        round(grown / 1024 / EVENTS, 1),
        round(leases / EVENTS, 1),
        round((all_keys - leases) / EVENTS, 1),
    ]


def lease_bytes(client: redis.Redis) -> Iterator[tuple[int, float]]:
    """Return pairs of visitors of one event, and bytes of the leases for each of them."""
    client.flushall()
    counters = RedisCounters(client)
    fill(counters, "Event", 0)
    before = 0
    for visitors in LEASES:
        lease(counters, "Event", before, visitors)
        leases = kilobytes(client, client.scan_iter(match="*:leases:*"))
        yield visitors, round(leases * 1024 / visitors, 1)
        before = visitors


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        server = servers.Valkey(Path(folder))
        try:
            client = server.client()
            rows = [[name, *measure(client, visitors)] for name, visitors in SIZES.items()]
            leases = [list(row) for row in lease_bytes(client)]
        finally:
            server.kill()
    table(
        f"Memory of Redis: {EVENTS} events, by visitors of each event",
        [
            "each event has",
            f"{EVENTS} events, MB",
            "one event, kB",
            "join leases of one event, kB",
            "other keys of one event, kB",
        ],
        rows,
        name="counter-memory",
    )
    table(
        "Memory of the join leases of one event",
        ["visitors who joined within the hour", "bytes a visitor"],
        leases,
        name="lease-memory",
    )


if __name__ == "__main__":
    main()
