# SPDX-License-Identifier: Apache-2.0
"""`make run`: how it starts, what it says when it cannot, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.local_stack import FAST, ended_run, endpoints_of, running_room, start

pytestmark = pytest.mark.server


def alive(folder: Path) -> list[int]:
    """Processes whose environment names the folder: what a run started and did not end."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"LOCAL_DIR={folder}".encode() in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def test_a_second_run_says_what_is_running_and_the_end_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    with running_room(folder, **FAST) as room:
        second = ended_run(folder)
        assert second.returncode == 0
        assert "is running already" in second.stdout
        assert room.endpoints["waiting_room_url"] in second.stdout
        mode = (folder / "endpoints.json").stat().st_mode & 0o777
        assert mode == 0o600
        assert len(alive(folder)) >= 3
    assert not (folder / "endpoints.json").exists()
    assert alive(folder) == []


def test_what_was_there_is_there_again_with_keep(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    with running_room(folder, KEEP="1", **FAST) as room:
        visitor, other = room.join(), room.join()
        place = room.position(visitor)
        room.position(other)
        room.serve(1)
        token = room.token(visitor if place == 1 else other).json()["access_token"]
        before = room.endpoints
        events = f"{before['private_api']}/events"
        assert room.call("POST", f"{events}/SpringTour/actions/close").status_code == 200
        assert room.call("DELETE", f"{events}/WinterSale").status_code == 200
    with running_room(folder, KEEP="1", **FAST) as room:
        listed = room.call("GET", events).json()["events"]
        assert {one["event_id"]: one["phase"] for one in listed} == {
            room.event_id: "open", "SpringTour": "closed",
        }  # fmt: skip
        assert room.endpoints["public_api"] == before["public_api"]
        assert room.position(visitor) == place
        figures = room.private("GET", "/metrics").json()
        assert (figures["queue_counter"], figures["serving_counter"]) == (2, 1)
        assert (figures["waiting_num"], figures["active_tokens"]) == (1, 1)
        assert room.store("/checkout", token).status_code == 200
    file = tmp_path / "events.yaml"
    file.write_text("Sale: {title: Sale}")
    with running_room(folder, EVENTS=str(file), **FAST) as room:
        assert room.ask("/queue_num", visitor).status_code == 202
        listed = room.call("GET", f"{room.endpoints['private_api']}/events").json()["events"]
        assert [one["event_id"] for one in listed] == ["Sale", room.event_id]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PUBLIC_API_PORT": "eighty"}, "PUBLIC_API_PORT must be a port number, not 'eighty'."),
        ({"PROFILE": "tiny"}, "PROFILE must be one of standard, cheap, serverless, not 'tiny'."),
        (
            {"PROFILE": "serverless", "REDIS_URL": "redis://127.0.0.1:6379"},
            "REDIS_URL must be empty: PROFILE=serverless has no Redis.",
        ),
        (
            {"PROFILE": "serverless", "REDIS_PORT": "6379"},
            "REDIS_PORT must be empty: PROFILE=serverless has no Redis.",
        ),
        ({"INLET": "hourly"}, "INLET must be one of periodic, max-size, automatic"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL must be an address with redis or rediss"),
        ({"VALIDITY_PERIOD": "-5"}, "The setting VALIDITY_PERIOD must be between 1 and 86400"),
        ({"BRAND": "{"}, "BRAND must be a JSON object"),
        ({"SITE_ENTRANCE": "http://shop.example/a"}, "The setting SITE_ENTRANCE must be an https"),
        ({"SITE_ENTRANCE": "https://shop.example"}, "SITE_ENTRANCE must have the path"),
        ({"KEY_ROTATION_DAYS": "-1"}, "KEY_ROTATION_DAYS must be a whole number from 0 to 365"),
        (
            {"SCHEDULE_MINUTE_SECONDS": "soon"},
            "SCHEDULE_MINUTE_SECONDS must be a number of seconds",
        ),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    ended = ended_run(tmp_path / "room", **settings)
    assert ended.returncode == 1
    assert ended.stderr.startswith(sentence)
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = ended_run(tmp_path / "room", PUBLIC_API_PORT=str(port))
    assert ended.returncode == 1
    assert f"Port {port} is taken: choose another PUBLIC_API_PORT." in ended.stderr
    assert alive(tmp_path / "room") == []


def test_an_aws_endpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    ended = ended_run(tmp_path / "room", AWS_ENDPOINT_URL=nowhere)
    assert ended.returncode == 1
    assert nowhere in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_process_that_ends_stops_the_run_with_a_message(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    process = start(folder, **FAST)
    endpoints_of(folder, process)
    victim = next(
        pid
        for pid in alive(folder)
        if b"deployment.local.workers.runner" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(victim, signal.SIGKILL)
    assert process.wait(40) == 1
    assert "workers ended by itself" in (folder / "make-run.log").read_text()
    assert alive(folder) == []


def test_a_killed_run_takes_its_parts_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    process = start(folder, **FAST)
    endpoints_of(folder, process)
    process.kill()
    process.wait()
    end = time.monotonic() + 20
    while alive(folder):
        assert time.monotonic() < end, alive(folder)
        time.sleep(0.2)
    with running_room(folder, **FAST) as room:  # and the next one starts
        assert room.position(room.join()) == 1
