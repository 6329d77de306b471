# SPDX-License-Identifier: Apache-2.0
"""Writes the languages of the waiting page into its HTML files.

A comment ``<!-- each language: … -->`` is replaced by its content, once for each language.
``{code}`` is the name of the language's file without its ending; the other names in braces are
texts of that file.
"""

from __future__ import annotations

import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "source" / "sites" / "waiting_room" / "words"
EACH = re.compile(r"^( *)<!-- each language: (.*?) -->\n", re.M | re.S)
ELSEWHERE = ("name", "late", "not_found", "to_site")  # texts that only pages without scripts have
NAME = re.compile(r"{(\w+)}")


def with_languages(text: str) -> str:
    """Return the text of an HTML file with its languages."""
    return EACH.sub(lambda found: _lines(found[1], found[2]), text)


def compact_words(folder: Path) -> None:
    """Remove what the page does not read from the files in a built folder."""
    for file in folder.glob("*.json"):
        words = json.loads(file.read_text("utf-8"))
        for name in ELSEWHERE:
            del words[name]
        file.write_text(json.dumps(words, ensure_ascii=False, separators=(",", ":")), "utf-8")


@cache
def _languages() -> dict[str, dict[str, Any]]:
    """Return the texts of each language, English first."""
    files = sorted(FOLDER.glob("*.json"), key=lambda file: (file.stem != "en", file.stem))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in files}


def _lines(indent: str, template: str) -> str:
    return "".join(f"{indent}{_filled(template, code)}\n" for code in _languages())


def _filled(template: str, code: str) -> str:
    own = {**_languages()[code], "code": code}
    return NAME.sub(lambda name: html.escape(str(own[name[1]])), template)
