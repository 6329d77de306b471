# SPDX-License-Identifier: Apache-2.0
"""The waiting page keeps to what the oldest supported browsers have: syntax and APIs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from infrastructure.assets import sites
from tests.support.servers import ROOT

LINT = ROOT / "tests" / "sites_lint"
PAGE = ROOT / sites.WORKSPACE / "waiting_room"
NODE = Path(sys.executable).with_name("node")
NEWER = [
    ("page.js", "await fetch('x');"),
    ("page.js", "let a; a ??= 1;"),
    ("page.js", "class A { b = 1; }"),
    ("page.js", "export const last = (list) => list.at(-1);"),
    ("page.js", "Object.hasOwn({}, 'a');"),
    ("page.js", "new Intl.NumberFormat('en').formatRange(1, 2);"),
    ("page.js", "new Intl.Segmenter('en');"),
    ("page.js", "structuredClone({});"),
    ("page.js", "new AudioContext();"),
    ("view.js", "export default 'x'.replaceAll('x', 'y');"),
    ("start.js", "var a = () => 1;"),
    ("start.js", "const a = 1;"),
    ("start.js", "[1].includes(1);"),
]


def lint(files: list[tuple[str, str]]) -> list[list[str]]:
    """What the linter says about each pair of a file's path and its text."""
    sites.fetch_modules(LINT)
    done = subprocess.run(
        [str(NODE), str(LINT / "lint.js"), str(ROOT)],
        capture_output=True, text=True, timeout=120, input=json.dumps(files),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_every_file_of_the_page_runs_in_the_oldest_browsers_and_newer_things_are_noticed() -> None:
    files = sorted(PAGE.glob("*.js"))
    assert len(files) >= 8
    texts = [(str(file), file.read_text()) for file in files]
    found = lint([*texts, *((str(PAGE / name), text) for name, text in NEWER)])
    assert dict(zip((file.name for file in files), found, strict=False)) == {
        file.name: [] for file in files
    }
    unseen = [NEWER[at] for at, said in enumerate(found[len(files) :]) if not said]
    assert unseen == []


def test_the_documentation_names_the_browsers_of_the_linter() -> None:
    config = (LINT / "eslint.config.js").read_text()
    linted = dict(re.findall(r'"(chrome|firefox|safari) (\d+)"', config))
    docs = (ROOT / "docs" / "pages.md").read_text()
    said = re.search(r"Chrome and Edge (\d+), Firefox (\d+), Safari (\d+)", docs)
    assert said is not None
    assert dict(zip(("chrome", "firefox", "safari"), said.groups(), strict=True)) == linted
