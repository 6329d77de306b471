# SPDX-License-Identifier: Apache-2.0
"""Puts what was measured between the markers of ``docs/performance.md``."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.tables import RESULTS, ROOT, markdown

PAGE = ROOT / "docs" / "performance.md"
MARKED = re.compile(r"(<!-- bench: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Replace each marked table that there is a result for; the others stay as they are."""

    def table(found: re.Match[str]) -> str:
        file = results / f"{found[2]}.json"
        if not file.exists():
            return found[0]
        return f"{found[1]}\n{text_of(json.loads(file.read_text()))}\n\n{found[3]}"

    page.write_text(MARKED.sub(table, page.read_text(encoding="utf-8")), encoding="utf-8")


def text_of(kept: dict[str, Any]) -> str:
    """A result as Markdown: title, table, when and where it was measured."""
    day = time.strftime("%Y-%m-%d", time.gmtime(kept["measured_at"]))
    where = f"{kept['machine']}, Python {kept['python']}, {kept['busy']} processes at work"
    return (
        f"**{kept['title']}**\n\n{markdown(kept['columns'], kept['rows'])}\n\n"
        f"*Measured on {day}: {where}.*"
    )
