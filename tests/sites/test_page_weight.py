# SPDX-License-Identifier: Apache-2.0
"""How much a visitor's phone has to load of the waiting page, and how much there is, compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

from infrastructure.assets import sites
from tests.support.servers import ROOT

ALL, ONE = 48_000, 36_000  # bytes: every file, and what a visitor of one language loads


def test_what_a_visitor_loads_of_the_waiting_page_is_small(tmp_path: Path) -> None:
    folder = sites.build(ROOT, tmp_path)["waiting_room"]
    weights = {
        str(file.relative_to(folder)): len(gzip.compress(file.read_bytes(), 9))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    said = "\n".join(f"{name}: {size}" for name, size in weights.items())
    words = {name: size for name, size in weights.items() if name.startswith("words")}
    assert len(words) == 6
    total = sum(weights.values())
    never = sum(weights[name] for name in ("404.html", "noscript.css", "waiting-room.d.ts"))
    assert total <= ALL, said
    assert total - never - sum(words.values()) + max(words.values()) <= ONE, said
