# SPDX-License-Identifier: Apache-2.0
"""The page of measurements has a place for each table of the benchmarks, which fill it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from deployment import docs_tables
from tests.benchmarks.__main__ import BENCHMARKS as COMMANDS
from tests.benchmarks.__main__ import FOLDERS
from tests.benchmarks.document import PAGE, fill
from tests.benchmarks.straight_through import MUST_BE_ZERO, violations

BENCHMARKS = PAGE.parents[1] / "tests" / "benchmarks"
PAGES = (PAGE, PAGE.with_name("pages.md"))  # the policy of polls stands with the page that polls
KEPT_ELSEWHERE = {"operation_costs.py"}  # of the capacity model


def test_each_table_of_a_benchmark_has_its_place_and_each_place_a_table() -> None:
    made = [
        name
        for path in BENCHMARKS.rglob("*.py")
        if path.name not in KEPT_ELSEWHERE
        for name in re.findall(r'name=f?"([a-z{}-]+)"', path.read_text())
    ]
    made = [part for name in made for part in expanded(name)]
    marked = [name for page in PAGES for name in docs_tables.names(page)]
    assert sorted(made) == sorted(marked)


def expanded(name: str) -> list[str]:
    """The growth tables share a name but for its end."""
    if "{" not in name:
        return [name]
    return [name.replace("{short}", part) for part in ("requests", "kilobytes", "time")]


def test_a_result_goes_into_its_place_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- table: one -->\nold\n<!-- /table -->\n"
        "b\n<!-- table: two -->\nkept\n<!-- /table -->\n"
    )
    result = {
        "title": "One", "columns": ["call", "ms"], "rows": [["x", 1.234], ["y", 12345.6]],
        "measured_at": 0, "machine": "1 cores, m", "busy": 0.5, "python": "3",
    }  # fmt: skip
    (tmp_path / "one.json").write_text(json.dumps(result))
    for _ in range(2):
        fill(page, tmp_path)
    text = page.read_text()
    assert "old" not in text
    assert text.count("| x | 1.23 |") == 1
    assert "| y | 12,346 |" in text
    assert "1970-01-01" in text
    assert text.startswith("a\n")
    assert "\nb\n<!-- table: two -->\nkept\n<!-- /table -->\n" in text


def test_each_benchmark_of_the_command_is_a_module_that_the_page_names() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = re.search(r"^The names for `ONLY` are ([^.]+?)\[pages", page, re.MULTILINE)
    assert listed
    for name in COMMANDS:
        assert (BENCHMARKS / FOLDERS.get(name, "").strip(".") / f"{name}.py").is_file(), name
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(COMMANDS)


def test_an_overshoot_or_an_overtaken_visitor_makes_the_benchmark_fail() -> None:
    right = dict.fromkeys(MUST_BE_ZERO, 0) | {"busy responses": 3}
    assert violations(right) == []
    for name in MUST_BE_ZERO:
        assert violations(right | {name: 2}) == [f"{name} is 2"]
    assert "overshoot" in MUST_BE_ZERO
    assert "overtaken after two seconds" in MUST_BE_ZERO
