# SPDX-License-Identifier: Apache-2.0
"""A request as a gate sees it, and its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class GateRequest:
    """A request as a gate sees it. Header names are in lower case; ``path`` is as it was sent."""

    method: str
    host: str
    path: str
    query: str | None = None  # as it was sent, without "?"; None without one
    headers: Values = field(default_factory=dict)
    cookies: Values = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return the first value of a header; empty without one."""
        return next(iter(self.headers.get(name, ())), "")


def is_navigation(request: GateRequest) -> bool:
    """Return whether a browser shows the response as a page of its own.

    A client without fetch metadata navigates if it accepts HTML.
    """
    if "prefetch" in request.header("sec-purpose") + request.header("purpose"):
        return False
    mode = request.header("sec-fetch-mode")
    if mode:
        return mode == "navigate" and request.header("sec-fetch-dest") == "document"
    if "sec-websocket-key" in request.headers or "x-requested-with" in request.headers:
        return False
    return "text/html" in request.header("accept")


def is_preflight(request: GateRequest) -> bool:
    """Return whether a request is a CORS preflight, which never carries a cookie."""
    asked = "access-control-request-method" in request.headers
    return request.method == "OPTIONS" and asked and "origin" in request.headers


def local_path(to: str) -> str:
    """Return ``to`` if it is a path of the same host, otherwise ``/``."""
    return to if re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", to) else "/"


def parameters(query: str) -> dict[str, str]:
    """Return the first value of each parameter."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        found.setdefault(name, unquote(value, errors="replace"))
    return found
