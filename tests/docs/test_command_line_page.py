# SPDX-License-Identifier: Apache-2.0
"""``docs/command-line.md``: each example runs, and each command and exit code is on the page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from apps.command_line.app import main
from apps.command_line.errors import ExitCode
from tests.docs import markdown
from tests.support.servers import ROOT
from tests.unit.command_line.conftest import CommandLine, room_of_this_machine

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^waiting-room (.+)$", PAGE, re.MULTILINE)
EXIT_CODE = re.compile(r"#.*exit code (\d+)")


def commands(group: click.Group = main, prefix: str = "") -> set[str]:
    """The names of all commands, such as ``events list``."""
    found = set()
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix}{name} ")
        else:
            found.add(prefix + name)
    return found


def test_each_command_has_an_example() -> None:
    lines = [line + " " for line in EXAMPLES]
    assert {
        name for name in commands() if not any(line.startswith(f"{name} ") for line in lines)
    } == set()


def test_each_example_runs_in_the_order_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli: CommandLine = room_of_this_machine(tmp_path)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    cli.after_pause = stop
    for file in re.findall(r"^```yaml\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL):
        name = file.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(file, encoding="utf-8")
    assert len(EXAMPLES) > 20
    for line in EXAMPLES:
        words = shlex.split(line, comments=True)
        arguments = words[: words.index(">")] if ">" in words else words
        result = cli.run(*arguments)
        stated = EXIT_CODE.search(line)
        assert result.exit_code == (int(stated[1]) if stated else 0), (line, result.output)


def test_each_exit_code_is_on_the_page_and_in_the_help() -> None:
    rows = {int(code): meaning for code, meaning in markdown.rows(PAGE, "Exit codes")}
    assert set(rows) == set(ExitCode)
    assert main.epilog
    assert {int(one) for one in re.findall(r"\b\d+\b", main.epilog)} == set(ExitCode)


def test_the_common_options_are_on_the_page() -> None:
    names = {name for one in main.params for name in one.opts if name.startswith("--")}
    assert len(names) == 6
    assert {name for name in names if f"`{name}" not in PAGE} == set()
