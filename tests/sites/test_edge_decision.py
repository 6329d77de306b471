# SPDX-License-Identifier: Apache-2.0
"""The gate at the edge: the responses of Python, the published function, its size and names."""

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

from deployment.capacity.gate import OUTSIDE_READS, PROTECTED_READS, WITHOUT_OWN_RULES
from infrastructure.assets import edge
from tests.support import gate_vectors
from tests.support.servers import ROOT

FILES = Path(__file__).parent
NODE = str(Path(sys.executable).with_name("node"))
# Members and globals that CloudFront Functions and NGINX JavaScript both document.
MEMBERS = {
    "call", "charCodeAt", "concat", "createHmac", "default", "digest", "every", "exec", "filter",
    "floor", "forEach", "fromCharCode", "get", "hasOwnProperty", "indexOf", "join", "keys", "kvs",
    "lastIndexOf", "length", "map", "max", "min", "now", "pop", "prototype", "push",
    "rawQueryString", "replace", "slice", "some", "split", "stringify", "test", "toLowerCase",
    "toString", "toUpperCase", "trim", "update",
}  # fmt: skip
OWN_MEMBERS = {  # of requests, responses and stored values
    "a", "c", "f", "g", "k", "n", "o", "p", "r", "u", "v", "w", "x", "z", "accept", "body",
    "cookies", "findEvent", "handOver", "headers", "host", "ip", "isOwnPath", "judge", "location",
    "method", "multiValue", "pass", "path", "query", "querystring", "request", "response",
    "session", "signing", "status", "to", "uri", "value", "viewer",
}  # fmt: skip
GLOBALS = {
    "Date", "Error", "JSON", "Math", "Number", "Object", "RegExp", "String", "decodeURIComponent",
    "encodeURIComponent", "parseInt",
}  # fmt: skip
FORBIDDEN = (
    r"\?\.", r"\?\?", r"\.\.\.", r"\bclass\b", r"\basync\b(?! function)", r"[(,]await\b",
    r"\bfor\s*\([^;)]*\bof\b", r"\beval\b", r"\bnew Function\b", r"\bimport\(", r"`",
)  # fmt: skip


@pytest.fixture(scope="module")
def published() -> str:
    """The function as it is published."""
    return edge.cloudfront_function(ROOT)


def run(command: list[str], folder: Path, runner: str, *args: str, **scripts: str) -> Any:
    """Run a runner of this folder beside the scripts; return what it prints."""
    module = folder / "node_modules" / "cloudfront"
    module.mkdir(parents=True, exist_ok=True)
    store = (FILES / "edge_store.js").read_text(encoding="utf-8")
    (module / "index.js").write_text(store, encoding="utf-8")
    (module / "package.json").write_text(
        '{"name": "cloudfront", "type": "module", "exports": "./index.js"}', encoding="utf-8"
    )
    (folder / "cloudfront").write_text(store, encoding="utf-8")  # for NGINX JavaScript
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for name, script in scripts.items():
        (folder / f"{name}.js").write_text(script, encoding="utf-8")
    text = (FILES / f"{runner}.js").read_text(encoding="utf-8")
    (folder / f"{runner}.js").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*command, f"{runner}.js", *args], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr or done.stdout
    return json.loads(done.stdout)


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


def source() -> str:
    """The decision as it is in the source."""
    return (ROOT / edge.WORKSPACE / "decision.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["node", "njs"])
@pytest.mark.parametrize("form", ["source", "short"])
def test_the_edge_gives_the_responses_of_python(name: str, form: str, tmp_path: Path) -> None:
    script = source() if form == "source" else edge.minify(ROOT, source())
    vectors = str(gate_vectors.FILE)
    found = run(engine(name), tmp_path, "edge_vectors", vectors, decision=script)
    assert found["wrong"] == 0, found["first"]
    assert found["vectors"] >= 300
    assert found["most"] <= 3, "HMACs of one request"


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_published_function_gives_the_responses_of_python(
    name: str, published: str, tmp_path: Path
) -> None:
    """It keeps the site's cookies, removes the room's, and replaces a forged session header."""
    script = f"{published}\nexport default handler;"
    found = run(engine(name), tmp_path, "edge_function", str(gate_vectors.FILE), gate=script)
    assert found["wrong"] == 0, found["first"]
    assert found["vectors"] >= 300
    assert found["others"] == 0, "cookies"
    assert found["most"] <= 3, "store reads of one request, without further parts"
    for rules, more in (("own", 0), ("all", WITHOUT_OWN_RULES)):
        reads = found["reads"][rules]
        assert reads["no_rule"] == [OUTSIDE_READS + more], "the model of the cost"
        for reason in ("session", "no_session", "renew"):
            assert reads[reason] == [PROTECTED_READS + more], reason


@pytest.mark.parametrize("name", ["node", "njs"])
def test_the_published_function_never_throws_and_is_closed_in_doubt(
    name: str, published: str, tmp_path: Path
) -> None:
    script = f"{published}\nexport default handler;"
    found = run(engine(name), tmp_path, "edge_failures", gate=script)
    passing = {case for case, outcome in found.items() if outcome == "passes"}
    assert passing == {
        "state without keys, open", "keys are a text, open", "a lone surrogate", "an open path",
    }  # fmt: skip
    assert set(found.values()) == {"passes", "403", "503", "302"}
    assert found["no state"] == found["state is not JSON"] == "403"
    assert found["an open path while the rules cannot be read"] == "503"


def test_an_owner_can_choose_open_while_no_rule_can_be_read(tmp_path: Path) -> None:
    script = f"{edge.cloudfront_function(ROOT, open_without_store=True)}\nexport default handler;"
    found = run([NODE], tmp_path, "edge_failures", gate=script)
    for case in ("rules are null", "empty store", "an open path while the rules cannot be read"):
        assert found[case] == "passes"
    assert found["state without keys"] == "503", "a protected path with a state of its own"
    assert found["whole state"] == "403"


def test_a_wrong_decision_is_noticed(tmp_path: Path) -> None:
    for right, wrong in (
        ("now >= expires", "now > expires"),
        ("< state.g", "<= state.g"),
        ("pattern.test(fold(one))", "pattern.test(one)"),
        ("found.every(", "found.some("),
        ("now < (state.w || 0)", "now <= (state.w || 0)"),
        ("(state.a || 0) <= now && ", ""),
        (" && !closed)", ")"),
        ("'handover/' + request.host", "'handover/'"),
    ):
        assert source().count(right) == 1, right
        script = source().replace(right, wrong)
        found = run([NODE], tmp_path, "edge_vectors", str(gate_vectors.FILE), decision=script)
        assert found["wrong"] > 0, right


def unknown_names(script: str) -> list[str]:
    """What a script uses that the edge may not have: syntax, members, globals."""
    texts = r'"(?:[^"\\\n]|\\.)*"|/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[a-z]*'
    code = re.sub(texts, '""', script)
    found = [pattern for pattern in FORBIDDEN if re.search(pattern, code)]
    found += re.findall(r"\(\?<[=!]", script)
    found += set(re.findall(r"\.([A-Za-z_]\w*)", code)) - MEMBERS - OWN_MEMBERS
    words = set(re.findall(r"(?<![\w.$])([A-Z][A-Za-z]*|[a-z]+[A-Z]\w*)(?=[.(])", code))
    return found + [word for word in words if len(word) > 2 and word not in GLOBALS]


def test_the_published_function_is_small_and_uses_what_the_edge_has(published: str) -> None:
    assert len(published.encode()) <= edge.MAX_BYTES
    assert unknown_names(published) == []
    for other in (
        "a?.b", "a??b", "f(...a)", "class A{}", "for(const a of b){}", "a.flat()", "a.at(0)",
        "new Map()",
        "new URL(a)", "structuredClone(a)", "`a`", "/(?<=a)b/", "async()=>1", "f(await a)",
        "a.then(b)", "Promise.all(a)",
        "setTimeout(a)", "a.randomUUID()",
    ):  # fmt: skip
        assert unknown_names(f"{published};{other}"), other
