# SPDX-License-Identifier: Apache-2.0
"""Events of CloudFront Functions, and requests and responses from them.

Names of headers are in lower case. Cookies are not among the headers. Values are one character for
each byte (Latin-1).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_TARGET = 8_192  # bytes of path and query
MAX_HEAD = 20_480  # bytes of the request line and the headers
# CloudFront hides these from a function and does not forward them as the viewer sent them.
HIDDEN = frozenset({
    "connection", "expect", "keep-alive", "trailer", "upgrade", "x-cache", "x-forwarded-proto",
    "x-real-ip",
})  # fmt: skip
HIDDEN_PREFIXES = ("proxy-", "x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-")
Pairs = tuple[tuple[str, str], ...]


class Refused(Exception):
    """CloudFront itself refuses the request; carries the status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True)
class ViewerRequest:
    """A request of a viewer. ``path`` and ``query`` are as they were sent; None: no ``?``."""

    method: str
    path: str
    query: str | None
    headers: Pairs
    cookies: Pairs
    body: bytes
    source_ip: str

    @property
    def target(self) -> str:
        """The path with the query."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def header(self, name: str) -> str:
        """Return the first value of a header; empty without one."""
        return next((value for known, value in self.headers if known == name), "")


async def read_request(scope: Mapping[str, Any], receive: Any) -> ViewerRequest:
    """Read the request of an ASGI connection. Raises Refused."""
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    headers = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope["headers"]
    ]
    if len(raw) + len(query) > MAX_TARGET:
        raise Refused(414)
    if sum(len(name) + len(value) + 4 for name, value in headers) + len(raw) > MAX_HEAD:
        raise Refused(494)
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] in ("GET", "HEAD") and body:
        raise Refused(403)
    cookies = [
        (name, value)
        for known, header in headers
        if known == "cookie"
        for pair in header.split(";")
        for name, equals, value in [pair.strip().partition("=")]
        if equals
    ]
    kept = tuple(
        (name, value) for name, value in headers if name != "cookie" and not _is_hidden(name)
    )
    client = scope.get("client")
    return ViewerRequest(
        scope["method"], raw, query or None, kept, tuple(cookies), body,
        client[0] if client else "127.0.0.1",
    )  # fmt: skip


def _is_hidden(name: str) -> bool:
    return name in HIDDEN or name.startswith(HIDDEN_PREFIXES)


def event_of(kind: str, request: ViewerRequest) -> dict[str, Any]:
    """Return the event of a function; ``kind`` is viewer-request or viewer-response."""
    return {
        "version": "1.0",
        "context": {"eventType": kind, "distributionId": "local", "requestId": "local"},
        "viewer": {"ip": request.source_ip},
        "request": {
            "method": request.method,
            "uri": request.path,
            "rawQuery": request.query,
            "querystring": _listed(
                (name, value)
                for pair in (request.query or "").split("&")
                for name, _, value in [pair.partition("=")]
                if name
            ),
            "headers": _listed(request.headers),
            "cookies": _listed(request.cookies),
        },
    }


def forwarded(request: ViewerRequest, changed: Mapping[str, Any]) -> ViewerRequest:
    """Return the request that a function returned; method, body and query stay."""
    return replace(
        request,
        path=changed["uri"],
        headers=tuple(_headers(changed["headers"])),
        cookies=tuple(_pairs(changed["cookies"])),
    )


@dataclass(frozen=True)
class Reply:
    """A response; header names in lower case."""

    status: int
    headers: Pairs
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return the first value of a header; empty without one."""
        return next((value for known, value in self.headers if known == name), "")


def generated(result: Mapping[str, Any]) -> Reply:
    """Return the response that a viewer-request function made."""
    given = result.get("body", "")
    if isinstance(given, str):
        body = given.encode()
    elif given.get("encoding") == "base64":
        body = base64.b64decode(given["data"])
    else:
        body = given["data"].encode()
    headers = [*_headers(result.get("headers", {})), *_set_cookies(result.get("cookies", {}))]
    return Reply(result["statusCode"], tuple(headers), body)


def response_event(request: ViewerRequest, reply: Reply) -> dict[str, Any]:
    """Return the event of a viewer-response function."""
    headers = [pair for pair in reply.headers if pair[0] != "set-cookie"]
    found = event_of("viewer-response", request)
    found["response"] = {"statusCode": reply.status, "headers": _listed(headers), "cookies": {}}
    return found


def changed(reply: Reply, result: Mapping[str, Any]) -> Reply:
    """Return the response after a viewer-response function; the site's own cookies stay."""
    cookies = [pair for pair in reply.headers if pair[0] == "set-cookie"]
    own = _set_cookies(result.get("cookies") or {})
    return replace(reply, headers=(*_headers(result["headers"]), *cookies, *own))


def _listed(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return names with their values: the first as ``value``, several also as ``multiValue``."""
    many: dict[str, list[str]] = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    return {
        name: {"value": values[0]}
        | ({"multiValue": [{"value": one} for one in values]} if len(values) > 1 else {})
        for name, values in many.items()
    }


def _headers(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in _pairs(found)]


def _pairs(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, one["value"])
        for name, entry in found.items()
        for one in entry.get("multiValue", [entry])
    ]


def _set_cookies(cookies: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("set-cookie", f"{name}={one['value']}" + _attributes(one)) for name, one in cookies.items()
    ]


def _attributes(one: Mapping[str, Any]) -> str:
    return f"; {one['attributes']}" if one.get("attributes") else ""
