# SPDX-License-Identifier: Apache-2.0
"""Sections, tables and code spans of the pages in docs/, for the tests that read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADING = re.compile(r"^(#+) (.+?)\s*$")
FENCE = re.compile(r"^\s*(```|~~~)")
RULE = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+$")


@dataclass(frozen=True)
class Table:
    """A table: the cells of its head, and of each row; cells have no space at their ends."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        index = self.head.index(name)
        return [row[index] for row in self.rows]


def section(page: str, heading: str) -> str:
    """Return the text below a heading, with its subsections; raise LookupError without it."""
    level, lines = 0, []
    for line, is_code in _lines(page):
        found = None if is_code else HEADING.match(line)
        if level and found and len(found[1]) <= level:
            break
        if level:
            lines.append(line)
        elif found and found[2] == heading:
            level = len(found[1])
    if not level:
        raise LookupError(f"the page has no heading {heading!r}")
    return "\n".join(lines)


def tables(text: str) -> list[Table]:
    """Return the tables of a text in order; code blocks have none."""
    found: list[list[str]] = [[]]
    for line, is_code in _lines(text):
        if line.startswith("|") and not is_code:
            found[-1].append(line.rstrip())
        elif found[-1]:
            found.append([])
    return [_table(lines) for lines in found if len(lines) > 1 and RULE.match(lines[1])]


def table(page: str, heading: str) -> Table:
    """Return the first table below a heading; raise LookupError when there is none."""
    found = tables(section(page, heading))
    if not found:
        raise LookupError(f"the section {heading!r} has no table")
    return found[0]


def rows(page: str, heading: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the first table below a heading."""
    return table(page, heading).rows


def code(text: str) -> list[str]:
    """Return the texts in backquotes."""
    return re.findall(r"`([^`\n]+)`", text)


def _table(lines: Sequence[str]) -> Table:
    head, _, *others = (_cells(line) for line in lines)
    return Table(head, tuple(others))


def _cells(line: str) -> tuple[str, ...]:
    cells = re.split(r"(?<!\\)\|", line.removeprefix("|").removesuffix("|"))
    return tuple(cell.strip().replace("\\|", "|") for cell in cells)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether it is part of a code block."""
    is_code = False
    for line in text.splitlines():
        fence = FENCE.match(line) is not None
        yield line, is_code or fence
        is_code ^= fence
