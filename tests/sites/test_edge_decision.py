# SPDX-License-Identifier: Apache-2.0
"""The decision of the edge gives the same responses as Python: its source and its short form."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infrastructure.assets import edge
from tests.support import gate_vectors
from tests.support.servers import ROOT

RUNNER = Path(__file__).with_name("edge_vectors.js")
NODE = str(Path(sys.executable).with_name("node"))
# Members and globals that CloudFront Functions and NGINX JavaScript both document.
MEMBERS = {
    "call", "charCodeAt", "concat", "default", "every", "filter", "forEach", "fromCharCode",
    "hasOwnProperty", "indexOf", "join", "lastIndexOf", "length", "map", "max", "min", "pop",
    "prototype", "push", "replace", "slice", "some", "split", "test", "toLowerCase", "toString",
    "toUpperCase", "trim",
}  # fmt: skip
OWN_MEMBERS = {
    "a", "c", "f", "g", "o", "p", "r", "x", "z", "cookies", "handOver", "headers", "host", "keys",
    "location", "method", "path", "query", "signing", "findEvent", "isOwnPath", "judge",
}  # fmt: skip
GLOBALS = {
    "Math", "Object", "RegExp", "String", "decodeURIComponent", "encodeURIComponent", "parseInt",
}  # fmt: skip
FORBIDDEN = (
    r"\?\.", r"\?\?", r"\.\.\.", r"\bclass\b", r"\bawait\b", r"\basync\b",
    r"\bfor\s*\([^;)]*\bof\b", r"\beval\b", r"\bnew Function\b", r"\bimport\b", r"`",
)  # fmt: skip


@pytest.fixture(scope="module")
def short() -> str:
    """The script as it is published."""
    return edge.minify(ROOT, "decision.js")


def run(command: list[str], folder: Path, script: str) -> dict[str, Any]:
    """Run all vectors on a script."""
    (folder / "decision.js").write_text(script, encoding="utf-8")
    (folder / "vectors.js").write_text(RUNNER.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    done = subprocess.run(
        [*command, "vectors.js", str(gate_vectors.FILE)],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr or done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def engine(name: str) -> list[str]:
    """The command of an engine; without NGINX JavaScript, skip (in CI it must be there)."""
    if name == "node":
        return [NODE]
    njs = shutil.which("njs")
    if njs is None:
        if os.environ.get("CI"):
            pytest.fail("njs is missing: install the Debian package njs")
        pytest.skip("njs is missing: install the Debian package njs")
    return [njs, "-p", "."]


@pytest.mark.parametrize("name", ["node", "njs"])
@pytest.mark.parametrize("form", ["source", "short"])
def test_the_edge_gives_the_responses_of_python(
    name: str, form: str, short: str, tmp_path: Path
) -> None:
    source = (ROOT / edge.WORKSPACE / "decision.js").read_text(encoding="utf-8")
    found = run(engine(name), tmp_path, short if form == "short" else source)
    assert found["wrong"] == 0, found["first"]
    assert found["vectors"] >= 300
    assert found["most"] <= 3, "HMACs of one request"


def test_a_wrong_decision_is_noticed(short: str, tmp_path: Path) -> None:
    source = (ROOT / edge.WORKSPACE / "decision.js").read_text(encoding="utf-8")
    for right, wrong in (
        ("now >= expires", "now > expires"),
        ("< state.g", "<= state.g"),
        ("pattern.test(fold(one))", "pattern.test(one)"),
        ("found.every(", "found.some("),
        ("'handover/' + request.host", "'handover/'"),
    ):
        assert source.count(right) == 1, right
        assert run([NODE], tmp_path, source.replace(right, wrong))["wrong"] > 0, right


def unknown_names(script: str) -> list[str]:
    """What a script uses that the edge may not have: syntax, members, globals."""
    texts = r'"(?:[^"\\\n]|\\.)*"|/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[a-z]*'
    code = re.sub(texts, '""', script)
    found = [pattern for pattern in FORBIDDEN if re.search(pattern, code)]
    found += re.findall(r"\(\?<[=!]", script)
    found += set(re.findall(r"\.([A-Za-z_]\w*)", code)) - MEMBERS - OWN_MEMBERS
    words = set(re.findall(r"(?<![\w.$])([A-Z][A-Za-z]*|[a-z]+[A-Z]\w*)(?=[.(])", code))
    return found + [word for word in words if len(word) > 2 and word not in GLOBALS]


def test_the_published_script_is_small_and_uses_what_the_edge_has(short: str) -> None:
    assert len(short.encode()) <= edge.MAX_BYTES
    assert unknown_names(short) == []
    for other in (
        "a?.b", "a??b", "f(...a)", "class A{}", "for(const a of b){}", "a.flat()", "a.at(0)",
        "new Map()",
        "new URL(a)", "structuredClone(a)", "`a`", "/(?<=a)b/", "async()=>1", "Date.now()",
    ):  # fmt: skip
        assert unknown_names(f"{short};{other}"), other
