# SPDX-License-Identifier: Apache-2.0
"""Links and paths of the documentation lead to files and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.servers import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FOLDERS = ("source", "infrastructure", "deployment", "tests", "docs", "requirements")
CREATED_BY_THE_READER = {
    "tests/apps/test_serving_moves.py",
    "tests/unit/domain/test_oldest_waiting_position.py",
}
PLANNED = re.compile(r"^- Not built:.*?(?=^- |^#|\Z)", re.MULTILINE | re.DOTALL)  # invariants.md
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([\w.-]+/[\w./{},*-]+)`")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", title.lower())
        found.add(words.replace(" ", "-"))
    return found


def broken_links(page: Path) -> list[str]:
    """Return the relative links whose file or heading does not exist."""
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def missing_paths(page: Path) -> list[str]:
    """Return the paths in code spans that begin with a folder of the project and do not exist."""
    spans = set(SPAN.findall(PLANNED.sub("", FENCE.sub("", page.read_text()))))
    return sorted(
        span
        for span in spans - CREATED_BY_THE_READER
        if span.split("/")[0] in FOLDERS
        and not re.search(r"[{}*]|NNNN", span)
        and not (ROOT / span).exists()
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    assert broken_links(page) == []
    assert missing_paths(page) == []
