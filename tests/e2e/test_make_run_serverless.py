# SPDX-License-Identifier: Apache-2.0
"""`make run PROFILE=serverless`: the whole room without Valkey, its counters in DynamoDB."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment.local.__main__ import LABELS
from tests.e2e.test_make_run import alive
from tests.e2e.test_ticket_shop import wait_and_shop
from tests.support.local_stack import FAST, RunningRoom, endpoints_of, running_room, start

pytestmark = pytest.mark.server
SERVERLESS = {**FAST, "PROFILE": "serverless"}
SECONDS = 30  # most time until the stream's reader has counted


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    """A room of the profile serverless."""
    with running_room(tmp_path_factory.mktemp("room"), **SERVERLESS) as started:
        yield started


def figures(room: RunningRoom, **wanted: int) -> dict[str, Any]:
    """Return the metrics of the event, once they have the wanted counts."""
    end = time.monotonic() + SECONDS
    while True:
        found: dict[str, Any] = room.private("GET", "/metrics").json()
        if {name: found[name] for name in wanted} == wanted or time.monotonic() > end:
            return found
        time.sleep(0.2)


def commands(folder: Path) -> dict[int, str]:
    """The command of each process of a room."""
    return {
        pid: Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        for pid in alive(folder)
    }


def test_a_visitor_joins_is_served_and_is_counted_without_a_redis(room: RunningRoom) -> None:
    assert room.private("POST", "/reset_initial_state").status_code == 200
    visitor, next_one = room.join(), room.join()
    places = [room.position(visitor), room.position(next_one)]
    assert sorted(places) == [1, 2]
    first = visitor if places[0] == 1 else next_one
    assert room.token(first).status_code == 202
    assert room.serve(1) == 1
    token = room.token(first)
    assert token.status_code == 200
    assert room.store("/checkout", token.json()["access_token"]).status_code == 200
    counted = figures(room, active_tokens=1)
    assert (counted["queue_counter"], counted["serving_counter"]) == (2, 1)
    assert (counted["active_tokens"], counted["waiting_num"]) == (1, 1)
    ended = {"request_id": first, "status": 1}
    assert room.private("POST", "/update_session", ended).status_code == 200
    assert figures(room, active_tokens=0)["active_tokens"] == 0


def test_the_shop_is_open_after_the_turn(room: RunningRoom) -> None:
    assert room.private("POST", "/reset_initial_state").status_code == 200
    wait_and_shop(room)


def test_every_address_is_there_and_no_process_is_a_redis(room: RunningRoom) -> None:
    printed = {name for _, name in LABELS if name != "inlet"}
    assert all(room.endpoints[name] for name in printed)
    assert room.endpoints["redis_url"] == ""
    for command in commands(room.folder).values():
        assert "valkey" not in command
        assert "redis" not in command


def test_a_room_whose_workers_were_killed_begins_again_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    process = start(folder, KEEP="1", **SERVERLESS)
    room = RunningRoom(endpoints_of(folder, process), folder, process)
    visitor = room.join()
    assert room.position(visitor) == 1
    room.serve(1)
    assert room.token(visitor).status_code == 200
    assert figures(room, active_tokens=1)["active_tokens"] == 1
    (workers,) = (
        pid for pid, command in commands(folder).items() if "local.workers.runner" in command
    )
    os.kill(workers, signal.SIGKILL)
    assert process.wait(60) == 1
    with running_room(folder, KEEP="1", **SERVERLESS) as room:
        assert room.position(visitor) == 1
        found = figures(room, active_tokens=1)
        assert (found["queue_counter"], found["serving_counter"]) == (1, 1)
        assert (found["active_tokens"], found["waiting_num"]) == (1, 0)
        assert room.position(room.join()) == 2
