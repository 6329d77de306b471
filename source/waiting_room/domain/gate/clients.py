# SPDX-License-Identifier: Apache-2.0
"""Request headers of clients of the entrance: ``Accept``, ``Cookie`` and prefetch headers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.decision import MAX_SESSIONS, PROBE_LIFE, cookie_name
from waiting_room.domain.gate.request import Values

QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE | re.ASCII)
JSON, HTML = ("application/json", "application/*", "*/*"), ("text/html", "text/*", "*/*")
MAX_HEADER = 8_192  # characters of a header that are read
CLOCK_DIFFERENCE = 300  # s by which the clock of the edge may be ahead


def prefers_json(accept: str) -> bool:
    """Return whether ``Accept`` has a higher quality for JSON than for HTML."""
    qualities: dict[str, float] = {}
    for part in accept[:MAX_HEADER].lower().split(","):
        kind, *parameters = part.split(";")
        given = [found for one in parameters if (found := QUALITY.fullmatch(one))]
        qualities.setdefault(kind.strip(), min(1.0, float(given[0][1])) if given else 1.0)
    return _quality(qualities, JSON) > _quality(qualities, HTML)


def _quality(qualities: Mapping[str, float], names: tuple[str, ...]) -> float:
    return next((qualities[name] for name in names if name in qualities), 0.0)


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Return whether a browser loads the address before its visitor asks for it."""
    found = (headers.get(name) or "" for name in ("sec-purpose", "purpose", "x-moz"))
    return any("prefetch" in one.lower() or "prerender" in one.lower() for one in found)


def parse_cookies(header: str) -> dict[str, list[str]]:
    """Return all values of each cookie in a ``Cookie`` header, in their order."""
    found: dict[str, list[str]] = {}
    for pair in header[:MAX_HEADER].split(";"):
        name, separator, value = pair.strip().partition("=")
        if separator:
            found.setdefault(name, []).append(value.strip('"'))
    return found


def has_probe(cookies: Values, event_id: str, keys: GateKeys, now: int, *, secure: bool) -> bool:
    """Return whether the client has kept a probe cookie of this event."""
    name = cookie_name("probe", event_id, secure=secure)
    for value in list(cookies.get(name, ()))[:MAX_SESSIONS]:
        found = credentials.decode_probe(value, keys)
        if found and found[0] == event_id and -CLOCK_DIFFERENCE <= now - found[1] < PROBE_LIFE:
            return True
    return False


def set_cookie(name: str, value: str, life: int, *, secure: bool) -> str:
    """Return a ``Set-Cookie`` header for ``life`` seconds; 0 removes the cookie."""
    site = "Secure; HttpOnly; SameSite=None" if secure else "HttpOnly; SameSite=Lax"
    return f"{name}={value}; {site}; Path=/; Max-Age={life}"
