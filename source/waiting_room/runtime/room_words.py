# SPDX-License-Identifier: Apache-2.0
"""Languages and texts of the waiting room, from the files of the waiting page.

Each file ``source/sites/waiting_room/words/<language>.json`` is one language. A bundle has the same
files at the same place (``infrastructure/assets/module_closure.py``).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "sites" / "waiting_room" / "words"
DEFAULT = "en"
_FOUND = {file.stem for file in FOLDER.glob("*.json")}
LANGUAGES = (DEFAULT, *sorted(_FOUND - {DEFAULT}))


@cache
def words_of(language: str) -> dict[str, Any]:
    """Return the texts of one of LANGUAGES: a text, title and text, or plural forms."""
    words: dict[str, Any] = json.loads((FOLDER / f"{language}.json").read_text("utf-8"))
    return words
