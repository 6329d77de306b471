# SPDX-License-Identifier: Apache-2.0
"""How much a visitor's phone has to load: the whole waiting page, all languages, compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

from deployment import sites
from tests.servers import ROOT

MOST = 20_000  # bytes


def test_the_waiting_page_with_all_its_languages_weighs_at_most_20_kb(tmp_path: Path) -> None:
    folder = sites.build(ROOT, tmp_path)["waiting_room"]
    weights = {
        str(file.relative_to(folder)): len(gzip.compress(file.read_bytes(), 9))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    assert len(weights) > 8
    total = sum(weights.values())
    assert total <= MOST, "\n".join(f"{name}: {size}" for name, size in weights.items())
    print(f"the waiting page: {total} bytes compressed; {weights}")
