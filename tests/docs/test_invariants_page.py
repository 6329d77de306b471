# SPDX-License-Identifier: Apache-2.0
"""docs/invariants.md names tests that exist, and each rule is broken by a mutation test."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mutations.catalogue import BREAKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/invariants.md"
STATUSES = ("built", "partly built", "planned")


@dataclass(frozen=True)
class Entry:
    """One rule of the page."""

    number: int
    name: str
    text: str

    @property
    def status(self) -> str:
        return self.field("Status").partition(".")[0]

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`(tests/[^`]+?\.py::[^`]+)`", self.text)

    @property
    def not_built(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.field("Not built"))

    def field(self, name: str) -> str:
        """The text after ``- name:``; empty when the entry has no such line."""
        found = re.search(rf"^- {name}:(.*?)(?=^- |\Z)", self.text, re.DOTALL | re.MULTILINE)
        return found[1].strip() if found else ""


def entries(page: str) -> list[Entry]:
    """The rules of a page, in order."""
    parts = re.split(r"^## (\d+)\. (.+)$", page, flags=re.MULTILINE)[1:]
    return [
        Entry(int(number), name, text)
        for number, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]


def names_in(path: Path) -> set[str]:
    """The functions and classes of a test module, without and with the class before them."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)
            }
    return found


def problem_of(test: str) -> str:
    """A sentence that says what is wrong with a reference to a test; empty when it exists."""
    file, _, name = test.partition("::")
    path = ROOT / file
    if not path.is_file():
        return f"{PAGE} names {test}, but {file} does not exist: name the file's new path"
    if name not in names_in(path):
        return f"{PAGE} names {test}, but {file} has no such test: name the test's new name"
    return ""


ENTRIES = entries((ROOT / PAGE).read_text(encoding="utf-8"))


def test_the_page_has_sixteen_rules() -> None:
    assert [entry.number for entry in ENTRIES] == list(range(1, 17))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.number} {entry.name}")
class TestEntry:
    def test_it_has_a_status_and_a_reason(self, entry: Entry) -> None:
        assert entry.status in STATUSES
        assert entry.field("Reason")

    def test_its_tests_exist(self, entry: Entry) -> None:
        problems = [problem for test in entry.tests if (problem := problem_of(test))]
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)
        assert bool(entry.tests) == (entry.status != "planned")

    def test_a_part_that_exists_has_tests(self, entry: Entry) -> None:
        assert bool(entry.not_built) == (entry.status != "built")
        for path in entry.not_built:
            if (ROOT / path).exists():
                pytest.fail(
                    f"{path} exists now: remove it from 'Not built' of invariant {entry.number} in "
                    f"{PAGE}, and add the tests that hold the invariant for it",
                    pytrace=False,
                )

    def test_a_mutation_breaks_it(self, entry: Entry) -> None:
        broken = any(entry.number in numbers_of(one.rule) for one in BREAKS)
        excused = entry.status == "planned" or bool(entry.field("Mutations"))
        if not broken and not excused:
            pytest.fail(
                f"add an entry to tests/mutations/catalogue whose rule begins with "
                f"'{entry.number} ', or the line '- Mutations: none.' with a reason to invariant "
                f"{entry.number} in {PAGE}",
                pytrace=False,
            )
        if broken and excused:
            pytest.fail(
                f"the mutation catalogue breaks invariant {entry.number}: delete the line "
                f"'- Mutations: none.' in {PAGE}",
                pytrace=False,
            )


def numbers_of(rule: str) -> set[int]:
    """The invariants that a mutation breaks: the numbers before the colon of its rule."""
    return {int(number) for number in re.findall(r"\d+", rule.partition(":")[0])}


def test_each_number_of_the_catalogue_is_a_rule() -> None:
    known = {entry.number for entry in ENTRIES}
    assert {number for one in BREAKS for number in numbers_of(one.rule)} <= known


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        ("tests/docs/test_invariants_page.py::test_the_page_has_sixteen_rules", ""),
        ("tests/docs/test_invariants_page.py::TestEntry::test_its_tests_exist", ""),
        ("tests/docs/test_invariants_page.py::test_that_nobody_wrote", "no such test"),
        ("tests/docs/test_no_such_file.py::test_it", "does not exist"),
    ],
)
def test_a_wrong_reference_is_found(test: str, wrong: str) -> None:
    problem = problem_of(test)
    assert (wrong in problem) if wrong else not problem


def test_an_entry_is_read() -> None:
    page = (
        "## 1. Name\n\nRule.\n\n- Status: partly built. A.\n- Reason: it\n  is.\n"
        "- Not built: `a`,\n  `b`\n"
    )
    (entry,) = entries(page)
    assert (entry.number, entry.name, entry.status) == (1, "Name", "partly built")
    assert (entry.field("Reason"), entry.not_built, entry.tests) == ("it\n  is.", ["a", "b"], [])
