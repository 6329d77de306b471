# SPDX-License-Identifier: Apache-2.0
"""Origins of requests: the page that made a browser send a request (RFC 6454)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # of RFC 9110, 5.6.2
METHOD = re.compile(f"{TCHAR}{{1,32}}", re.ASCII)
HEADER_NAMES = re.compile(rf"(?:{TCHAR}{{1,64}}[ \t]*(?:,[ \t]*|\Z)){{0,64}}", re.ASCII)
LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"  # browsers accept an underscore
HOST = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?", re.ASCII)
PREFETCH = ("prefetch", "prerender", "preview")
FRAMES = ("iframe", "frame", "embed", "object", "fencedframe")


def origin_of(address: str) -> str | None:
    """Return the origin of an http or https address, as browsers write it, else None."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return None
    shown = _host(host) if address.isascii() and address.isprintable() and port != 0 else None
    if shown is None:
        return None
    usual = port in (None, {"http": 80, "https": 443}[parts.scheme])
    return f"{parts.scheme}://{shown}" if usual else f"{parts.scheme}://{shown}:{port}"


def is_origin(text: str) -> bool:
    """Return whether a text is an origin as browsers write it, without a path."""
    return origin_of(text) == text


def own_origins(headers: Mapping[str, str], *, secure: bool) -> frozenset[str]:
    """Return the origins of the request's host; ``http`` only if cookies are not Secure."""
    schemes = ("https",) if secure else ("https", "http")
    host = headers.get("host", "")
    if not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]{1,300}", host, re.ASCII):
        return frozenset()
    found = (origin_of(f"{scheme}://{host}") for scheme in schemes)
    return frozenset(origin for origin in found if origin)


def is_sent_by(headers: Mapping[str, str], own: frozenset[str], others: frozenset[str]) -> bool:
    """Return whether a page of ``own`` or ``others`` made the browser send a POST.

    Browsers send ``Origin`` with every POST of another origin. Without it the older headers
    decide. A request with none of them returns false.
    """
    if "origin" in headers:
        return headers["origin"] in own | others
    if headers.get("sec-fetch-site") == "same-origin":
        return True
    return origin_of(headers.get("referer", "")) in own | others


def _host(host: str) -> str | None:
    """Return a host as browsers write it; None if it is invalid."""
    if ":" not in host:
        return host if HOST.fullmatch(host) else None
    try:
        return f"[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return None


def is_navigation(headers: Mapping[str, str]) -> bool:
    """Return whether a request opens a page in a tab: no script, frame, image or prefetch.

    Without ``Sec-Fetch-*`` (Safari before 16.4) a request counts as one. Apps that show web pages
    send their name (``com.example.app``) as ``X-Requested-With``; scripts send a word without a
    dot.
    """
    purposes = (headers.get(name, "").lower() for name in ("sec-purpose", "purpose", "x-moz"))
    if any(word in purpose for purpose in purposes for word in PREFETCH):
        return False
    sender = headers.get("x-requested-with")
    if sender is not None and "." not in sender:
        return False
    mode = headers.get("sec-fetch-mode", "navigate")
    return mode == "navigate" and headers.get("sec-fetch-dest", "document") == "document"


def is_frame(headers: Mapping[str, str]) -> bool:
    """Return whether a request loads a frame of a page."""
    return headers.get("sec-fetch-dest", "") in FRAMES


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request is a CORS preflight (Fetch, 3.2.2)."""
    return method == "OPTIONS" and "access-control-request-method" in headers


def preflight_grant(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...] | None:
    """Return the headers that allow a preflight's request; None if it is invalid."""
    method = headers.get("access-control-request-method", "")
    names = headers.get("access-control-request-headers", "").strip()
    if not METHOD.fullmatch(method) or len(names) > 2_000 or not HEADER_NAMES.fullmatch(names):
        return None
    asked = (("Access-Control-Allow-Headers", names),) if names else ()
    return (("Access-Control-Allow-Methods", method), *asked, ("Access-Control-Max-Age", "600"))
