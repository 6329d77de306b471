# SPDX-License-Identifier: Apache-2.0
"""The command line with an API in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from apps.command_line.app import main
from apps.command_line.connection import ENDPOINTS, Options
from tests.support.fakes.events_api import FakeEventsApi
from tests.support.in_memory_room import Clock

ADDRESSES = {
    "private_api": "http://127.0.0.1:9001/api",
    "public_api": "http://127.0.0.1:9000/api",
    "region": "eu-central-1",
    "access_key_id": "LOCALKEY",
    "secret_access_key": "local-secret",
}


@dataclass
class CommandLine:
    """Runs commands against the API of this object; ``clock`` is at START."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    status: Callable[[str], Any] = lambda _: {}
    pauses: list[float] = field(default_factory=list)
    after_pause: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        self.api = FakeEventsApi(self.clock)
        self.addresses: list[str] = []

    def run(self, *arguments: str, stdin: str | None = None, **options: Any) -> Result:
        """Run a command and return its exit code and output."""
        chosen = Options(
            folder=self.folder, pool=self.api, fetch=self._fetch, sleep=self._sleep,
            clock=self.clock, **options,
        )  # fmt: skip
        return CliRunner().invoke(main, arguments, obj=chosen, input=stdin)

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        """Run a command with ``--json`` and return its content; the exit code is 0."""
        result = self.run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def file(self, text: str, name: str = "events.yaml") -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def event(self, event_id: str, *actions: str, **members: Any) -> None:
        """Create an event by the command line and carry out actions."""
        path = self.file(json.dumps({event_id: members}), "made.json")
        assert self.run("events", "apply", path, "--yes").exit_code == 0
        for action in actions:
            assert self.run(action, event_id).exit_code == 0
        self.api.calls.clear()

    def _fetch(self, address: str, longest: int) -> Any:
        self.addresses.append(address)
        return self.status(address)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.after_pause(len(self.pauses))


def room_of_this_machine(folder: Path) -> CommandLine:
    """Write the addresses of a room and return its command line."""
    (folder / ENDPOINTS).write_text(json.dumps(ADDRESSES), encoding="utf-8")
    return CommandLine(folder)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A command line for a room of this machine."""
    return room_of_this_machine(tmp_path)


def assert_one_line(result: Result, code: int, *texts: str) -> None:
    """Check a failed command: its exit code, and one line that contains the texts."""
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert lines
    assert lines[-1].startswith("Error: ")
    for text in texts:
        assert text in lines[-1]
