# SPDX-License-Identifier: Apache-2.0
"""A site owner's brand as a deployment passes it to the page without scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from waiting_room.domain.events.brand import DARK, READABLE, contrast

PLAIN_RULES = {  # selector of the page without scripts → property → colour
    "body": {"color": "text", "background": "background"},
    "main": {"background": "card"},
    "dt": {"color": "muted"},
    "button:focus-visible": {"outline-color": "text"},
}


def plain_brand(brand: Mapping[str, Any]) -> str:
    """Return the brand of the page without scripts as JSON: its name, and its colours as CSS.

    That page loads nothing, so it has no logo; it has texts of its own.
    """
    light, dark = _rules(brand.get("colors") or {}), _rules(brand.get("colors_dark") or {})
    if dark:
        dark = f"@media(prefers-color-scheme:dark){{{dark}}}"
    elif brand.get("colors"):  # dark mode keeps its own colours, except the accent
        accent = {key: one for key, one in brand["colors"].items() if key == "accent"}
        dark = f"@media(prefers-color-scheme:dark){{{_rules({**DARK, **accent})}}}"
    return json.dumps({"name": brand.get("name") or "", "style": light + dark})


def _rules(colours: Mapping[str, str]) -> str:
    """Return CSS rules for colours; text on the accent is black or white, by contrast."""
    known = {part: colour.lower() for part, colour in colours.items()}
    rules = ""
    for selector, parts in PLAIN_RULES.items():
        found = ";".join(f"{name}:{known[part]}" for name, part in parts.items() if part in known)
        rules += f"{selector}{{{found}}}" if found else ""
    if accent := known.get("accent"):
        text = "#000" if contrast(accent, "#000000") >= READABLE else "#fff"
        rules += f"button{{color:{text};background:{accent}}}"
    return rules
