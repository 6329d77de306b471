# SPDX-License-Identifier: Apache-2.0
"""A small crowd in front of the running room, as `make load-test` sends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.capacity.check import compare
from tests.support.local_stack import paths, running_room
from tests.support.servers import ROOT

pytestmark = pytest.mark.server
WORDS = ("--users", "40", "--seconds", "4", "--admission", "1200", "--limit", "120")


def test_a_load_test_serves_every_visitor_and_reports_it(tmp_path: Path) -> None:
    with running_room(tmp_path / "room") as room:
        room.join()  # somebody of an older line, which the test resets
        done = subprocess.run(
            [sys.executable, "-m", "deployment.load_test", *WORDS, "--results", str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, **paths(), "LOCAL_DIR": str(room.folder)},
            capture_output=True,
            text=True,
            timeout=180,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "latest.json").read_text())
    assert found["visits"] == dict.fromkeys(
        ("arrived", "joined", "assigned", "admitted", "paid"), 40
    )
    model = {name: (here, said) for name, here, said in compare(found)}
    here, said = model["tokens, per visitor"]
    assert here == said == 1
    here, said = model["polls of the status, per visitor"]
    assert 0.2 < said / here < 5  # the machine decides the rest
    assert len(found["checks"]) == 7
    assert all(one["holds"] for one in found["checks"])
    assert found["edge"]["/status"]["origin_calls"] < found["requests"]["status"]["count"]
    assert set(found["processor_seconds"]) >= {"AWS emulator", "gateway and edge", "workers"}
