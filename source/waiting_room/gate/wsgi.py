# SPDX-License-Identifier: Apache-2.0
"""The gate in front of a WSGI application (Django, Flask, …)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from waiting_room.gate import responses
from waiting_room.gate.decision import MAX_FORM, Gate, Request
from waiting_room.gate.responses import Response
from waiting_room.gate.settings import GateSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CLAIMS = "waiting_room.claims"  # in the environ: the visitor's claims, None where not checked
# Streams that do not end by themselves
ENDLESS = ("text/event-stream", "multipart/x-mixed-replace")
UPGRADES = ("HTTP_UPGRADE", "HTTP_HTTP2_SETTINGS")  # a server may ignore both (RFC 9110, 7.8)
UNCACHED = ("cache-control", "expires", "set-cookie2")


class WsgiGate:
    """``app`` behind the gate; the environ has the visitor's claims as ``waiting_room.claims``."""

    def __init__(self, app: WSGIApplication, gate: Gate | GateSettings) -> None:
        self._app = app
        self._gate = gate if isinstance(gate, Gate) else Gate(gate)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = read_request(environ)
        if self._gate.is_entrance(request):
            body = _body(environ)
            response = body if isinstance(body, Response) else self._gate.enter(request, body)
            return _respond(response, request, start_response)
        decision = self._gate.check(request)
        if isinstance(decision, Response):
            return _respond(decision, request, start_response)
        environ[CLAIMS] = decision.claims
        if decision.set_cookie is not None:
            start_response = _with_cookie(start_response, decision.set_cookie)
        if decision.until is None:
            return self._app(environ, start_response)
        if _is_websocket(environ):  # the gate could not end the connection
            return _respond(responses.no_upgrade(), request, start_response)
        for name in UPGRADES:
            environ.pop(name, None)
        gate, until = self._gate, decision.until
        site = _SiteResponse(start_response, lambda: gate.now() >= until)
        return site.limit(self._app(environ, site.start))


class _SiteResponse:
    """Response of the site; the gate ends a stream when the session ends."""

    def __init__(self, start_response: StartResponse, is_over: Callable[[], bool]) -> None:
        self._start_response, self._is_over = start_response, is_over
        self._started = self._endless = False

    def start(self, status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        """Replace the server's ``start_response`` for the site."""
        self._started = True
        self._endless = any(
            name.lower() == "content-type" and value.lower().lstrip().startswith(ENDLESS)
            for name, value in headers
        )
        write = self._start_response(status, headers, *rest)
        return lambda data: None if self._ends() else write(data)

    def limit(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Return the site's chunks, limited to the session if the response is a stream."""
        return chunks if self._started and not self._endless else _Until(chunks, self._ends)

    def _ends(self) -> bool:
        return self._endless and self._is_over()


class _Until:
    """Iterator over the chunks until the session ends; ``close`` closes the site's (PEP 3333)."""

    def __init__(self, chunks: Iterable[bytes], ends: Callable[[], bool]) -> None:
        self._chunks, self._ends = chunks, ends

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if self._ends():
                return
            yield chunk

    def close(self) -> None:
        """Close the site's chunks."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def read_request(environ: WSGIEnvironment) -> Request:
    """Convert a WSGI environ."""
    mount = _text(environ.get("SCRIPT_NAME", "").rstrip("/"))
    path = mount + _text(environ.get("PATH_INFO", "")) or "/"
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    raw_paths = (environ.get(name, "").partition("?")[0] for name in ("RAW_URI", "REQUEST_URI"))
    candidates = [raw for sent in raw_paths if sent for raw in (sent, quote(mount) + sent)]
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        mount=mount,
        raw=next((raw for raw in candidates if unquote(raw) == path), ""),
    )


def _text(raw: str) -> str:
    """Decode a text of the environ, which has bytes as Latin-1 (PEP 3333)."""
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def _is_websocket(environ: WSGIEnvironment) -> bool:
    upgrade = "websocket" in environ.get("HTTP_UPGRADE", "").lower()
    return upgrade or "HTTP_SEC_WEBSOCKET_KEY" in environ or "wsgi.websocket" in environ


def _body(environ: WSGIEnvironment) -> bytes | Response:
    """Return the body (at most MAX_FORM + 1 bytes of it), or an error response."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdigit() and len(length) < 10):
        return responses.bad_request(400, "the header Content-Length must be a number of bytes")
    if environ.get("HTTP_TRANSFER_ENCODING"):
        length = ""
    if not length and not environ.get("wsgi.input_terminated"):
        if environ.get("HTTP_TRANSFER_ENCODING"):
            return responses.bad_request(411, "the header Content-Length is missing")
        return b""
    size = min(int(length), MAX_FORM + 1) if length else MAX_FORM + 1
    body = b""
    try:
        while len(body) < size and (chunk := environ["wsgi.input"].read(size - len(body))):
            body += chunk
    except (OSError, ValueError, EOFError):  # the visitor disconnected, or sent invalid chunks
        return responses.bad_request(400, "the body cannot be read")
    return body


def _respond(response: Response, request: Request, start_response: StartResponse) -> list[bytes]:
    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    start_response(status, list(response.headers))
    return [] if request.method == "HEAD" or not response.body else [response.body]


def _with_cookie(start_response: StartResponse, cookie: str) -> StartResponse:
    """Add the cookie to the response, and forbid caching."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        kept = [(name, value) for name, value in headers if name.lower() not in UNCACHED]
        added = [("Set-Cookie", cookie), ("Cache-Control", "no-store")]
        return start_response(status, [*kept, *added], *rest)

    return start
