# SPDX-License-Identifier: Apache-2.0
"""Readings of a path: all forms in which some server interprets it.

It is unknown how the site reads a path: letter case, doubled slashes, dot segments, encoded
characters. Bytes are decoded to characters one by one, so the edge has the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_PATH = 2_048  # characters
MAX_READINGS = 96
ODD = re.compile(r"[%\\;?#]|//|/\.\.?(?:/|$)")  # servers differ in their reading
UNREADABLE = re.compile("[\x00-\x1f\x7f\xc0\xc1]")  # controls, and bytes that are never UTF-8
ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
UPPER = re.compile("[A-Z]")


def readings(path: str) -> list[str] | None:
    """Return all readings of a path as it was sent, without its query.

    None for a path that cannot be read: every rule protects it, and no rule opens it.
    """
    found = [path]
    for text in found:  # grows meanwhile
        if not text.startswith("/") or len(text) > MAX_PATH or UNREADABLE.search(text):
            return None
        if ODD.search(text):
            for step in STEPS:
                if (reading := step(text)) not in found:
                    found.append(reading)
        if len(found) > MAX_READINGS:
            return None
    return found


def fold(text: str) -> str:
    """Return the text in lower case: A to Z, and the two other characters that fold to ASCII."""
    lower = UPPER.sub(lambda found: found[0].lower(), text)
    return lower.replace("\xc5\xbf", "s").replace("\xe2\x84\xaa", "k")


def _decoded(path: str) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), path)


def _without_parameters(path: str) -> str:
    return re.sub(";[^/]*", "", path) or "/"


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, 5.2.4); an empty segment is a segment."""
    parts: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            del parts[-1:]
        elif part != ".":
            parts.append(part)
    if re.search(r"/\.\.?$", path):
        parts.append("")
    return "/" + "/".join(parts)


OTHER_STEPS: tuple[Callable[[str], str], ...] = (
    lambda path: path.replace("\\", "/"),
    _without_parameters,
    lambda path: path.partition("?")[0] or "/",
    lambda path: path.partition("#")[0] or "/",
    lambda path: re.sub("^//[^/]*", "", path) or "/",
    lambda path: re.sub("//+", "/", path),
    _without_dots,
)
STEPS = (_decoded, *OTHER_STEPS)
