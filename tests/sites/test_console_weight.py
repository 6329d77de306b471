# SPDX-License-Identifier: Apache-2.0
"""How much an operator's browser loads of the console, in files and compressed bytes."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from infrastructure.assets import sites
from tests.support.servers import ROOT

MOST = 120_000  # bytes with gzip: page, script, style sheet
LINKED = re.compile(r'(?:src|href)="([^":#]+)"')


def test_the_console_is_one_script_and_one_style_sheet_of_a_limited_size(tmp_path: Path) -> None:
    folder = sites.build(ROOT, tmp_path)["console"]
    index = (folder / "index.html").read_text()
    loaded = {name for name in LINKED.findall(index) if (folder / name).is_file()}
    assert loaded == {"console.js", "console.css", "icon.svg"}
    names = ("index.html", *loaded)
    weights = {name: len(gzip.compress((folder / name).read_bytes(), 9)) for name in names}
    assert sum(weights.values()) <= MOST, weights
