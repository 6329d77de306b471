# SPDX-License-Identifier: Apache-2.0
"""A copy of the project in which code may be broken, and the tests that run in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_project(folder: Path) -> Path:
    """Copy the files of the project, without what git ignores; the installed packages are links."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    for file in answer.stdout.splitlines():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / file).is_file():
            shutil.copy2(ROOT / file, folder / file)
    for name in (".venv", "node_modules"):
        if (ROOT / name).exists():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to((ROOT / name).resolve())
    return folder


def run_tests(folder: Path, words: Sequence[str], longest: float) -> tuple[int | None, str]:
    """Run pytest in a copy until a test fails; return its exit status and what it printed.

    The status is None after ``longest`` seconds: the servers of the tests end then, too.
    """
    run = subprocess.Popen(
        [
            sys.executable, "-B", "-m", "pytest", "-x", "-q",
            "-p", "no:cacheprovider", "-p", "no:xdist", *words,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "source:."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        printed, _ = run.communicate(timeout=longest)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        return None, ""
    return run.returncode, printed
