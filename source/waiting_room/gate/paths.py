# SPDX-License-Identifier: Apache-2.0
"""Which paths stand behind the gate. Spelling a path another way never opens it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote


def is_protected(path: str, include: Iterable[str], exclude: Iterable[str]) -> bool:
    """Whether a path is behind the gate: the longest rule that fits decides, ``include`` on a tie.

    A server may read a path more freely than we do: case, doubled slashes, dot segments, encoded
    signs. So rules include every such spelling, and exclude a path only as it is written.
    """
    included = max(
        (max(_fit(path, rule), _fit(plain(path), plain(rule))) for rule in include), default=-1
    )
    if included < 0:
        return False
    exact = path if is_plain(path) else ""
    return included >= max((_fit(exact, rule) for rule in exclude), default=-1) or not exact


def plain(path: str) -> str:
    """The path in its shortest spelling, in lower case."""
    parts: list[str] = []
    for part in unquote(path).replace("\\", "/").casefold().split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def is_plain(path: str) -> bool:
    """Whether a path has one spelling only, but for its case and a slash at its end."""
    return plain(path) == (path.rstrip("/") or "/").casefold()


def _fit(path: str, rule: str) -> int:
    """The length of a rule that covers the path, -1 when it does not."""
    start = rule.rstrip("/")
    return len(start) if path == start or path.startswith(start + "/") else -1
