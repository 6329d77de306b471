# SPDX-License-Identifier: Apache-2.0
"""Parts of a request that WSGI and ASGI share: cookies, header values, and the path as it was sent.

Text is Latin-1, one character for each byte, as the readings of a path need it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

SESSION_HEADER = "x-waiting-room-session"
END_HEADER = "waiting-room-session"  # of a response of the site
ROOM_COOKIE = re.compile(r"(?:^|(?<=[;,]))[ \t]*(?:__Host-)?waiting-room[-_][^;,]*(?:[;,]|$)")
PATH_SIGNS = "/:@!$&'()*+,;=-._~"  # a path has them as they are (RFC 3986); "%" becomes "%25"


def cookies_of(headers: Iterable[str]) -> dict[str, list[str]]:
    """Return the values of each cookie, in their order, without any decoding."""
    found: dict[str, list[str]] = {}
    for header in headers:
        for pair in header.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals:
                found.setdefault(name, []).append(value)
    return found


def without_room_cookies(header: str) -> str:
    """Return a ``Cookie`` header without the cookies of the room; empty if none is left.

    Some servers join two headers with a comma.
    """
    return ROOM_COOKIE.sub("", header).strip(" \t;,")


def values_of(name: str, text: str) -> list[str]:
    """Return the values of a header that a WSGI server joined: the whole text, then its parts."""
    if "," not in text or name == "user-agent":
        return [text]
    return [text, *(part.strip(" \t") for part in text.split(","))]


def sent_path(
    candidates: Iterable[str], is_it: Callable[[str], bool]
) -> tuple[str, str | None] | None:
    """Return path and query of the first candidate that ``is_it`` accepts; None without one."""
    for candidate in candidates:
        raw, mark, query = candidate.partition("?")
        if raw and is_it(raw):
            return raw, query if mark else None
    return None


def quoted_path(path: bytes) -> str:
    """Return a decoded path in a form whose readings contain it: the sent form is not known."""
    return quote(path, safe=PATH_SIGNS)


def may_end(cache_control: Iterable[str]) -> bool:
    """Return whether a response is for one visitor only: ``no-store`` or ``private``."""
    directives = {
        part.strip().lower().partition("=")[0] for one in cache_control for part in one.split(",")
    }
    return bool(directives & {"no-store", "private"})
