# SPDX-License-Identifier: Apache-2.0
"""Leases of joins as Redis stores them: packed into buckets, which requests may share."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.test_counters import NOW, whole
from tests.support.fakes.counters import MemoryCounters
from waiting_room.adapters.redis import counters as adapter
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.domain.ports.counters import JoinLease

if TYPE_CHECKING:
    from tests.support import servers

HELD, NEW = JoinLease.HELD, JoinLease.NEW
MOST_BYTES = 50  # of Redis, for each visitor who joined within the hour
# (whether leases are taken or given back, requests of the batch, seconds since the last call)
CALLS = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 9), max_size=6), st.integers(0, 61)),
    max_size=12,
)


def one_bucket(request_id: str) -> bytes:
    """Return a short id whose bytes occur in other records as well."""
    number = int(request_id)
    return b"\0\0" + bytes([number % 2] * 6 + [number])


@settings(max_examples=25)
@given(calls=CALLS)
def test_leases_in_one_bucket_are_those_of_single_requests(
    calls: list[tuple[bool, list[int], int]], valkey: servers.Valkey
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "short_id", one_bucket)
        patch.setattr(secrets, "token_bytes", lambda count: b"\0\1\1"[:count])
        packed, model = RedisCounters(valkey.client()), MemoryCounters()
        event_id, now = f"Event-{uuid.uuid4().hex[:8]}", NOW
        for counters in (packed, model):
            whole(counters, event_id)
        for taken, numbers, seconds in calls:
            now += seconds + 1  # the calls have one token: only the time differs
            ids = list(map(str, numbers))
            if taken and ids:
                found = packed.acquire_join_leases(event_id, ids, now)
                assert found == model.acquire_join_leases(event_id, ids, now)
            elif ids:
                for counters in (packed, model):
                    counters.release_join_leases(event_id, ids, now)


def test_bytes_across_two_records_are_no_lease(
    valkey: servers.Valkey, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = NOW.to_bytes(4, "big")
    monkeypatch.setattr(secrets, "token_bytes", lambda _: b"xyz")
    monkeypatch.setattr(adapter, "short_id", lambda text: b"\0\0" + text.encode("latin-1"))
    counters = RedisCounters(valkey.client())
    whole(counters, event_id)
    first, second = "abcdefg", "ABCDEFG"
    assert counters.acquire_join_leases(event_id, [first, second], NOW) == [NEW, NEW]
    across = ["bcdefg" + lease[:1].decode("latin-1"), "xyzABCD"]
    for request_id in across:
        assert counters.acquire_join_leases(event_id, [request_id], NOW) == [NEW]
    later = [first, second, *across]
    assert counters.acquire_join_leases(event_id, later, NOW + 1) == [HELD] * 4


def test_a_short_id_is_a_bucket_and_seven_bytes_of_a_hash() -> None:
    found = [adapter.short_id(str(number)) for number in range(5_000)]
    assert {len(short) for short in found} == {9}
    buckets = {int.from_bytes(short[:2], "big") for short in found}
    assert max(buckets) < adapter.LEASE_BUCKETS
    assert len(buckets) > 4_000  # of 16,384
    assert len(set(found)) == len({short[2:] for short in found}) == 5_000


# While Redis doubles the table of a hash, it has both tables: some sizes below 4,400 take up to 60.
@pytest.mark.parametrize("visitors", [100, 3_000, 20_000])
def test_a_lease_takes_at_most_fifty_bytes(
    valkey: servers.Valkey, event_id: str, visitors: int
) -> None:
    client = valkey.client()
    counters = RedisCounters(client)
    whole(counters, event_id)
    for start in range(0, visitors, 1_000):
        count = min(1_000, visitors - start)
        ids = [str(uuid.UUID(int=(start + number) << 64)) for number in range(count)]
        assert counters.acquire_join_leases(event_id, ids, NOW) == [NEW] * count
    (key,) = client.scan_iter(match=f"*{{{event_id}}}:lease*")
    assert client.memory_usage(key, samples=0) / visitors <= MOST_BYTES
