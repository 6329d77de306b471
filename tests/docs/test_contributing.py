# SPDX-License-Identifier: Apache-2.0
"""The documents for contributors name files, commands and imports that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import markdown
from tests.tools.suite_times import FOLDERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "docs/first-change.md")
TESTS = ROOT / "tests"


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_the_page_exists(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z][\w-]*)", "\n".join(quoted_or_block(text(page)))))
    missing = sorted(used - targets)
    if missing:
        pytest.fail(f"{page} names make targets that do not exist: {missing}", pytrace=False)


def quoted_or_block(page: str) -> list[str]:
    """The code of a page: blocks, and text in backquotes."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [*blocks, *re.findall(r"`([^`\n]+)`", page)]


def test_the_test_map_has_each_folder_of_tests() -> None:
    listed = {
        name
        for row in markdown.rows(text("CONTRIBUTING.md"), "Test map")
        for name in markdown.code(row[0])
    }
    folders = {path.relative_to(TESTS).parts[0] for path in modules_below(TESTS)}
    with_tests = {f"tests/{folder}" for folder in folders}
    assert with_tests - listed == set()
    assert with_tests == {f"tests/{folder}" for folder in FOLDERS}


def modules_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("test_*.py") if path.parent != folder]


# What docs/first-change.md tells the reader to edit: a file, and a text in it.
EDITED = [
    ("source/waiting_room/domain/metrics.py", "def console_metrics("),
    ("source/waiting_room/domain/metrics.py", '"generation": counts.generation,'),
    ("source/waiting_room/domain/records.py", "class Counts:"),
    ("source/sites/console/live/metrics.js", "readMetrics("),
    ("source/sites/console/test/metrics.test.js", "const metrics = (changes) =>"),
    ("source/sites/console/index.html", 'dd data-metric="queue"'),
    ("tests/mutations/catalogue/operation.py", "Break("),
]


@pytest.mark.parametrize(("file", "edited"), EDITED)
def test_what_the_first_change_edits_is_there(file: str, edited: str) -> None:
    assert f"`{file}`" in text("docs/first-change.md")
    if edited not in text(file):
        pytest.fail(
            f"{file} has no {edited!r} any more: change docs/first-change.md, and EDITED here",
            pytrace=False,
        )


def test_each_test_that_the_first_change_names_exists() -> None:
    """Except for those that the reader writes: they are in the code blocks of the page."""
    prose = re.sub(r"^ *```.*?^ *```", "", text("docs/first-change.md"), flags=re.S | re.M)
    named = set(re.findall(r"`(test_\w+)`", prose))
    modules = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    missing = sorted(name for name in named if not any(f"def {name}(" in one for one in modules))
    assert named
    if missing:
        pytest.fail(f"docs/first-change.md names tests that do not exist: {missing}", pytrace=False)
