# SPDX-License-Identifier: Apache-2.0
"""Responses of the gate to rejected requests: a redirect, a page, or JSON for programs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

RETRY_AFTER = 5  # seconds
MESSAGES = {
    "no_session": "This site requires a valid session from the waiting room.",
    "session_over": "Your session has expired.",
    "session_ended": "Your session was ended.",
}
QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)  # RFC 9110, 12.4.2


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response; header names as they are sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


def wants_html(accept: str) -> bool:
    """Return whether ``Accept`` names HTML, and does not prefer JSON."""
    quality = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.split(","):
        kind, *options = (text.strip().lower() for text in part.split(";"))
        if kind in quality:
            quality[kind] = max(quality[kind], _quality(options))
    return quality["text/html"] > 0 and quality["text/html"] >= quality["application/json"]


def to_waiting_room(method: str, url: str, *cookies: str) -> Response:
    """Redirect a browser to the waiting page."""
    return redirect(302 if method in ("GET", "HEAD") else 303, url, *cookies)


def redirect(status: int, url: str, *cookies: str) -> Response:
    """Redirect a browser."""
    headers = (("Location", url), *(("Set-Cookie", cookie) for cookie in cookies))
    return _response(status, "text/plain; charset=utf-8", b"", *headers)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejection: the event, the URL of its waiting page, and the reason.

    ``reason`` is one of no_session, session_over, session_ended, unavailable.
    """

    event_id: str
    waiting_room: str
    reason: str = "no_session"

    def content(self, sentence: str, retry_after: int | None = None) -> dict[str, str | int | None]:
        """Return the JSON content; ``retry_after`` in seconds, None if a retry cannot succeed."""
        return {
            "error": sentence,
            "reason": self.reason,
            "event_id": self.event_id,
            "waiting_room": self.waiting_room,
            "waiting_room_url": self.waiting_room,
            "retry_after": retry_after,
        }


def rejected(as_html: bool, why: Rejection) -> Response:
    """403: a token is required. The page has a link instead of a redirect, to avoid a loop."""
    if as_html:
        return _page(403, MESSAGES[why.reason], why.waiting_room)
    return _json(403, why.content("a valid waiting room token is required"))


def lost_form(why: Rejection, *cookies: str) -> Response:
    """403 for a form without a session: the page states that the form was not received."""
    sentence = (
        "The form was not received: this site requires a session from the waiting room, and yours"
        " is missing or has expired. Go back to copy your input, or continue to the waiting room."
    )
    return _page(403, sentence, why.waiting_room, *(("Set-Cookie", one) for one in cookies))


def no_cookie(as_html: bool, why: Rejection) -> Response:
    """403: the browser did not store the session cookie, and a redirect would loop."""
    if as_html:
        sentence = (
            "This site requires a cookie, and your browser did not store it. Please allow cookies."
        )
        return _page(403, sentence, why.waiting_room)
    return _json(403, why.content("the session's cookie was not sent"))


def service_unavailable(as_html: bool, why: Rejection) -> Response:
    """503: the token may be valid, but the room cannot be reached."""
    retry = ("Retry-After", str(RETRY_AFTER))
    if as_html:
        sentence = "Your session cannot be checked right now. Please try again soon."
        return _page(503, sentence, why.waiting_room, retry)
    sentence = "the token cannot be checked right now; try again"
    return _json(503, why.content(sentence, RETRY_AFTER), retry)


def forbidden_origin(as_html: bool, why: Rejection) -> Response:
    """403: a page other than the waiting page sent a token."""
    if as_html:
        return _page(403, "This request did not come from the waiting room.", why.waiting_room)
    return _json(403, why.content("the header Origin must be that of the waiting page"))


def preflight(granted: tuple[tuple[str, str], ...]) -> Response:
    """204: the browser may send the request, which is checked as any other."""
    return Response(204, (("Cache-Control", "no-store"), *granted))


def preflight_rejected() -> Response:
    """403 without any CORS header: scripts of that origin may not call the site."""
    return _json(403, {"error": "the header Origin must be one of cors_origins"})


def no_upgrade() -> Response:
    """403: the gate could not end the connection when the session ends."""
    return _json(403, {"error": "the header Upgrade is not supported: no WebSocket"})


def with_cors(response: Response, origin: str) -> Response:
    """Add the headers that allow scripts of an origin to read the response."""
    cors = (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "Retry-After"),
        ("Vary", "Origin"),
    )
    return Response(response.status, (*response.headers, *cors), response.body)


def bad_request(status: int, sentence: str, *headers: tuple[str, str]) -> Response:
    """Return an error for an invalid request to the entrance."""
    return _json(status, {"error": sentence}, *headers)


def _page(status: int, sentence: str, url: str, *headers: tuple[str, str]) -> Response:
    link = f'<p><a href="{html.escape(url)}" target="_top">To the waiting room</a></p>'
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="robots" content="noindex">'
        '<meta name="viewport" content="width=device-width"><title>Waiting room</title>'
        f"<p>{html.escape(sentence)}</p>{link}</html>"
    )
    return _response(status, "text/html; charset=utf-8", text.encode(), *headers)


def _json(
    status: int, content: Mapping[str, str | int | None], *headers: tuple[str, str]
) -> Response:
    return _response(status, "application/json", json.dumps(content).encode(), *headers)


def _response(status: int, kind: str, body: bytes, *headers: tuple[str, str]) -> Response:
    fixed = (
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return Response(status, (*fixed, *headers), body)


def _quality(options: list[str]) -> float:
    for option in options:
        name, _, value = option.partition("=")
        if name.strip() == "q":
            return float(value) if QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0
