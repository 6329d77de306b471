# SPDX-License-Identifier: Apache-2.0
"""Views for clients without scripts: join the queue, and the waiting room as a page or JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalice import Response

from waiting_room.domain.errors import Gone, SessionRefused
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.gate.clients import has_probe
from waiting_room.domain.gate.decision import NOTES, cookie_name
from waiting_room.domain.gate.destination import (
    Destination,
    destination,
    own_address,
    with_session,
)
from waiting_room.domain.gate.sessions import session_cookies
from waiting_room.domain.gate.visitor_stage import Stage, VisitorStage
from waiting_room.runtime.entrance_wiring import entrance_settings, plain_room
from waiting_room.runtime.gate_replies import (
    Caller,
    html_reply,
    json_reply,
    read_caller,
    redirect,
    without_cookies,
)
from waiting_room.runtime.http_api import MAX_BODY, query, text
from waiting_room.runtime.room_page import RoomPage, language_of, over_page, stage_page
from waiting_room.runtime.session_views import PREFETCH, read_content

REASONS = {  # reason of a response → name of its texts; a reason without one has its own name
    "position_expired": "expired",
    "session_ended": "ended",
    "token_expired": "session_expired",
    **dict.fromkeys(("proof", "invitation", "identity"), "join_refused"),
}


def join(request: Any) -> Response:
    """Join the queue, unless the client has joined: 303 to the waiting room, JSON 202.

    A client that keeps no cookies gets no position.
    """
    content, is_form = read_content(request, optional=True)
    event_id, to = _member(request, content, "event"), _member(request, content, "to")
    asked = replace(read_caller(request), to=to)
    asked = replace(asked, prefers_json=asked.prefers_json or not is_form)
    if (note := content.get("note")) in NOTES:
        asked = replace(asked, note=str(note))
    if asked.is_cross_site:
        raise SessionRefused("not_of_site")
    target, secure = _destination(event_id, asked), entrance_settings().secure
    request_id = plain_room().find(event_id, asked.cookies, secure=secure)
    keys, now = plain_room().keys(event_id), plain_room().now()
    if not request_id and not has_probe(asked.cookies, event_id, keys, now, secure=secure):
        retry = own_address("wait", event_id, target)
        return without_cookies(
            event_id, retry, keys, now, as_json=asked.prefers_json, secure=secure
        )
    if not request_id:
        request_id = plain_room().join(event_id)
    cookies = [plain_room().cookie(event_id, request_id, secure=secure)]
    if asked.prefers_json:
        return json_reply(
            {"decision": "wait", "retry_after": 3}, 202, cookies=cookies, secure=secure
        )
    return redirect(
        own_address("wait", event_id, target), cookies=cookies, secure=secure, status=303
    )


def wait(request: Any) -> Response:
    """Show the position of the client; at its turn begin the session and lead to ``to``.

    ``event`` and ``to`` may be missing: the waiting page cannot repeat them without scripts. The
    edge adds them from the referrer. A browser that sends none gets to the start page.
    """
    asked = read_caller(request)
    event_id, to = _from_page(request, asked)
    asked = replace(asked, to=to)
    if asked.is_prefetch:
        return json_reply(PREFETCH, 403)
    if asked.is_embedded:
        raise SessionRefused("not_of_site")
    target, secure = _destination(event_id, asked), entrance_settings().secure
    request_id = plain_room().find(event_id, asked.cookies, secure=secure)
    shown = RoomPage(
        event_id,
        target.address,
        plain_room().title(event_id),
        language_of(str(request.headers.get("accept-language") or "")),
        entrance_settings().brand,
        target.note,
    )
    try:
        if asked.method == "HEAD":
            found: Any = plain_room().look(event_id, request_id)
        else:
            found = plain_room().begin(event_id, request_id)
    except (Gone, SessionRefused) as error:
        return _over(error, shown, asked)
    if isinstance(found, VisitorStage):
        return _stage(found, shown, target, asked, request_id)
    keys, now = plain_room().keys(event_id), plain_room().now()
    cookies = [*session_cookies(found, keys, now, secure=secure)]
    cookies.append(plain_room().cookie(event_id, "", secure=secure))
    location = with_session(target, found, keys, now)
    if asked.prefers_json:
        content = {"decision": "go", "expires_at": found.expires}
        if target.origin:
            content["location"] = location
        return json_reply(content, cookies=cookies, secure=secure)
    return redirect(location, cookies=cookies, secure=secure)


def _stage(
    found: VisitorStage, shown: RoomPage, target: Destination, asked: Caller, request_id: str
) -> Response:
    secure = entrance_settings().secure
    if found.phase is Phase.PASS_THROUGH:
        return redirect(target.address)
    cookies = [plain_room().cookie(shown.event_id, request_id, secure=secure)] if request_id else []
    reload = {"Refresh": str(found.retry_after)} if found.stage is not Stage.TURN else {}
    if asked.prefers_json:
        content = {
            "decision": "wait",
            "retry_after": found.retry_after,
            "stage": found.stage.value,
            "phase": found.phase.value,
            "position": found.position or None,
            "ahead": found.ahead if found.position else None,
            "message": found.message,
            "title": shown.event_title,
        }
        return json_reply(content, cookies=cookies, secure=secure)
    return html_reply(stage_page(shown, found), cookies=cookies, secure=secure, headers=reload)


def _over(error: Gone | SessionRefused, shown: RoomPage, asked: Caller) -> Response:
    """The position is over: remove its cookie, so that the visitor can join again."""
    secure = entrance_settings().secure
    cookies = [plain_room().cookie(shown.event_id, "", secure=secure)]
    reason = str(error.members.get("reason", ""))
    status = 410 if isinstance(error, Gone) else 403
    if asked.prefers_json:
        content = {"error": str(error), "reason": reason}
        return json_reply(content, status, cookies=cookies, secure=secure)
    said = f"{str(error)[:1].upper()}{str(error)[1:]}."
    body = over_page(shown, REASONS.get(reason, reason), said)
    return html_reply(body, status, cookies=cookies, secure=secure)


def _member(request: Any, content: dict[str, Any], name: str) -> str:
    """Return a member of the form or JSON, else of the query; only ``to`` may be missing."""
    if name in content:
        return text(content, name, longest=MAX_BODY)
    return query(request, name) if name == "event" else read_caller(request).to


def _from_page(request: Any, asked: Caller) -> tuple[str, str]:
    """Return ``event`` and ``to`` of the query, else the event of the only probe cookie."""
    if "event" in (request.query_params or {}):
        return query(request, "event"), asked.to
    name = cookie_name("probe", "", secure=entrance_settings().secure)
    events = [one.removeprefix(name) for one in asked.cookies if one.startswith(name)]
    return (events[0], "") if len(events) == 1 else (query(request, "event"), "")


def _destination(event_id: str, asked: Caller) -> Destination:
    secure, hosts = entrance_settings().secure, plain_room().hosts(event_id)
    return replace(destination(asked.to, asked.host, hosts, secure=secure), note=asked.note)
