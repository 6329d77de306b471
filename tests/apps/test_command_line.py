# SPDX-License-Identifier: Apache-2.0
"""The command line against the private and the public API of a room in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

import apps.public_api.app
import apps.workers.app
from apps.command_line.app import main
from apps.command_line.connection import Options
from tests.support.app_pool import AppPool
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.lambda_proxy_events import call

ADDRESSES = {
    "private_api": "http://127.0.0.1:9001", "public_api": "http://127.0.0.1:9000",
    "region": "eu-central-1", "access_key_id": "KEY", "secret_access_key": "secret",
}  # fmt: skip
Run = Callable[..., Result]


@pytest.fixture
def in_memory_room(served_room: InMemoryRoom) -> InMemoryRoom:
    return served_room


@pytest.fixture
def pool() -> AppPool:
    return AppPool()


@pytest.fixture
def run(in_memory_room: InMemoryRoom, pool: AppPool, tmp_path: Path) -> Run:
    """Run a command; the exit code is checked."""
    (tmp_path / "endpoints.json").write_text(json.dumps(ADDRESSES))

    def fetch(address: str, _: int) -> Any:
        parts = urlsplit(address)
        query = parse_qs(parts.query)
        return call(apps.public_api.app.app, "GET", parts.path, query=query).json

    def run(*arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        options = Options(folder=tmp_path, pool=pool, fetch=fetch, clock=in_memory_room.clock)
        result = CliRunner().invoke(main, arguments, obj=options, input=stdin)
        assert result.exit_code == code, result.output
        return result

    return run


def apply(run: Run, text: str, *, code: int = 0) -> Result:
    return run("events", "apply", "-", "--yes", stdin=text, code=code)


def show(run: Run, event_id: str) -> Any:
    return json.loads(run("events", "show", event_id, "--json").stdout)


def test_a_file_creates_changes_and_then_makes_no_call(run: Run, pool: AppPool) -> None:
    text = "Spring: {title: A}\nSummer: {turn: {expires_after: 60}}"
    assert "2 created, 0 changed." in apply(run, text).stdout
    assert "1 changed." in apply(run, text.replace("60", "90")).stdout
    assert show(run, "Summer")["turn"]["expires_after"] == 90
    pool.changes = 0
    assert "2 of 2 events without" in apply(run, text.replace("60", "90")).stdout
    assert pool.changes == 0
    listed = json.loads(run("events", "list", "--json").stdout)["events"]
    assert [one["event_id"] for one in listed] == [EVENT, "Spring", "Summer"]


@pytest.mark.parametrize(("action", "phase"), [("close", "closed"), ("pause", "paused")])
def test_a_stopped_event_stays_so(run: Run, action: str, phase: str) -> None:
    apply(run, "Sale: {}")
    run(action, "Sale")
    apply(run, "Sale: {schedule: {opens_at: 1}, title: A, control: {closed_at: null}}")
    assert (show(run, "Sale")["phase"], show(run, "Sale")["title"]) == (phase, "A")
    before = show(run, "Sale")
    if action == "pause":
        apply(run, "Sale: {mode: pass_through}", code=1)
    assert show(run, "Sale") == before


def test_the_output_of_show_is_accepted(run: Run) -> None:
    apply(run, "Sale: {title: 'A: # b'}")
    run("pause", "Sale")
    assert "1 of 1 events without" in apply(run, run("events", "show", "Sale").stdout).stdout


@pytest.mark.parametrize(
    ("commands", "phases"),
    [
        ("pause resume", "paused open"),
        ("drain", "draining"),
        ("close open", "closed open"),
        ("pass-through queue", "pass_through open"),
    ],
)
def test_actions(run: Run, commands: str, phases: str) -> None:
    apply(run, "Sale: {}")
    for command, phase in zip(commands.split(), phases.split(), strict=True):
        assert run(command, "Sale").stdout == f"Sale is {phase}.\n"


def test_exit_codes(run: Run) -> None:
    apply(run, "Sale: {}")
    assert "(phase: open)" in run("resume", "Sale", code=1).stderr
    run("pause", "Unknown", code=1)
    run("events", "show", "Unknown", code=1)
    run("events", "delete", "Sale", "--yes", code=3)
    run("close", "Sale")
    assert (
        "current version: 2"
        in run("events", "delete", "Sale", "--version", "1", "--yes", code=3).stderr
    )
    run("admit", "Sale", "0", code=2)
    run("reset", "Sale", "--yes", "--generation", "9", code=3)
    assert run("events", "delete", "Sale", "--yes").stdout == "Sale is deleted.\n"


def test_visitors_are_admitted_and_shown(run: Run, in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(3)[0]
    run("admit", EVENT, "2")
    status = json.loads(run("status", EVENT, "--json").stdout)
    assert (status["status"]["queue_counter"], status["status"]["serving_counter"]) == (3, 2)
    assert status["document"]["event_id"] == EVENT
    words = [line.split() for line in run("status", EVENT).stdout.splitlines()]
    assert ["Serving", "counter", "2"] in words
    run("end-session", EVENT, "--request-id", visitor, code=1)  # it has no token yet
    in_memory_room.token(visitor)
    run("end-session", EVENT, "--request-id", visitor)
    run("reset", EVENT, "--yes")
    status = json.loads(run("status", EVENT, "--json").stdout)
    assert (status["status"]["queue_counter"], status["status"]["serving_counter"]) == (0, 0)


def test_a_thousand_events(run: Run) -> None:
    documents = {f"event-{one:04}": {"title": "A"} for one in range(999)}
    assert "999 created" in apply(run, json.dumps(documents)).stdout
    listed = json.loads(run("events", "list", "--json").stdout)["events"]
    assert len(listed) == 1000
    assert "1 not applied" in apply(run, "One-more: {}", code=3).stdout


def test_the_audit_log_names_who_changed_what(run: Run, in_memory_room: InMemoryRoom) -> None:
    apply(run, "Sale: {title: A}")
    in_memory_room.clock.now += 1
    run("pause", "Sale")
    in_memory_room.clock.now += 1
    run("resume", "Sale")
    run("admit", "Sale", "7")
    head, *lines = [line.split() for line in run("audit", "Sale").stdout.splitlines()]
    assert head == ["TIME", "ROLE", "WHO", "WHAT", "CHANGE"]
    assert [line[3:6:2] for line in lines] == [
        ["person", "admit"], ["person", "resume"], ["person", "pause"], ["person", "create"],
    ]  # fmt: skip
    entries = json.loads(run("audit", "Sale", "--json").stdout)["entries"]
    assert (entries[0]["before"], entries[0]["after"]) == (
        {"serving_counter": 0}, {"serving_counter": 7},
    )  # fmt: skip
    for _ in range(150):
        run("admit", "Sale", "1")
    for arguments, expected in (((), 100), (("--limit", "130"), 130), (("--all",), 154)):
        found = json.loads(run("audit", "Sale", "--json", *arguments).stdout)["entries"]
        assert len(found) == expected
    run("audit", "Unknown", code=1)


def test_the_history_is_shown(
    run: Run, in_memory_room: InMemoryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps.workers.app, "room", lambda: in_memory_room.room)
    assert "No minute" in run("history", EVENT).stdout
    for _ in range(3):
        in_memory_room.visitors(2)
        apps.workers.app.report_metrics({}, None)
        in_memory_room.clock.now += 60
    points = json.loads(run("history", EVENT, "--json").stdout)["points"]
    assert [point["joined"] for point in points] == [2, 2, 2]
    head, *lines = run("history", EVENT).stdout.splitlines()
    assert (head.split()[:2], len(lines)) == (["TIME", "JOINED"], 3)
    window = ("--from", str(points[1]["at"]), "--to", str(points[2]["at"]), "--step", "60")
    assert json.loads(run("history", EVENT, "--json", *window).stdout)["points"] == [points[1]]
    refused = run("history", EVENT, "--from", "10", "--to", "10", code=2)
    assert "from must be before to" in refused.stderr
    run("history", "Unknown", code=1)
