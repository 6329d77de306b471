# SPDX-License-Identifier: Apache-2.0
"""The order in which `make test` shares the files out to its workers."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.servers import ROOT
from tests.tools.sharing import LONGEST, SHARED, WAITING, in_order, unit

FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))


def test_each_file_has_one_place_and_the_longest_come_first() -> None:
    found = in_order(FILES)
    assert sorted(found) == FILES
    assert found[: len(LONGEST)] == list(LONGEST)


def test_files_that_wait_are_spread_over_most_of_the_others() -> None:
    waiting = [file.startswith(WAITING) for file in in_order(FILES)[len(LONGEST) :]]
    half = len(waiting) // 2
    assert 0.5 < sum(waiting[:half]) / sum(waiting) < 0.9
    assert not any(waiting[-len(waiting) // 5 :])


def test_some_files_alone_keep_their_order() -> None:
    chosen = ["tests/unit/test_b.py", "tests/unit/test_a.py"]
    assert in_order(chosen) == chosen
    assert in_order([]) == []


def test_files_with_the_same_expensive_fixture_are_one_unit() -> None:
    units = [unit(file) for file in FILES]
    assert all(units.count(made) > 2 for made in SHARED)
    assert unit("tests/infrastructure/test_changes.py") == "tests/infrastructure/test_changes.py"
    assert unit("tests/unit/test_of_nobody.py") == "tests/unit/test_of_nobody.py"


def test_pytest_starts_without_xdist() -> None:
    """As in the mutation tests, where an error at the start would count as unnoticed."""
    words = ["-p", "no:xdist", "-p", "no:cacheprovider", "--collect-only", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "tests/tools/test_license.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": "source:."},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
