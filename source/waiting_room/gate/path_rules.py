# SPDX-License-Identifier: Apache-2.0
"""Rules for protected paths. No spelling of a path avoids a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from waiting_room.domain.gate.path_readings import ODD, OTHER_STEPS

MAX_PATH = 8_192  # characters; a longer path is always protected
MAX_INTERPRETATIONS = 96  # of one path; a path with more is always protected
UNREADABLE = re.compile("[\x00-\x1f\x7f\ufffd\ud800-\udfff]")  # controls, invalid UTF-8


def is_protected(
    path: str, include: Iterable[str], exclude: Iterable[str], mount: str = "", raw: str = ""
) -> bool:
    """Return whether a path is protected: the longest matching rule decides, ``include`` on a tie.

    It is unknown how the site interprets a path: case, doubled slashes, dot segments, encoded
    characters. So a rule of ``include`` matches if any interpretation matches. A rule of
    ``exclude`` matches only if every interpretation does, in the same letter case. Rules may
    include ``mount``, the path prefix of the site, or omit it; ``path`` includes it. ``raw`` is
    the path as it was sent. A path that cannot be interpreted is protected.
    """
    include, exclude = tuple(include), tuple(exclude)
    included = excluded = -1
    for start in {0, len(mount)}:
        texts = [text[start:] or "/" for text in (path or "/", raw) if text]
        found = interpretations(*texts)
        if found is None:
            return bool(include)
        folded = {reading.casefold() for reading in found}
        for rule in include:
            if any(_matches(reading, rule.casefold()) for reading in folded):
                included = max(included, start + len(rule.rstrip("/")))
        for rule in exclude:
            if all(_matches(reading, rule) for reading in found):
                excluded = max(excluded, start + len(rule.rstrip("/")))
    return included >= max(0, excluded)


def interpretations(*paths: str) -> set[str] | None:
    """Return all interpretations of a path by any server; None for an invalid path.

    A path starts with a slash, is valid UTF-8 without control characters, and is not too long.
    """
    found: set[str] = set()
    new = set(paths)
    while new:
        if not all(map(_is_readable, new)) or len(found) + len(new) > MAX_INTERPRETATIONS:
            return None
        found |= new
        new = {step(text) for text in new if ODD.search(text) for step in STEPS} - found
    return found


def is_normalised(path: str) -> bool:
    """Return whether a path has only one interpretation."""
    return interpretations(path) == {path}


def _is_readable(text: str) -> bool:
    return text.startswith("/") and len(text) <= MAX_PATH and not UNREADABLE.search(text)


def _matches(path: str, rule: str) -> bool:
    start = rule.rstrip("/")
    return path == start or path.startswith(start + "/")


STEPS: tuple[Callable[[str], str], ...] = (unquote, *OTHER_STEPS)
