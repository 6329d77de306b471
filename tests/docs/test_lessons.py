# SPDX-License-Identifier: Apache-2.0
"""Every lesson has its named tests, and they exist."""

from __future__ import annotations

import re

from tests.docs import markdown
from tests.support.servers import ROOT

LESSONS = 27


def rows() -> dict[int, list[str]]:
    """The tests that the page names, by lesson."""
    page = (ROOT / "docs" / "lessons.md").read_text()
    return {
        int(row[0]): re.findall(r"`(\w+)`", row[-1])
        for table in markdown.tables(page)
        for row in table.rows
        if row[0].isdigit()
    }


def test_every_lesson_names_tests_that_exist() -> None:
    found = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert sorted(rows()) == list(range(1, LESSONS + 1))
    for number, names in rows().items():
        assert names, f"lesson {number} names no test"
        assert set(names) <= found, f"lesson {number}: {set(names) - found}"
