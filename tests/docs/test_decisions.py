# SPDX-License-Identifier: Apache-2.0
"""Records of decisions: their form, their index, and every reference to one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.servers import ROOT

FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
FORM = re.compile(
    r"# (?P<number>\d{4}) (?P<title>[^\n]+)\n\nDate: \d{4}-\d\d-\d\d\n\n"
    r".*^## Context\n\n.+^## Decision\n\n.+^## Consequences\n\n.+",
    re.DOTALL | re.MULTILINE,
)
REPLACED = re.compile(r"^Replaced by decision (\d{4})\.", re.MULTILINE)
FOLDERS = ("deployment", "docs", "infrastructure", "source", "tests")
SUFFIXES = {".css", ".js", ".lua", ".md", ".py", ".toml", ".txt", ".yaml"}


def records() -> list[Path]:
    """The files of all decisions, oldest first."""
    return sorted(path for path in FOLDER.glob("*.md") if path != INDEX)


def index_line(path: Path) -> str:
    """The line of the index for a record."""
    text = path.read_text(encoding="utf-8")
    title = text.partition("\n")[0].removeprefix("# ")
    replaced = REPLACED.search(text)
    return f"- [{title}]({path.name})" + (f" (replaced by {replaced[1]})" if replaced else "")


def texts() -> Iterator[tuple[Path, str]]:
    """Every text of the project that can refer to a decision."""
    yield ROOT / "README.md", (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in SUFFIXES and "node_modules" not in path.parts:
                yield path, path.read_text(encoding="utf-8")


def test_each_decision_has_the_form_of_a_record() -> None:
    for path in records():
        found = FORM.fullmatch(path.read_text(encoding="utf-8"))
        assert found, (
            f"{path.name}: a record is '# NNNN Title', 'Date: YYYY-MM-DD' and the sections "
            "Context, Decision, Consequences"
        )
        assert path.name.startswith(f"{found['number']}-"), path.name


def test_no_two_decisions_share_a_number() -> None:
    numbers = [path.name[:4] for path in records()]
    assert len(numbers) == len(set(numbers))


def test_the_index_lists_each_decision_once_newest_last() -> None:
    listed = [
        line
        for line in INDEX.read_text(encoding="utf-8").splitlines()
        if re.match(r"- \[\d{4} ", line)
    ]
    expected = [index_line(path) for path in records()]
    assert listed == expected, "docs/decisions/README.md has to contain:\n" + "\n".join(expected)


def test_each_reference_to_a_decision_names_one_that_exists() -> None:
    files = {path.name for path in records()}
    numbers = {name[:4] for name in files}
    for path, text in texts():
        named = set(re.findall(r"\bdecisions? (\d{4})\b", text))
        assert named <= numbers, f"{path}: no decision {sorted(named - numbers)}"
        linked = set(re.findall(r"decisions/(\d{4}-[a-z0-9-]+\.md)", text))
        assert linked <= files, f"{path}: no file {sorted(linked - files)} in docs/decisions"
