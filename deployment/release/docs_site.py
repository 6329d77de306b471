# SPDX-License-Identifier: Apache-2.0
"""Hook of MkDocs for `make docs`: adds pages of the repository's root, and adapts links.

A Markdown link in the repository is a path to a file. In the site, a link to a file in docs/ or to
a page of ROOT_PAGES is kept. A link to another file, such as a module, becomes its path as text.
A link to a file that does not exist is kept, so that the strict build reports it.
"""

from __future__ import annotations

import os
import re
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
FENCE = re.compile(r"^ {0,3}(```|~~~)")
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

    Python-Markdown needs an empty line before a list and four spaces for each level of a list.
    """
    out: list[str] = []
    in_fence = False
    for line in markdown.split("\n"):
        if FENCE.match(line):
            in_fence = not in_fence
        elif not in_fence:
            line = LINK.sub(lambda found: _link(found, page), line)
            if ITEM.match(line):
                if out and out[-1].strip() and not _in_list(out):
                    out.append("")
                line = _indented(line)
        out.append(line)
    return "\n".join(out)


def _indented(line: str) -> str:
    """Return an item of a list with four spaces for each two."""
    level = (len(line) - len(line.lstrip(" "))) // 2
    return "    " * level + line.lstrip(" ")


def _in_list(lines: list[str]) -> bool:
    """Return whether the paragraph that ends here is part of a list."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if ITEM.match(line):
            return True
    return False


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
