# SPDX-License-Identifier: Apache-2.0
"""The inlets in the running room: `make run INLET=…`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.local_stack import FAST, RunningRoom, running_room
from tests.support.servers import aws_client

pytestmark = pytest.mark.server


def soon(check: Callable[[], Any], seconds: float = 20) -> Any:
    """What ``check`` answers once it is true."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


def figures(room: RunningRoom) -> dict[str, Any]:
    return dict(room.private("GET", "/metrics").json())


def test_the_periodic_inlet_opens_places_by_itself_and_pauses(tmp_path: Path) -> None:
    with running_room(tmp_path / "room", INLET="periodic", INCREMENT_BY="5", **FAST) as room:
        soon(lambda: figures(room)["serving_counter"] == 5)
        visitor = room.join()
        assert room.position(visitor) == 1
        assert room.token(visitor).status_code == 200
        shown = soon(lambda: room.private("GET", "/inlet").json())
        assert (shown["strategy"], shown["targets"]) == ("Periodic", {"increment_by": 5})
        paused = room.private("POST", "/inlet", {"paused": True}).json()
        assert paused["paused"] is True


def test_the_max_size_inlet_fills_the_site_and_gives_on_whose_place_is_free(
    tmp_path: Path,
) -> None:
    with running_room(tmp_path / "room", INLET="max-size", MAX_SIZE="2", **FAST) as room:
        first, second, third = visitors = [room.join() for _ in range(3)]
        places = sorted((room.position(one), one) for one in visitors)
        first, second, third = (one for _, one in places)
        soon(lambda: figures(room)["serving_counter"] == 2)
        assert room.token(first).status_code == 200
        assert room.token(second).status_code == 200
        assert room.token(third).status_code == 202
        message = json.dumps({"completed": [first]})
        topic = room.endpoints["exit_topic"]
        sns = aws_client("sns", room.endpoints["aws_endpoint_url"])
        sns.publish(TopicArn=topic, Message=message)
        soon(lambda: room.token(third).status_code == 200)
        assert room.token(first).status_code == 410
        assert figures(room)["active_tokens"] == 2


def test_automatic_admission_admits_an_arrival_at_once(tmp_path: Path) -> None:
    with running_room(tmp_path / "room", INLET="automatic", TARGET_ACTIVE="3", **FAST) as room:
        visitors = [room.join() for _ in range(5)]
        for visitor in visitors:
            room.position(visitor)
        soon(lambda: figures(room)["serving_counter"] == 3)
        soon(lambda: sum(room.token(one).status_code == 200 for one in visitors) == 3)
        assert room.private("GET", "/inlet").status_code == 404
