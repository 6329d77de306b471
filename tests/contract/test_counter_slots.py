# SPDX-License-Identifier: Apache-2.0
"""All keys of an event share one hash slot: a cluster accepts each script and separates events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from tests.support import servers
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain.counter_snapshot import LiveToken, Snapshot
from waiting_room.domain.errors import CountersLost
from waiting_room.domain.records import EventState, SessionStatus, StateDetails
from waiting_room.domain.serving_counter import move

NOW = 1_800_000_000
ALL_SLOTS = 16_384


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Valkey]:
    """A cluster of one node, which rejects keys of two slots in one script."""
    folder = Path(tmp_path_factory.mktemp("cluster"))
    server = servers.Valkey(folder, None, "--cluster-enabled", "yes")
    try:
        client = server.client()
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, ALL_SLOTS - 1)
        deadline = time.monotonic() + 30
        while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
            assert time.monotonic() < deadline, "the cluster does not accept its slots"
            time.sleep(0.05)
        yield server
    finally:
        server.kill()


def every_method(counters: RedisCounters, event_id: str) -> dict[str, Callable[[], Any]]:
    """One call of each method, in an order that succeeds."""
    state = EventState(event_id, queue=9)
    details = StateDetails("hello", 1.0, (7,))
    return {
        "revoke_rebuild_leases": lambda: counters.revoke_rebuild_leases(event_id),
        "acquire_rebuild_lease": lambda: counters.acquire_rebuild_lease(event_id, "a"),
        "renew_rebuild_lease": lambda: counters.renew_rebuild_lease(event_id, "a"),
        "release_rebuild_lease": lambda: counters.release_rebuild_lease(event_id, "a"),
        "restore": lambda: counters.restore(Snapshot(state, (), (), details=details), "a"),
        "apply": lambda: counters.apply(move(state, 5, NOW, "operator"), details=details),
        "counts": lambda: counters.counts(event_id, NOW),
        "serving_number": lambda: counters.serving_number(event_id),
        "waiting_number": lambda: counters.waiting_number(event_id),
        "position_status": lambda: counters.position_status(event_id, 3),
        "acquire_join_leases": lambda: counters.acquire_join_leases(event_id, ["r"], NOW),
        "release_join_leases": lambda: counters.release_join_leases(event_id, ["r"], NOW),
        "count_token": lambda: counters.count_token(event_id, 1, 3, NOW + 60),
        "count_session": lambda: counters.count_session(
            event_id, 1, 3, NOW + 60, SessionStatus.COMPLETED
        ),
        "recount": lambda: counters.recount(
            event_id, 1, [LiveToken(4, NOW + 60, SessionStatus.OPEN)], 0
        ),
        "checkpoint": lambda: counters.checkpoint(event_id, NOW),
        "trim": lambda: counters.trim(event_id, NOW + 9_999, reconciled_at=NOW),
        "discard": lambda: counters.discard(event_id, 1, 60),
    }


def test_every_script_uses_keys_of_one_slot_and_of_its_event_only(
    cluster: servers.Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cluster.client()
    counters, execute = RedisCounters(client), client.execute_command
    used: dict[str, list[str]] = {}

    def noting(*command: Any, **options: Any) -> Any:
        if command[0] == "EVALSHA":
            used.setdefault(name, []).extend(command[3 : 3 + int(command[2])])
        return execute(*command, **options)

    monkeypatch.setattr(client, "execute_command", noting)
    methods = every_method(counters, "Event-1")
    assert set(methods) == {one for one in vars(RedisCounters) if not one.startswith("_")}
    for name, call in methods.items():  # noqa: B007 - ``noting`` uses it
        call()
    assert set(used) == set(methods)
    assert {key_slot(key.encode()) for keys in used.values() for key in keys} == {
        key_slot(b"{Event-1}")
    }
    stored = {key.decode() for key in client.keys("*")}
    assert stored <= {key for keys in used.values() for key in keys}


def test_a_hundred_events_are_in_many_slots_and_none_changes_another(
    cluster: servers.Valkey,
) -> None:
    counters = RedisCounters(cluster.client())
    events = [f"Event.{number}" for number in range(100)]
    for number, event_id in enumerate(events):
        counters.acquire_rebuild_lease(event_id, "a")
        assert counters.restore(Snapshot(EventState(event_id, queue=number), (), ()), "a")
    counters.apply(EventState(events[5], generation=2))
    found = [counters.counts(event_id, NOW) for event_id in events]
    assert [one.queue for one in found] == [*range(5), 0, *range(6, 100)]
    assert [one.generation for one in found].count(2) == 1
    assert len({key_slot(f"{{{event_id}}}".encode()) for event_id in events}) > 90
    with pytest.raises(CountersLost):
        counters.counts("Event.100", NOW)
