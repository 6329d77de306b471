# SPDX-License-Identifier: Apache-2.0
"""Views of the sessions at a gate: begin with a token, renew, leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from chalice import Response

from waiting_room.domain.errors import InvalidInput, SessionRefused, Unavailable
from waiting_room.domain.gate.credentials import GateSession
from waiting_room.domain.gate.destination import (
    Destination,
    destination,
    own_address,
    with_session,
)
from waiting_room.domain.gate.sessions import (
    comes_from_site,
    ended_cookies,
    expired_cookies,
    session_cookies,
)
from waiting_room.runtime.entrance_wiring import entrance_settings, gate_sessions
from waiting_room.runtime.gate_replies import (
    Caller,
    Cookies,
    html_reply,
    json_reply,
    no_content,
    probe_cookie,
    read_caller,
    redirect,
)
from waiting_room.runtime.http_api import MAX_BODY, body, query, text
from waiting_room.runtime.room_page import RoomPage, language_of, note_page

MAX_TOKEN = 8_192  # characters; as the verifier accepts
MAX_FIELDS = 20  # of a form
FORM = "application/x-www-form-urlencoded"
PREFETCH = {"error": "a prefetch gets no session", "reason": "prefetch"}


def renew(request: Any) -> Response:
    """Renew the session: 302 to ``to``, or JSON with its end. An ended one leads to ``enter``.

    It gets the probe cookie there: that of the gate has expired, or this visit began elsewhere.
    While the room cannot renew, a navigation goes back: the gate lets it pass until the session's
    own end.
    """
    event_id, asked = query(request, "event"), read_caller(request)
    if asked.is_prefetch:
        return json_reply(PREFETCH, 403)
    if asked.is_embedded:
        raise SessionRefused("not_of_site")
    secure = entrance_settings().secure
    to = _destination(event_id, asked)
    found = gate_sessions().find(event_id, asked.cookies, secure=secure)
    try:
        session = gate_sessions().renew(found)
    except SessionRefused as error:
        cookies = ended_cookies(event_id, secure=secure)
        if asked.prefers_json:
            return json_reply(
                {"error": str(error), **error.members}, 403, cookies=cookies, secure=secure
            )
        sessions = gate_sessions()
        probe = probe_cookie(event_id, sessions.keys(event_id), sessions.now(), secure=secure)
        address = own_address("enter", event_id, to)
        return redirect(address, cookies=[*cookies, probe], secure=secure)
    except Unavailable:
        if found is None or asked.prefers_json or gate_sessions().now() >= found.expires:
            raise
        return leads(request, event_id, to, to.path)
    return _with_session(request, session, to, asked, 302)


def begin(request: Any) -> Response:
    """Begin the session of a visitor who waited: 303 to ``to``, or JSON with its end."""
    content, is_form = read_content(request)
    event_id = text(content, "event", longest=64)
    token = text(content, "token", longest=MAX_TOKEN)
    to = text(content, "to", longest=MAX_BODY) if "to" in content else ""
    asked = replace(read_caller(request), to=to)
    asked = replace(asked, prefers_json=asked.prefers_json or not is_form)
    target = _destination(event_id, asked)
    return _with_session(request, gate_sessions().begin(event_id, token), target, asked, 303)


def leave(request: Any) -> Response:
    """End the session of a visitor who leaves: 204, or 303 to ``/`` for a form."""
    content, is_form = read_content(request, optional=True)
    event_id = text(content, "event", longest=64) if "event" in content else query(request, "event")
    asked, secure = read_caller(request), entrance_settings().secure
    if not comes_from_site(
        str(request.headers.get("origin") or ""),
        str(request.headers.get("sec-fetch-site") or ""),
        asked.host,
        gate_sessions().hosts(event_id),
        secure=secure,
    ):
        raise SessionRefused("not_of_site")
    found = gate_sessions().find(event_id, asked.cookies, secure=secure)
    if found is not None:
        gate_sessions().end(found)
    cookies = expired_cookies(event_id, secure=secure)
    if is_form and not asked.prefers_json:
        return redirect("/", cookies=cookies, secure=secure, status=303)
    return no_content(cookies=cookies, secure=secure)


def _destination(event_id: str, asked: Caller) -> Destination:
    secure, hosts = entrance_settings().secure, gate_sessions().hosts(event_id)
    return replace(destination(asked.to, asked.host, hosts, secure=secure), note=asked.note)


def leads(
    request: Any,
    event_id: str,
    to: Destination,
    location: str,
    *,
    cookies: Cookies = (),
    status: int = 302,
) -> Response:
    """Redirect a browser to ``location``; with a note, return a page that shows the note.

    The page leads to another host by ``renew``: a ticket would expire while the visitor reads.
    """
    secure = entrance_settings().secure
    if not to.note:
        return redirect(location, cookies=cookies, secure=secure, status=status)
    link = own_address("renew", event_id, replace(to, note="")) if to.origin else to.path
    shown = RoomPage(
        event_id,
        to.address,
        "",
        language_of(str(request.headers.get("accept-language") or "")),
        entrance_settings().brand,
        to.note,
    )
    return html_reply(note_page(shown, link), cookies=cookies, secure=secure)


def _with_session(
    request: Any, session: GateSession, to: Destination, asked: Caller, status: int
) -> Response:
    """Set the session's cookie here, and lead to ``to``; on another host by its hand-over.

    JSON has the address of the hand-over, if there is one.
    """
    secure, now = entrance_settings().secure, gate_sessions().now()
    keys = gate_sessions().keys(session.event_id)
    cookies = session_cookies(session, keys, now, secure=secure)
    location = with_session(to, session, keys, now)
    if asked.prefers_json:
        content = {"expires_at": session.expires, **({"location": location} if to.origin else {})}
        return json_reply(content, cookies=cookies, secure=secure)
    return leads(request, session.event_id, to, location, cookies=cookies, status=status)


def read_content(request: Any, *, optional: bool = False) -> tuple[dict[str, Any], bool]:
    """Return the members of a JSON body or of a form, and whether it is a form."""
    kind = str(request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != FORM:
        return body(request, optional=optional), False
    try:
        raw = (request.raw_body or b"").decode("ascii")
        if len(raw) > MAX_BODY:
            raise InvalidInput(f"the body is longer than {MAX_BODY} bytes")
        fields = parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidInput("the body is not a valid form") from None
    content = dict(fields)
    if len(content) != len(fields):
        raise InvalidInput("a field of the form occurs twice")
    return content, True
