# SPDX-License-Identifier: Apache-2.0
"""One writer of the generated tables in docs/, with one syntax of markers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deployment import docs_tables
from tests.support.servers import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))


def test_a_table_is_written_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    other = "<!-- table: y -->\nkept\n<!-- /table -->\n"
    page.write_text(f"a\n<!-- table: x -->\nold\n<!-- /table -->\n{other}b\n")
    docs_tables.replace(page, "x", "new")
    docs_tables.replace(page, "x", "newer\n")
    text = page.read_text()
    assert text == f"a\n<!-- table: x -->\n\nnewer\n\n<!-- /table -->\n{other}b\n"
    assert docs_tables.names(page) == ["x", "y"]


@pytest.mark.parametrize("content", ["", "<!-- table: x -->\n", "<!-- /table -->\n"])
def test_missing_markers_are_named(content: str) -> None:
    with pytest.raises(docs_tables.MarkersMissing, match="<!-- table: x -->` and `<!-- /table -->"):
        docs_tables.replaced(content, "x", "new")


def test_each_comment_of_a_page_is_a_marker_of_a_table() -> None:
    found = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        comments = re.findall(r"^<!--.*-->$", text, re.M)
        names = docs_tables.names(page)
        assert len(names) == len(set(names)), page.name
        assert len(comments) == 2 * len(names), (page.name, comments)
        found += len(names)
    assert found > 20
