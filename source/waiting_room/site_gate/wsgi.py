# SPDX-License-Identifier: Apache-2.0
"""The gate of a site in front of a WSGI application (Django, Flask, …)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from waiting_room.domain.gate.decision import Pass
from waiting_room.domain.gate.request import GateRequest
from waiting_room.site_gate import requests
from waiting_room.site_gate.forwarding import MAX_BODY, Forwarding
from waiting_room.site_gate.gate import Response, SiteGate
from waiting_room.site_gate.settings import SiteGateSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SESSION = "HTTP_X_WAITING_ROOM_SESSION"
TARGETS = ("RAW_URI", "REQUEST_URI")  # the request's target as it was sent, where a server has it


class WsgiSiteGate:
    """``app`` behind the gate. The site reads the session from ``X-Waiting-Room-Session``."""

    def __init__(self, app: WSGIApplication, gate: SiteGate | SiteGateSettings) -> None:
        self._app = app
        self._gate = gate if isinstance(gate, SiteGate) else SiteGate(gate)
        self._forwarding = Forwarding(self._gate.settings)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = read_request(environ)
        found = self._gate.decide(request)
        if isinstance(found, Pass) and found.reason == "room":
            found = self._forwarding.send(request, _body(environ))
        if isinstance(found, Response):
            return _respond(found, request, start_response)
        environ.pop(SESSION, None)
        if found.session:
            environ[SESSION] = found.session
        kept = requests.without_room_cookies(environ.get("HTTP_COOKIE", ""))
        environ.pop("HTTP_COOKIE", None)
        if kept:
            environ["HTTP_COOKIE"] = kept
        return self._app(environ, _ending(start_response, self._gate.ended_cookies(request)))


def read_request(environ: WSGIEnvironment) -> GateRequest:
    """Convert a WSGI environ, whose text has bytes as Latin-1 (PEP 3333)."""
    mount = environ.get("SCRIPT_NAME", "").rstrip("/")
    path = (mount + environ.get("PATH_INFO", "") or "/").encode("latin-1", "replace")
    headers = {}
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            header = name[5:].replace("_", "-").lower()
            headers[header] = requests.values_of(header, value)
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):  # without HTTP_ (PEP 3333)
        if value := environ.get(name):
            headers[name.replace("_", "-").lower()] = [value]
    targets = [target for name in TARGETS if (target := environ.get(name, ""))]
    prefix = quote(mount.encode("latin-1", "replace"))
    candidates = [one for target in targets for one in (target, prefix + target)]
    sent = requests.sent_path(candidates, lambda raw: _decoded(raw) == path)
    return GateRequest(
        method=environ["REQUEST_METHOD"],
        host=environ.get("HTTP_HOST", ""),
        path=sent[0] if sent else requests.quoted_path(path),
        query=sent[1] if sent else environ.get("QUERY_STRING") or None,
        headers=headers,
        cookies=requests.cookies_of([environ.get("HTTP_COOKIE", "")]),
    )


def _decoded(raw: str) -> bytes:
    return unquote_to_bytes(raw.encode("latin-1", "replace"))


def _body(environ: WSGIEnvironment) -> bytes:
    """Return the body, at most MAX_BODY + 1 bytes; a body without a length is not read."""
    length = environ.get("CONTENT_LENGTH") or "0"
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 10 else 0
    found: bytes = environ["wsgi.input"].read(min(size, MAX_BODY + 1)) if size else b""
    return found


def _respond(
    found: Response, request: GateRequest, start_response: StartResponse
) -> Iterable[bytes]:
    try:
        phrase = HTTPStatus(found.status).phrase
    except ValueError:
        phrase = "Unknown"
    start_response(f"{found.status} {phrase}", list(found.headers))
    return [] if request.method == "HEAD" or not found.body else [found.body]


def _ending(start_response: StartResponse, cookies: list[str]) -> StartResponse:
    """Return a ``start_response`` that expires ``cookies`` if the site ends the session."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        ends = [value for name, value in headers if name.lower() == requests.END_HEADER]
        if ends:
            headers = [one for one in headers if one[0].lower() != requests.END_HEADER]
            caching = [value for name, value in headers if name.lower() == "cache-control"]
            if ends[0].strip().lower() == "end" and requests.may_end(caching):
                headers += [("Set-Cookie", one) for one in cookies]
        return start_response(status, headers, *rest)

    return start
