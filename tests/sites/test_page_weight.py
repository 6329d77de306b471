# SPDX-License-Identifier: Apache-2.0
"""How much a visitor's phone has to load of the waiting page, in files and compressed bytes."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from deployment.capacity import quotas
from infrastructure.assets import sites
from tests.support.servers import ROOT
from waiting_room.runtime.room_words import LANGUAGES

ONE = 20 * 1024  # bytes of what a visitor of one language loads
HEADERS = 1_000  # bytes of a response's headers, at most
CONFIG = 800  # bytes of config.json, compressed, which the stack adds
LINKED = re.compile(r'(?:src|href)="([^":]+)"')


def test_what_a_visitor_loads_of_the_waiting_page_is_small(tmp_path: Path) -> None:
    folder = sites.build(ROOT, tmp_path)["waiting_room"]
    index = (folder / "index.html").read_text()
    linked = set(LINKED.findall(re.sub(r"<noscript>.*?</noscript>", "", index, flags=re.S)))
    loaded = {name for name in linked if (folder / name).is_file()}
    assert {"page.js", "start.js", "style.css"} == loaded
    script = (folder / "page.js").read_text()
    assert len(re.findall(r"\bimport\b", script)) == 1, "the bundle has its modules"
    weights = {
        str(file.relative_to(folder)): len(gzip.compress(file.read_bytes(), 9))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    said = "\n".join(f"{name}: {size}" for name, size in weights.items())
    words = [size for name, size in weights.items() if name.startswith("words")]
    assert len(words) == len(LANGUAGES)
    one = [weights[name] for name in ("index.html", *loaded)] + [max(words)]
    assert sum(one) <= ONE, said
    assert weights["branding.js"] <= 1_000, "as docs/pages.md says"
    one += [weights["visit.js"], CONFIG]  # a visitor with a position
    _, _, assumed = quotas.load()
    assert len(one) == assumed.page_requests, "the model of the cost counts each file"
    assert sum(one) + len(one) * HEADERS <= assumed.page_bytes, said
