# SPDX-License-Identifier: Apache-2.0
"""The gate in front of a WSGI application (Django, Flask, …)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from waiting_room.gate.answers import Answer
from waiting_room.gate.entry import MAX_FORM, Gate, Visit
from waiting_room.gate.settings import GateSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CLAIMS = "waiting_room.claims"  # in the environ: the visitor's claims, None where not checked
UNCACHED = ("cache-control", "expires", "set-cookie2")


class WsgiGate:
    """``app`` behind the gate; the environ's ``waiting_room.claims`` says who came through."""

    def __init__(self, app: WSGIApplication, gate: Gate | GateSettings) -> None:
        self._app = app
        self._gate = gate if isinstance(gate, Gate) else Gate(gate)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        visit = read_visit(environ)
        if self._gate.is_entrance(visit):
            return _say(self._gate.enter(visit, _body(environ)), visit, start_response)
        decision = self._gate.check(visit)
        if isinstance(decision, Answer):
            return _say(decision, visit, start_response)
        environ[CLAIMS] = decision.claims
        if decision.set_cookie is None:
            return self._app(environ, start_response)
        return self._app(environ, _with_cookie(start_response, decision.set_cookie))


def read_visit(environ: WSGIEnvironment) -> Visit:
    """The request of a WSGI environ."""
    raw = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    return Visit(
        method=environ["REQUEST_METHOD"],
        path=raw.encode("latin-1", "replace").decode("utf-8", "replace") or "/",
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
    )


def _body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    known = length.isascii() and length.isdigit() and len(length) < 10
    if not known or int(length) > MAX_FORM:
        return b" " * (MAX_FORM + 1)
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _say(answer: Answer, visit: Visit, start_response: StartResponse) -> list[bytes]:
    status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    start_response(status, list(answer.headers))
    return [] if visit.method == "HEAD" else [answer.body]


def _with_cookie(start_response: StartResponse, cookie: str) -> StartResponse:
    """Add the cookie to the answer, which no shared cache may then keep."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        kept = [(name, value) for name, value in headers if name.lower() not in UNCACHED]
        added = [("Set-Cookie", cookie), ("Cache-Control", "no-store")]
        return start_response(status, [*kept, *added], *rest)

    return start
