# SPDX-License-Identifier: Apache-2.0
"""A counter server that lost what it knew, in each way it can; the tables bring it back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import servers
from tests.support.real_stores import RealRoom


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[servers.Valkey]:
    """A server that the test may kill."""
    server = servers.Valkey(tmp_path)
    yield server
    server.kill()


def test_counters_that_fell_back_to_an_old_snapshot_are_rebuilt(
    tables_url: str, own_valkey: servers.Valkey, tmp_path: Path
) -> None:
    real = RealRoom(tables_url, own_valkey)
    real.room.workers.setup.run()
    joins = real.joins(30)
    real.room.workers.assignment.assign(real.event_id, joins[:10])
    real.room.control.increment(real.event_id, 10)
    real.room.tokens.issue(real.event_id, joins[0].request_id)
    own_valkey.client().save()
    shutil.copy(tmp_path / "dump.rdb", tmp_path / "old.rdb")
    real.room.workers.assignment.assign(real.event_id, joins[10:])
    real.room.control.increment(real.event_id, 5)
    for join in joins[1:9]:
        real.room.tokens.issue(real.event_id, join.request_id)
    before = real.room.metrics.counts(real.event_id)
    own_valkey.kill()
    shutil.copy(tmp_path / "old.rdb", tmp_path / "dump.rdb")
    own_valkey.start()
    assert own_valkey.client().dbsize() > 0
    after = real.room.metrics.counts(real.event_id)
    assert after == before
    assert (after.queue, after.serving, after.tokens) == (30, 15, 9)


def test_counters_of_an_emptied_server_are_rebuilt(
    tables_url: str, own_valkey: servers.Valkey
) -> None:
    real = RealRoom(tables_url, own_valkey)
    real.room.workers.setup.run()
    real.room.workers.assignment.assign(real.event_id, real.joins(7))
    real.room.control.increment(real.event_id, 3)
    before = {**real.room.metrics.status_page(real.event_id), "now": None}
    for lose in (own_valkey.client().flushall, own_valkey.kill):
        lose()
        if lose == own_valkey.kill:
            own_valkey.start()
        assert {**real.room.metrics.status_page(real.event_id), "now": None} == before
