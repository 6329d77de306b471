# SPDX-License-Identifier: Apache-2.0
"""The console's own logic, by Node's test runner: figures, rates, pace, words, CSV."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.assets import sites
from tests.support.servers import ROOT

FOLDER = ROOT / "source" / "sites" / "console" / "test"
FILES = sorted(FOLDER.glob("*.test.js"))


def test_there_are_files_to_run() -> None:
    assert {"metrics.test.js", "errors.test.js", "csv.test.js", "session.test.js"} <= {
        file.name for file in FILES
    }


@pytest.fixture(scope="module", autouse=True)
def modules() -> None:
    """The npm modules that the panel's scripts import."""
    sites.install(ROOT)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_test_of_the_file_passes(file: Path) -> None:
    node = Path(sys.executable).with_name("node")  # of the nodejs wheel, beside this Python
    done = subprocess.run(
        [str(node), "--test", "--test-reporter=tap", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) > 0
