# SPDX-License-Identifier: Apache-2.0
"""Requests and responses of the entrance: redirects with cookies, JSON, and small HTML pages.

A response follows the class of ``Accept``: JSON for a program that asks for it, otherwise a
redirect or a page. CloudFront caches a 5xx response for 10 s, so "busy" is 429. Its reason is
``unavailable`` while a dependency does not respond, and absent while one throttles: the watchdog of
the gate must not take a flood for a fault.
"""

from __future__ import annotations

import functools
import html
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalice import Response

from waiting_room.domain.errors import RoomError, Throttled, Unavailable
from waiting_room.domain.gate.clients import is_prefetch, parse_cookies, prefers_json, set_cookie
from waiting_room.domain.gate.credentials import GateKeys, encode_probe
from waiting_room.domain.gate.decision import NOTES, PROBE_LIFE, cookie_name
from waiting_room.domain.gate.request import Values
from waiting_room.domain.gate.sessions import is_embedded_elsewhere
from waiting_room.runtime.http_api import NO_STORE, status_of
from waiting_room.runtime.safe_traceback import safe_traceback

logger = logging.getLogger("waiting_room")
VISITOR_HOST = "x-waiting-room-host"  # the gate sets it: API Gateway needs a Host of its own
SHARED_SECOND = "public, max-age=1"  # one response for all visitors who arrive in a second
NO_COOKIES = {
    "error": "the entrance needs a cookie, and this client has sent none",
    "reason": "no_cookies",
}
Cookies = Sequence[tuple[str, str, int]]
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body{{font:1.125rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;
padding:0 1rem}}</style></head><body><main><h1>{title}</h1><p>{text}</p>{link}</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """A request to the entrance. ``host`` is that of the site, with its port if it has one."""

    method: str
    host: str
    to: str
    cookies: Values
    prefers_json: bool
    is_prefetch: bool
    is_cross_site: bool = False
    is_embedded: bool = False  # as an image, a frame or a script of a page of another site
    note: str = ""  # one of NOTES


def read_caller(request: Any) -> Caller:
    """Return the caller of a request; ``to`` is as given, and empty without one."""
    headers = request.headers
    fetch_site = str(headers.get("sec-fetch-site") or "")
    note = str((request.query_params or {}).get("note") or "")
    return Caller(
        method=request.method,
        host=str(headers.get(VISITOR_HOST) or headers.get("host") or ""),
        to=str((request.query_params or {}).get("to") or ""),
        cookies=parse_cookies(str(headers.get("cookie") or "")),
        prefers_json=prefers_json(str(headers.get("accept") or "")),
        is_prefetch=is_prefetch(headers),
        is_cross_site=fetch_site == "cross-site",
        is_embedded=is_embedded_elsewhere(fetch_site, str(headers.get("sec-fetch-dest") or "")),
        note=note if note in NOTES else "",
    )


def redirect(
    location: str,
    *,
    cookies: Cookies = (),
    secure: bool = True,
    status: int = 302,
    cache: str = NO_STORE,
) -> Response:
    """Return a redirect that sets cookies: name, value and lifetime in seconds."""
    headers: dict[str, Any] = {"Location": location, "Cache-Control": cache}
    return Response("", _with_cookies(headers, cookies, secure=secure), status)


def no_content(*, cookies: Cookies = (), secure: bool = True) -> Response:
    """Return a response without a body that sets cookies."""
    return Response("", _with_cookies({"Cache-Control": NO_STORE}, cookies, secure=secure), 204)


def json_reply(
    content: Mapping[str, Any],
    status: int = 200,
    *,
    cookies: Cookies = (),
    secure: bool = True,
    cache: str = NO_STORE,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a JSON response without CORS headers: only the site itself reads it."""
    own = {"Content-Type": "application/json", "Cache-Control": cache, **(headers or {})}
    return Response(json.dumps(content), _with_cookies(own, cookies, secure=secure), status)


def page(
    title: str,
    text: str,
    status: int,
    *,
    link: tuple[str, str] | None = None,
    cookies: Cookies = (),
    secure: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a small HTML page; ``link`` is an address and its text."""
    content = PAGE.format(
        title=html.escape(title),
        text=html.escape(text),
        link=f'<p><a href="{html.escape(link[0])}">{html.escape(link[1])}</a></p>' if link else "",
    )
    own = {"Referrer-Policy": "no-referrer", **(headers or {})}
    return html_reply(content, status, cookies=cookies, secure=secure, headers=own)


def html_reply(
    content: str,
    status: int = 200,
    *,
    cookies: Cookies = (),
    secure: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an HTML page without scripts, whose forms go to its own host only."""
    own = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": NO_STORE,
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
            " frame-ancestors 'none'; base-uri 'none'"
        ),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        **(headers or {}),
    }
    return Response(content, _with_cookies(own, cookies, secure=secure), status)


def without_cookies(
    event_id: str, retry: str, keys: GateKeys, now: int, *, as_json: bool, secure: bool
) -> Response:
    """Return 403 and set the probe cookie; a client that keeps it succeeds at ``retry``."""
    cookies = [probe_cookie(event_id, keys, now, secure=secure)]
    if as_json:
        return json_reply(NO_COOKIES, 403, cookies=cookies, secure=secure)
    return page(
        "Cookies are needed",
        "Your browser has not sent the cookie of the waiting room. Allow cookies for this site, "
        "then try again.",
        403,
        link=(retry, "Try again"),
        cookies=cookies,
        secure=secure,
    )


def probe_cookie(event_id: str, keys: GateKeys, now: int, *, secure: bool) -> tuple[str, str, int]:
    """Return the cookie that shows the entrance that a client keeps cookies."""
    name = cookie_name("probe", event_id, secure=secure)
    return name, encode_probe(event_id, now, keys), PROBE_LIFE


def entrance_handler(view: Callable[[], Response], request: Callable[[], Any]) -> Callable[[], Any]:
    """Decorate a Chalice view: convert errors to a page or to JSON, by the class of ``Accept``.

    The log contains the route and nothing else of the request.
    """

    @functools.wraps(view)
    def answered() -> Response:
        try:
            return view()
        except Unavailable as error:
            logger.warning("%s: unavailable: %s", view.__name__, error)
            text = "The waiting room is busy. Try again in a moment."
            reason = {} if isinstance(error, Throttled) else {"reason": "unavailable"}
            return _error(request(), 429, text, reason, {"Retry-After": str(error.retry_after)})
        except RoomError as error:
            text = f"{str(error)[:1].upper()}{str(error)[1:]}."
            return _error(request(), status_of(error), text, {"error": str(error), **error.members})
        except Exception as error:
            logger.error("%s: unexpected %s", view.__name__, safe_traceback(error))
            return _error(request(), 500, "The waiting room has an internal error.", {})

    return answered


def _error(
    request: Any,
    status: int,
    text: str,
    members: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Response:
    if prefers_json(str(request.headers.get("accept") or "")):
        return json_reply({"error": text, **members}, status, headers=headers)
    return page("Waiting room", text, status, headers=headers)


def _with_cookies(headers: Mapping[str, Any], cookies: Cookies, *, secure: bool) -> dict[str, Any]:
    if not cookies:
        return dict(headers)
    made = [set_cookie(name, value, life, secure=secure) for name, value, life in cookies]
    return {**headers, "Set-Cookie": made}
