# SPDX-License-Identifier: Apache-2.0
"""Runs the waiting page's own tests with node's test runner, each file as one test here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.assets import sites
from tests.support.servers import ROOT

NODE = Path(sys.executable).with_name("node")
FILES = sorted((ROOT / sites.WORKSPACE / "waiting_room" / "test").glob("*.test.js"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_modules_do_what_their_tests_say(file: Path) -> None:
    sites.install(ROOT)
    done = subprocess.run(
        [str(NODE), "--test", "--test-reporter=tap", str(file)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    failed = "\n".join(
        line for line in done.stdout.splitlines() if line.lstrip().startswith("not ok")
    )
    assert done.returncode == 0, failed or done.stdout + done.stderr
    assert "# tests 0" not in done.stdout


def test_the_waiting_page_has_such_tests() -> None:
    assert {file.name for file in FILES} >= {"waiting-room.test.js", "view.test.js"}
