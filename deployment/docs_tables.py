# SPDX-License-Identifier: Apache-2.0
"""Generated tables in the pages of docs/, each between two markers with its name.

    <!-- table: name -->
    … written by a command …
    <!-- /table -->

Commands call `replace`. ``python -m deployment.docs_tables`` writes the tables of docs/deploy.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from deployment.account import remains
from deployment.doctor import checks
from infrastructure.parameters import docs_table

MARKED = re.compile(r"<!-- table: ([a-z_-]+) -->\n(.*?)<!-- /table -->", re.DOTALL)


class MarkersMissing(Exception):
    """The page has no markers with the name."""


def names(page: Path) -> list[str]:
    """Return the names of the tables of a page, in order."""
    return [found[1] for found in MARKED.finditer(page.read_text(encoding="utf-8"))]


def replace(page: Path, name: str, text: str) -> None:
    """Write a text between the markers of a name; raise MarkersMissing when there are none."""
    page.write_text(replaced(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def replaced(content: str, name: str, text: str) -> str:
    """Return the content of a page with another text between the markers of a name."""
    begin, end = f"<!-- table: {name} -->\n", "<!-- /table -->"
    before, found, rest = content.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise MarkersMissing(f"Add the lines `{begin.strip()}` and `{end}` to the page")
    return f"{before}{begin}\n{text.strip()}\n\n{end}{after}"


def parameters(content: str) -> str:
    """Return docs/deploy.md with its tables as the code defines them."""
    for name in docs_table.TABLES:
        content = replaced(content, name, docs_table.table(name))
    content = replaced(content, "remains", remains.table())
    return replaced(content, "doctor", checks.table())


if __name__ == "__main__":
    page = docs_table.PAGE
    page.write_text(parameters(page.read_text(encoding="utf-8")), encoding="utf-8")
