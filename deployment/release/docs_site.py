# SPDX-License-Identifier: Apache-2.0
"""Hook of MkDocs for `make docs`: adds pages of the repository's root, and adapts links.

A Markdown link in the repository is a path to a file. In the site, a link to a file in docs/ or to
a page of ROOT_PAGES is kept. A link to another file, such as a module, becomes its path as text.
A link to a file that does not exist is kept, so that the strict build reports it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Files of the root that are pages of the site, by their name there.
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting-a-vulnerability.md",
    "CHANGELOG.md": "changelog.md",
}
SOURCES = {page: source for source, page in ROOT_PAGES.items()}
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:\[[^\]]*\]|[^\[\]])*)\]\((?P<target>[^()\s]+)\)")
FENCE = re.compile(r"^ *(```|~~~)")
ITEM = re.compile(r"^ *(?:[-*+]|\d+\.) ")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of ROOT_PAGES; called by MkDocs."""
    from mkdocs.structure.files import File

    for source, page in ROOT_PAGES.items():
        if (ROOT / source).exists():
            content = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page for the site; called by MkDocs."""
    return adapt(markdown, str(page.file.src_uri))


def adapt(markdown: str, page: str) -> str:
    """Return the Markdown of a page, named as in the site, with links and lists for the site.

    Python-Markdown needs an empty line before a list, and before an item that follows a paragraph
    or code of another one. It needs four spaces for each level of a list and of what is in it.
    """
    out: list[str] = []
    items: list[_Item] = []  # the open items of lists, outermost first
    in_fence = False
    for line in markdown.split("\n"):
        fence = FENCE.match(line)
        if not in_fence and line.strip():
            after_blank = not (out and out[-1].strip())
            line = line if fence else LINK.sub(lambda found: _link(found, page), line)
            items = _open_items(items, line, after_blank=after_blank)
            if ITEM.match(line) and not after_blank and not _follows_item(out):
                out.append("")
        out.append(_indented(line, items, is_item=not in_fence and bool(ITEM.match(line))))
        in_fence = in_fence != bool(fence)
    return "\n".join(out)


@dataclass(frozen=True)
class _Item:
    """An item of a list: columns of its marker and of its text."""

    marker: int
    text: int


def _open_items(items: list[_Item], line: str, *, after_blank: bool) -> list[_Item]:
    """Return the items that contain ``line``; the last one is the line's own if it is an item."""
    column = len(line) - len(line.lstrip(" "))
    found = ITEM.match(line)
    if found or after_blank:
        items = [item for item in items if column >= item.text]
    if found:
        return [*items, _Item(column, found.end())]
    if items and column == items[-1].text + 1 and column == items[-1].marker + 4:
        return [*items[:-1], _Item(items[-1].marker, column)]  # "1. " with four spaces below it
    return items


def _follows_item(lines: list[str]) -> bool:
    """Return whether the last line is in the first paragraph of an item."""
    for line in reversed(lines):
        if not line.strip() or FENCE.match(line):
            return False
        if ITEM.match(line):
            return True
    return False


def _indented(line: str, items: list[_Item], *, is_item: bool) -> str:
    """Return a line with four spaces for each level of the list that contains it."""
    if not items or not line.strip():
        return line
    level, column = (len(items) - 1, items[-1].marker) if is_item else (len(items), items[-1].text)
    return "    " * level + (line[column:] if not line[:column].strip() else line.lstrip(" "))


def _link(found: re.Match[str], page: str) -> str:
    target, _, anchor = found["target"].partition("#")
    if not target or ":" in target:
        return found[0]
    source = SOURCES.get(page, f"docs/{page}")
    path = os.path.normpath(PurePosixPath(source).parent / target)
    if path in ROOT_PAGES:
        inside = ROOT_PAGES[path]
    elif path.startswith("docs/"):
        inside = path.removeprefix("docs/")
    elif (ROOT / path).exists():
        return _as_text(found["text"], path)
    else:
        return found[0]
    if (ROOT / path).is_dir():
        inside = f"{inside}/README.md"
    start = str(PurePosixPath(page).parent)
    address = os.path.relpath(inside, start) + (f"#{anchor}" if anchor else "")
    return f"{found['image']}[{found['text']}]({address})"


def _as_text(text: str, path: str) -> str:
    """Return what replaces a link to a file that is not in the site."""
    if text.strip("`").rstrip("/").endswith(path.rstrip("/").split("/")[-1]):
        return f"`{path}`"
    return f"{text} (`{path}`)"
