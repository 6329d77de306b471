# SPDX-License-Identifier: Apache-2.0
"""Counts of tokens and sessions in the tables: exact under repeats, races and lost responses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from unittest import mock

import pytest

from tests.contract.fed_counters import FedCounters
from waiting_room.adapters.dynamodb import counters, served_segments
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import LiveToken
from waiting_room.domain.ports.counters import JoinLease
from waiting_room.domain.records import EventState, SessionStatus

NOW = 1_800_000_000
OPEN, COMPLETED = SessionStatus.OPEN, SessionStatus.COMPLETED


@pytest.fixture(params=["moto", "dynamodb_local"])
def stored(request: pytest.FixtureRequest) -> FedCounters:
    """Counters on each kind of table server."""
    counters: FedCounters = request.getfixturevalue(f"{request.param}_counters")
    return counters


def rows_of(count: int) -> list[LiveToken]:
    """Tokens with sessions at a gate; every third is renewed, every fourth ended."""
    rows = [LiveToken(one, NOW + one, OPEN, NOW + 60) for one in range(1, count + 1)]
    rows += [LiveToken(one, NOW + one, OPEN, NOW + 120) for one in range(3, count + 1, 3)]
    return rows + [LiveToken(one, NOW + one, COMPLETED) for one in range(4, count + 1, 4)]


def test_functions_that_count_at_once_count_each_row_once(
    stored: FedCounters, event_id: str
) -> None:
    stored.apply(EventState(event_id, queue=400))
    rows = rows_of(400)
    shares = [rows[index::4] for index in range(4)]
    shares += [Random(index).sample(rows, 200) for index in range(2)]  # repeated deliveries
    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(lambda share: stored.count(event_id, 1, share), shares))
    counts = stored.counts(event_id, NOW)
    assert (counts.tokens, counts.completed, counts.active) == (400, 100, 300)
    assert counts.sessions == 300
    assert stored.counts(event_id, NOW + 60).sessions == 100
    assert stored.counts(event_id, NOW + 200).active == 150


def test_no_join_has_a_lease_and_no_position_is_given_without_a_read(
    stored: FedCounters, event_id: str
) -> None:
    for _ in range(2):
        leases = stored.acquire_join_leases(event_id, ["a", "b"], NOW)
        assert leases == [JoinLease.STALE] * 2, "the worker reads whether they have a position"
    stored.release_join_leases(event_id, ["a"], NOW)


def test_a_row_of_an_earlier_generation_is_not_counted(stored: FedCounters, event_id: str) -> None:
    stored.apply(EventState(event_id, generation=2, queue=5))
    assert not stored.count_token(event_id, 1, 3, NOW + 10)
    assert stored.count_token(event_id, 2, 3, NOW + 10)
    assert stored.counts(event_id, NOW).tokens == 1


def test_more_rows_than_a_transaction_takes_are_counted(stored: FedCounters, event_id: str) -> None:
    """Ended sessions are far apart: each changes a block and a row of ends of its own."""
    stored.apply(EventState(event_id, queue=100_000))
    rows = [LiveToken(400 * one, NOW + 100 * one, COMPLETED) for one in range(1, 71)]
    stored.count(event_id, 1, rows)
    counts = stored.counts(event_id, NOW)
    assert (counts.tokens, counts.completed, counts.active) == (70, 70, 0)


def test_the_rows_of_the_counts_have_at_most_one_kilobyte(
    stored: FedCounters, event_id: str
) -> None:
    """A write costs one unit a row, two in a transaction, also with the longest event id."""
    longest = event_id.ljust(64, "x")
    stored.apply(EventState(longest, queue=500))
    rows = [LiveToken(one, NOW + one % 64, OPEN, NOW + one % 64) for one in range(192, 384)]
    stored.count(longest, 1, rows)
    client = stored.client
    table = stored._rows._table
    found = [
        item
        for page in client.get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
        if item["id"]["S"].startswith(longest)
    ]
    assert {item["entry"]["S"].partition("#")[0] for item in found} == {"totals", "block", "ends"}
    for item in found:
        size = sum(len(name) + value_size(value) for name, value in item.items())
        assert size <= 1_024, item["entry"]


def value_size(value: dict[str, Any]) -> int:
    """Bytes of a value, as DynamoDB counts them; for numbers the upper limit."""
    ((kind, content),) = value.items()
    return len(content) // 2 + 2 if kind == "N" else len(content)


def test_a_deleted_event_leaves_no_row_for_good(stored: FedCounters, event_id: str) -> None:
    stored.apply(EventState(event_id, queue=5))
    stored.count_token(event_id, 1, 1, NOW + 10, NOW + 20)
    stored.trim(event_id, NOW, reconciled_at=NOW, swept_at=NOW)
    stored.discard(event_id, 1, 60)
    stored.discard(f"{event_id}-unknown", 1, 60)
    items = stored.client.scan(TableName=stored._rows._table)["Items"]
    mine = [item for item in items if item["id"]["S"].startswith(f"{event_id}#")]
    assert len(mine) == 4
    assert all("ttl" in item for item in mine)


def test_a_cold_function_starts_from_the_segments_of_many_moves(
    stored: FedCounters, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (counters, served_segments):
        monkeypatch.setattr(module, "CHECKPOINT_MOVES", 5)
    state = EventState(event_id, queue=100)
    for number in range(12):
        state = serving_counter.move(state, 2, NOW + number, "operator")
        stored.apply(state)
        if number == 7:
            stored.trim(event_id, NOW + number)
    cold = served_segments.ServedSegments(stored._log)
    with mock.patch.object(stored._log, "moves", wraps=stored._log.moves) as moves:
        assert cold.of(state) == stored._served.of(state)
    assert moves.call_args.args[1] == 8, "only the moves after the checkpoint are read"
    assert stored.position_status(event_id, 17).served_at == NOW + 8
