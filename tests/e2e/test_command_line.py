# SPDX-License-Identifier: Apache-2.0
"""The command line against the running room, without settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.local_stack import FAST, RunningRoom, running_room
from tests.support.servers import ROOT

pytestmark = pytest.mark.server
FILE = """\
Spring: {title: Spring sale}
Summer: {title: Summer sale, schedule: {opens_at: 2100-06-01T12:00:00+02:00}}
Winter: {title: Winter sale}
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    with running_room(tmp_path_factory.mktemp("room"), **FAST) as made:
        yield made


def run(room: RunningRoom, *arguments: str, code: int = 0, stdin: str = "") -> str:
    """Run a command as a user does; return its output, or its error."""
    done = subprocess.run(
        [sys.executable, "-m", "apps.command_line", *arguments],
        input=stdin, capture_output=True, text=True, cwd=room.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "source"), "LOCAL_DIR": str(room.folder)},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def found(room: RunningRoom, *arguments: str) -> Any:
    """Run a command with ``--json``; return its content."""
    return json.loads(run(room, *arguments, "--json"))


def test_events_are_applied_listed_and_controlled(room: RunningRoom) -> None:
    run(room, "events", "apply", "-", "--dry-run", code=10, stdin=FILE)
    assert "3 created" in run(room, "events", "apply", "-", "--yes", stdin=FILE)
    assert "3 of 3 events without" in run(room, "events", "apply", "-", "--yes", stdin=FILE)
    phases = {one["event_id"]: one["phase"] for one in found(room, "events", "list")["events"]}
    assert phases == {
        room.event_id: "open", "Spring": "open", "Summer": "scheduled", "Winter": "open",
        "SpringTour": "scheduled", "WinterSale": "closed",
    }  # fmt: skip
    assert "(phase: scheduled)" in run(room, "pause", "Summer", code=1)
    assert run(room, "pause", "Spring") == "Spring is paused.\n"
    changed = run(room, "events", "apply", "-", "--yes", stdin=FILE.replace("Spring sale", "Sale"))
    assert '"Spring sale" → "Sale"' in changed
    document = found(room, "events", "show", "Spring")
    assert (document["phase"], document["version"], document["title"]) == ("paused", 3, "Sale")
    assert run(room, "resume", "Spring") == "Spring is open.\n"


def test_a_stopped_event_is_not_reopened_by_a_file(room: RunningRoom) -> None:
    run(room, "events", "apply", "-", "--yes", stdin="Held: {}")
    run(room, "close", "Held")
    run(room, "events", "apply", "-", "--yes", stdin="Held: {schedule: {opens_at: 1}}")
    assert found(room, "events", "show", "Held")["phase"] == "closed"
    run(room, "events", "delete", "Held", "--yes", "--version", "1", code=3)
    assert run(room, "events", "delete", "Held", "--yes") == "Held is deleted.\n"
    assert "no event" in run(room, "events", "show", "Held", code=1)


def test_an_invalid_member_is_named(room: RunningRoom) -> None:
    stdin = "Sale: {turn: {expires_after: -1}}"
    error = run(room, "events", "apply", "-", "--yes", stdin=stdin, code=2)
    assert error.startswith("Error: Sale: turn.expires_after must be")


def test_status_shows_the_counters_of_the_public_api(room: RunningRoom) -> None:
    room.position(room.join())
    status = found(room, "status", room.event_id)
    assert status["document"]["event_id"] == room.event_id
    assert status["status"]["queue_counter"] >= 1
    assert "Positions assigned" in run(room, "status", room.event_id)


def test_the_keys_of_another_room_are_not_permitted(room: RunningRoom) -> None:
    env = {"AWS_ACCESS_KEY_ID": "OTHER", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-central-1"}
    done = subprocess.run(
        [sys.executable, "-m", "apps.command_line", "events", "list",
         "--api", room.endpoints["private_api"]],
        capture_output=True, text=True,
        env={**os.environ, **env, "PYTHONPATH": str(ROOT / "source")},
    )  # fmt: skip
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
