# SPDX-License-Identifier: Apache-2.0
"""``docs/architecture.md`` has the dependency table of the test."""

from __future__ import annotations

from tests.docs import markdown
from tests.support.servers import ROOT
from tests.tools.test_dependency_rule import MAY_IMPORT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LIBRARY = ROOT / "source" / "waiting_room"


def module(path: str) -> str:
    """Return the dotted name of a folder or module as the page writes it."""
    name = path.removesuffix(".py").replace("/", ".")
    return f"waiting_room.{name}" if (LIBRARY / path).exists() else name


def test_the_dependency_table_is_that_of_the_test() -> None:
    table = {
        module(markdown.code(folder)[0]): {module(one) for one in markdown.code(allowed)}
        for folder, allowed, *_ in markdown.rows(PAGE, "Dependency table")
    }
    assert table == MAY_IMPORT, "write MAY_IMPORT into the table of docs/architecture.md"
