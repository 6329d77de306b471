# SPDX-License-Identifier: Apache-2.0
"""The entrance, below ``/_waiting-room/`` on each host behind a gate.

``GET enter`` returns one response for all visitors of a second, ``GET session`` makes the exact
decision for one visitor. ``POST session`` begins the session of a visitor who waited, ``renew``
moves its end, and ``POST leave`` ends it. ``POST enter`` and ``wait`` are the
waiting room for clients without scripts. Environment: that of the room's API without the counters,
and ``GATE_HTTPS`` (true), false for sites on plain http.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalice import Chalice, Response

from waiting_room.domain.errors import SessionRefused
from waiting_room.domain.gate.clients import has_probe
from waiting_room.domain.gate.destination import (
    Destination,
    destination,
    own_address,
    with_session,
)
from waiting_room.domain.gate.sessions import find_session, session_cookies
from waiting_room.runtime import plain_views, session_views
from waiting_room.runtime.entrance_wiring import entrance, entrance_settings
from waiting_room.runtime.gate_replies import (
    SHARED_SECOND,
    Caller,
    entrance_handler,
    json_reply,
    read_caller,
    redirect,
    without_cookies,
)
from waiting_room.runtime.http_api import ANY_TYPE, query
from waiting_room.use_cases.gate.entrance import Entry, Way

app = Chalice(app_name="waiting-room-entrance", configure_logs=False)


def _route(path: str, *methods: str) -> Any:
    """Register a view; its errors become a page or JSON."""

    def register(view: Any) -> Any:
        handled = entrance_handler(view, lambda: app.current_request)
        return app.route(path, methods=list(methods), content_types=ANY_TYPE)(handled)

    return register


@_route("/enter", "GET", "HEAD")
def enter() -> Response:
    """Return the decision for visitors who arrive now. The edge adds ``to`` to the address."""
    event_id = query(app.current_request, "event")
    asked = read_caller(app.current_request)
    entry = entrance().enter(event_id, counts=asked.method == "GET" and not asked.is_prefetch)
    if asked.prefers_json:
        return _decision(entry, SHARED_SECOND)
    return redirect(own_address(_ROUTES[entry.way], event_id), cache=SHARED_SECOND)


@_route("/session", "GET", "HEAD")
def session() -> Response:
    """Give a visitor with a probe cookie a session if no visitor waits, or lead to the page."""
    event_id, asked = query(app.current_request, "event"), read_caller(app.current_request)
    to = _destination(event_id, asked)
    if asked.is_prefetch:
        return json_reply({"error": "a prefetch gets no session", "reason": "prefetch"}, 403)
    if asked.is_embedded:
        raise SessionRefused("not_of_site")
    keys, now = entrance().keys.keys(event_id), int(entrance().clock())
    if asked.method == "HEAD":
        return redirect(own_address("", event_id, to))
    held = find_session(asked.cookies, event_id, keys, secure=_secure())
    if held is not None and now < held.expires:
        return session_views.renew(app.current_request)
    if not has_probe(asked.cookies, event_id, keys, now, secure=_secure()):
        retry = own_address("session", event_id, to)
        return without_cookies(
            event_id, retry, keys, now, as_json=asked.prefers_json, secure=_secure()
        )
    found = entrance().go(event_id)
    if isinstance(found, Entry):
        return _wait(event_id, to, asked, found)
    cookies = session_cookies(found, keys, now, secure=_secure())
    if asked.prefers_json:
        return json_reply({"expires_at": found.expires}, cookies=cookies, secure=_secure())
    location = with_session(to, found, keys, now)
    return session_views.leads(app.current_request, event_id, to, location, cookies=cookies)


@_route("/session", "POST")
def begin_session() -> Response:
    """Give a visitor who waited a session for an access token."""
    return session_views.begin(app.current_request)


@_route("/enter", "POST")
def join() -> Response:
    """Join the queue without scripts. The edge sends a form to ``join`` here."""
    return plain_views.join(app.current_request)


@_route("/wait", "GET", "HEAD")
def wait() -> Response:
    """Show the waiting room without scripts."""
    return plain_views.wait(app.current_request)


@_route("/renew", "GET", "HEAD")
def renew() -> Response:
    """Renew a session; one that has ended leads to ``enter``."""
    return session_views.renew(app.current_request)


@_route("/leave", "POST")
def leave() -> Response:
    """End the session of a visitor who leaves the site."""
    return session_views.leave(app.current_request)


_ROUTES = {Way.GO: "session", Way.WAIT: ""}


def _secure() -> bool:
    return entrance_settings().secure


def _destination(event_id: str, asked: Caller) -> Destination:
    hosts = entrance().events.get(event_id).document["site"]["hosts"]
    found = destination(asked.to, asked.host, hosts, secure=_secure())
    return replace(found, note=asked.note)


def _decision(entry: Entry, cache: str) -> Response:
    content = {"decision": entry.way.value, "retry_after": entry.retry_after}
    return json_reply(content, cache=cache)


def _wait(event_id: str, to: Destination, asked: Caller, entry: Entry) -> Response:
    if asked.prefers_json:
        return _decision(entry, "no-store")
    return redirect(own_address("", event_id, to))
