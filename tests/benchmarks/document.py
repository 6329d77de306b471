# SPDX-License-Identifier: Apache-2.0
"""Writes what was measured into the tables of ``docs/performance.md``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from deployment import docs_tables
from tests.benchmarks.tables import RESULTS, ROOT, markdown

PAGE = ROOT / "docs" / "performance.md"


def fill(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Replace each table that there is a result for; the others stay as they are."""
    for name in docs_tables.names(page):
        file = results / f"{name}.json"
        if file.exists():
            docs_tables.replace(page, name, text_of(json.loads(file.read_text())))


def text_of(kept: dict[str, Any]) -> str:
    """A result as Markdown: title, table, when and where it was measured."""
    day = time.strftime("%Y-%m-%d", time.gmtime(kept["measured_at"]))
    where = f"{kept['machine']}, Python {kept['python']}, load average {kept['busy']}"
    return (
        f"**{kept['title']}**\n\n{markdown(kept['columns'], kept['rows'])}\n\n"
        f"*Measured on {day}: {where}.*"
    )
