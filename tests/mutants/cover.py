# SPDX-License-Identifier: Apache-2.0
"""Which tests cover a line: one run of the fast suites with a coverage context for each test."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.mutants.draw import ROOT, Mutant

SUITES = ("tests/unit", "tests/contract", "tests/apps")


def measure(kept: Path) -> None:
    """Run the suites and keep what each test covers in ``kept``, and beside it which tests fail.

    A test that fails without a mutant notices none.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.Popen(
        [
            sys.executable, "-m", "pytest", *SUITES, "-q", "-n", "2", "--dist", "loadfile",
            "-p", "no:cacheprovider", "--cov=source/waiting_room", "--cov-context=test",
            "--cov-report=", "--color=no",
        ],
        cwd=ROOT,
        env={**os.environ, "COVERAGE_FILE": str(kept)},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    failed = []
    for line in run.stdout or ():
        print(line, end="", flush=True)
        if line.startswith(("FAILED ", "ERROR ")):
            failed.append(line.strip().partition(" ")[2].partition(" - ")[0])
    if run.wait() not in (0, 1):
        raise RuntimeError("the suites could not be run")
    if not kept.exists():
        raise RuntimeError("the suites measured nothing")
    _failed(kept).write_text("".join(f"{name}\n" for name in failed), encoding="utf-8")


def _failed(kept: Path) -> Path:
    return kept.with_suffix(".failed")


class Cover:
    """What a run of ``measure`` found."""

    def __init__(self, kept: Path) -> None:
        from coverage import CoverageData

        self._data = CoverageData(basename=str(kept))
        self._data.read()
        failed = _failed(kept)
        self._failed = set(failed.read_text("utf-8").splitlines()) if failed.exists() else set()

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that run the mutant's statement; what only an import runs, all of its module's.

        Unit tests come first: they start no server.
        """
        by_line = self._data.contexts_by_lineno(str(ROOT / mutant.file))
        first, last = _statement(mutant.file, mutant.line)
        names = {name for line in range(first, last + 1) for name in by_line.get(line, []) if name}
        if not names and any("" in by_line.get(line, []) for line in range(first, last + 1)):
            names = {name for found in by_line.values() for name in found if name}
        found = {name.rpartition("|")[0] for name in names} - self._failed
        return sorted(found, key=lambda name: (SUITES.index("/".join(name.split("/")[:2])), name))


@cache
def _statements(file: str) -> list[tuple[int, int]]:
    """First and last line of each statement; of one that holds others, of its head alone."""
    found = []
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            found.append((node.lineno, max(last, node.lineno)))
    return found


def _statement(file: str, line: int) -> tuple[int, int]:
    around = [span for span in _statements(file) if span[0] <= line <= span[1]]
    return max(around, default=(line, line), key=lambda span: span[0])
