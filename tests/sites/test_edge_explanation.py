# SPDX-License-Identifier: Apache-2.0
"""The rule tester in the browser gives the explanations of the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infrastructure.assets import edge
from tests.sites import explanation_cases
from tests.sites.test_edge_decision import NODE
from tests.support.servers import ROOT

RUNNER = Path(__file__).with_name("edge_explanations.mjs")
SOURCES = ("decision.js", "explanation.js", "package.json")


def run(folder: Path) -> Any:
    """Run all cases on the modules of a folder; return what the runner prints."""
    done = subprocess.run(
        [NODE, str(RUNNER), str(explanation_cases.FILE), str(folder / "explanation.js")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr or done.stdout
    return json.loads(done.stdout)


def test_the_file_has_the_explanations_of_python() -> None:
    assert explanation_cases.FILE.read_text(encoding="utf-8") == explanation_cases.text()


def test_the_browser_gives_the_explanations_of_python() -> None:
    found = run(ROOT / edge.WORKSPACE)
    assert found["wrong"] == 0, found["first"]
    assert found["cases"] >= 190


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lastIndexOf('@')", "indexOf('@')"), ("-members.length, eventId,", "-members.length,"),
        ("rule.host === undefined", "rule.host !== undefined"), ("-literal, ", ""),
        (".replace(WILDCARDS, '')", ""), ("-members.length", "0"),
        ("matching[at] && bypassed", "bypassed"), ("decided ? EFFECTS.later : ", ""),
        ("state.p > UNKNOWN_START", "state.p"), ("now < state.o", "now <= state.o"),
        ("state.z <= now", "state.z < now"), ("now < state.a", "now <= state.a"),
        ("closed ? 0 : openFrom", "openFrom"),
        ("!ROOM_COOKIE.test(name)", "true"), ("...Object.entries(CLIENTS[client])", ""),
        ("address.replace(/^[ \\t\\r\\n]+|[ \\t\\r\\n]+$/g, '')", "address"),
        ("request, [reading]", "request, found"),
    ],
)  # fmt: skip
def test_a_wrong_explanation_is_noticed(right: str, wrong: str, tmp_path: Path) -> None:
    for name in SOURCES:
        shutil.copy(ROOT / edge.WORKSPACE / name, tmp_path)
    script = (tmp_path / "explanation.js").read_text(encoding="utf-8")
    assert script.count(right) == 1, right
    (tmp_path / "explanation.js").write_text(script.replace(right, wrong), encoding="utf-8")
    assert run(tmp_path)["wrong"] > 0
