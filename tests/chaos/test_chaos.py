# SPDX-License-Identifier: Apache-2.0
"""The small size of each attack, and what the attacks broke once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from redis.exceptions import ResponseError

from tests.chaos import (
    clocks,
    crashes,
    dynamodb_faults,
    joins_queue,
    keys,
    lost_counters,
    resets,
    slow_dependencies,
    two_events,
)
from tests.chaos.faults import faulty_room
from tests.chaos.report import Result
from tests.chaos.servers import CounterServers, counter_servers, room_at, wait_for_link
from tests.chaos.traffic import short_leases
from tests.support import servers
from tests.support.faults import Faults
from tests.support.in_memory_room import IN_TABLES
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import SessionStatus

pytestmark = pytest.mark.server
SEED = int(os.environ.get("CHAOS_SEED", "0")) or 20_261_128  # fixed: CI fails by a change only


@pytest.fixture(scope="module")
def tables_url(request: pytest.FixtureRequest) -> str:
    """The table server that this machine can run."""
    missing = servers.missing_for_dynamodb_local() and not servers.in_ci()
    url: str = request.getfixturevalue("moto_url" if missing else "dynamodb_local_url")
    return url


@pytest.fixture
def counters() -> Iterator[CounterServers]:
    """A primary and a replica that the test may kill."""
    with counter_servers() as made:
        yield made


def held(found: Result) -> None:
    """Assert that every rule held; a failure prints the result with its seed."""
    print(found)
    assert found.clean, "\n".join([str(found), *dict.fromkeys(found.wrong)][:20])
    assert found.cases


def test_counters_lost_in_every_way(tables_url: str, counters: CounterServers) -> None:
    held(lost_counters.run(tables_url, counters, joins=1000, rounds=1, pause=0.4, seed=SEED))


def test_a_function_starts_while_the_counters_are_away(
    tables_url: str, counters: CounterServers
) -> None:
    """An actor of the attacks that starts late has no fault of its own."""
    real = room_at(tables_url, counters)
    counters.primary.kill()
    room = real.new_room()
    with pytest.raises(Unavailable):
        room.metrics.counts(real.event_id)
    counters.primary.start()
    assert room.metrics.counts(real.event_id).queue == 0


def test_a_worker_crashed_between_two_side_effects(tables_url: str, valkey: Any) -> None:
    with short_leases():
        held(crashes.run(tables_url, valkey, seed=SEED, every=60))


def test_a_worker_crashed_with_the_counters_in_the_tables(tables_url: str) -> None:
    held(crashes.run(tables_url, None, seed=SEED, every=51, **IN_TABLES))


def test_a_crash_of_a_function_that_counts_the_stream(tables_url: str) -> None:
    acts = (crashes.publish,)
    held(crashes.run(tables_url, None, seed=SEED, every=1, acts=acts, **IN_TABLES))


def test_duplicates_reordering_invalid_messages_and_a_redrive(
    tables_url: str, moto_url: str, valkey: Any
) -> None:
    held(joins_queue.run(tables_url, moto_url, valkey, joins=60, seed=SEED))


def test_one_event_never_changes_the_responses_of_another(tables_url: str, valkey: Any) -> None:
    held(two_events.run(tables_url, valkey, rounds=6, calls=8, seed=SEED))


def test_a_message_that_becomes_visible_between_two_counts_is_counted() -> None:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    counts = iter([("0", "0"), ("1", "0")])
    queues = object.__new__(joins_queue.Queues)
    queues.sqs = Mock()
    queues.sqs.get_queue_attributes = lambda **_: {
        "Attributes": dict(zip(names, next(counts), strict=True))
    }
    assert queues.size("queue") == 1


def test_a_large_batch(tables_url: str, valkey: Any) -> None:
    held(joins_queue.big_batch(tables_url, valkey, joins=500, seed=SEED))


@pytest.mark.parametrize("kind", dynamodb_faults.KINDS)
def test_tables_that_fail(tables_url: str, valkey: Any, kind: str) -> None:
    held(dynamodb_faults.run(tables_url, valkey, joins=60, seed=SEED, kind=kind))


@pytest.mark.parametrize("kind", dynamodb_faults.KINDS)
def test_tables_that_fail_with_the_counters_in_them(tables_url: str, kind: str) -> None:
    held(dynamodb_faults.run(tables_url, None, joins=60, seed=SEED, kind=kind, **IN_TABLES))


def test_resets_in_the_middle_of_it_with_the_counters_in_the_tables(tables_url: str) -> None:
    held(resets.run(tables_url, None, joins=300, resets=4, pause=0.4, seed=SEED, **IN_TABLES))


def test_a_dependency_that_hangs(moto_url: str, valkey: Any) -> None:
    held(
        slow_dependencies.run(moto_url, valkey, seed=SEED, modes=("hang",), routes=("GET /status",))
    )


def test_a_dependency_that_refuses(moto_url: str, valkey: Any) -> None:
    held(slow_dependencies.run(moto_url, valkey, seed=SEED, modes=("refuse",)))


def test_clocks_that_differ(tables_url: str, valkey: Any) -> None:
    held(clocks.run(tables_url, valkey, seed=SEED, minutes=14))


def test_resets_in_the_middle_of_it(tables_url: str, valkey: Any) -> None:
    held(resets.run(tables_url, valkey, joins=300, resets=4, pause=0.4, seed=SEED))


def test_rotations_under_load(tables_url: str, moto_url: str, valkey: Any) -> None:
    held(keys.run(tables_url, moto_url, valkey, rotations=1, seconds=1, seed=SEED))


def test_rotations_under_load_with_old_copies_of_the_keys(
    tables_url: str, moto_url: str, valkey: Any
) -> None:
    held(keys.run(tables_url, moto_url, valkey, rotations=1, seconds=1, seed=SEED, keep=60))


def test_a_snapshot_is_kept_although_another_save_runs(counters: CounterServers) -> None:
    client = counters.client()
    for number in range(30):
        client.set(f"key-{number}", 1)
    counters.wait_for_copy()
    client.config_set("rdb-key-save-delay", 20_000)  # microseconds that the child waits at each key
    client.bgsave()
    client.config_set("rdb-key-save-delay", 0)
    client.set("written-during-the-save", 1)
    assert client.info("persistence")["rdb_bgsave_in_progress"] == 1
    counters.keep_snapshot()
    counters.restart_old(0)
    assert counters.client().exists("written-during-the-save") == 1


def test_a_snapshot_that_cannot_be_written_is_an_error(counters: CounterServers) -> None:
    (counters.primary.folder / "dump.rdb").mkdir()
    with pytest.raises(ResponseError):
        counters.keep_snapshot()


# --- what the attacks broke ------------------------------------------------------------------


def test_a_primary_that_was_demoted_and_promoted_again_is_not_trusted(
    tables_url: str, counters: CounterServers
) -> None:
    """It keeps its run id, and took over an older copy in between."""
    first, second = counters.primary.client(), counters.replica.client()
    real = room_at(tables_url, counters)
    real.room.workers.assignment.assign(real.event_id, real.joins(5))
    counters.wait_for_copy()
    counters.lag()
    real.room.control.increment(real.event_id, 4)
    assert real.room.metrics.counts(real.event_id).serving == 4
    second.replicaof("NO", "ONE")  # with the first's run id in its copy, and serving 0
    first.replicaof("127.0.0.1", counters.replica.port)
    wait_for_link(first)
    first.replicaof("NO", "ONE")
    assert real.new_room().metrics.counts(real.event_id).serving == 4


def test_a_demoted_primary_answers_nobody(tables_url: str, counters: CounterServers) -> None:
    """It holds old counters until it has copied the new primary."""
    real = room_at(tables_url, counters)
    real.room.control.increment(real.event_id, 4)
    counters.primary.client().replicaof("127.0.0.1", 1)
    with pytest.raises(Unavailable):
        real.room.metrics.counts(real.event_id)


@pytest.mark.parametrize("setting", ["maxmemory 1", "min-replicas-to-write 3"])
def test_a_server_that_takes_no_writes_is_no_500(
    tables_url: str, counters: CounterServers, setting: str
) -> None:
    real = room_at(tables_url, counters)
    joins = real.joins(3)
    counters.client().config_set(*setting.split())
    assert not real.room.workers.assignment.assign(real.event_id, joins).retry
    real.room.control.increment(real.event_id, 1)
    with pytest.raises(Unavailable):
        real.counters().count_token(real.event_id, 1, 1, int(time.time()) + 60)
    counters.client().config_set(setting.split()[0], "0")
    real.room.workers.reconciliation.run(real.event_id)  # the minute worker brings the counters up
    real.room.tokens.issue(real.event_id, joins[0].request_id)


def test_a_session_ended_by_a_write_that_was_sent_twice_is_ended_and_counted(
    tables_url: str, valkey: Any
) -> None:
    real = room_at(tables_url, valkey)
    joins = real.joins(1)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, 1)
    real.room.tokens.issue(real.event_id, joins[0].request_id)
    faults = Faults()
    faults.replayed = 1.0
    faulty_room(real, faults).sessions.end(real.event_id, joins[0].request_id, 1)
    counts = real.room.metrics.counts(real.event_id)
    assert (counts.active, counts.completed) == (0, 1)
    row = real.outcomes.get(real.event_id, 1, 1)
    assert row
    assert row.status is SessionStatus.COMPLETED


def test_one_function_rebuilds_while_the_others_wait(tables_url: str, valkey: Any) -> None:
    """A hundred warm functions that all read every row would throttle the table."""
    real = room_at(tables_url, valkey)
    joins = real.joins(40)
    real.room.workers.assignment.assign(real.event_id, joins)
    real.room.control.increment(real.event_id, 40)
    rooms = [real.new_room() for _ in range(12)]
    for room in rooms:
        room.metrics.counts(real.event_id)
    valkey.client().flushall()
    real.requests.clear()
    ready = threading.Barrier(len(rooms))
    serving: list[int] = []

    def ask(room: Any) -> None:
        ready.wait()
        serving.append(room.metrics.counts(real.event_id).serving)

    threads = [threading.Thread(target=ask, args=(room,)) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert serving == [40] * len(rooms)
    assert real.requests["Query"] <= 1 + 16  # the state row with its details, and each shard once
    assert real.requests["GetItem"] == 0
