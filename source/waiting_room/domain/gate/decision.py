# SPDX-License-Identifier: Apache-2.0
"""Decision of a gate about one request: let it pass, or respond without the site.

The order: the room's own paths, bypass and protecting rules, CORS preflight, event open to all,
session, refusal. Each setting that lets more requests pass is a time. Each setting that lets fewer
pass takes effect when the gate receives it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys, GateSession
from waiting_room.domain.gate.request import (
    GateRequest,
    is_navigation,
    is_preflight,
    local_path,
    parameters,
)
from waiting_room.domain.gate.rules import OWN_PATHS, SAFE, RuleList, find_event, is_own_path

HANDOVER = f"{OWN_PATHS}/handover"
MAX_TO = 6_000  # encoded bytes of an address that a refusal keeps
NOTES = ("form", "address")  # a form was not received; an address was not kept as a whole
POST_GRACE = 60  # s after the end of a session for which a POST passes
MAX_SESSIONS = 2  # session cookies of one event that are verified
COOKIE_LIFE = 86_400  # s for which a browser keeps the cookie of an ended session
PROBE_LIFE = 3_600  # s
RETRY_AFTER, MAX_RETRY_AFTER = 10, 600  # s
CRAWLER = re.compile("bot|crawl|spider|slurp", re.IGNORECASE | re.ASCII)
MESSAGES = {
    "no_session": "this address needs a session of the waiting room",
    "session_over": "the session has expired",
    "session_ended": "the session belongs to an earlier queue of this event",
    "not_open": "the event is not open yet",
    "closed": "the event is closed",
    "unavailable": "the gate cannot decide now; try again",
}


@dataclass(frozen=True, slots=True)
class GateEvent:
    """State of an event at a gate. Times are epoch seconds; 0: none.

    A request passes without a session from ``open_from`` to ``open_until`` (0: without an end), and
    before ``enforced_from``. Before ``fault_until`` it passes while the event is open, because the
    room does not respond. A session of a generation before ``generation`` is refused. A navigation
    renews a session ``renew_every`` seconds after its issue.
    """

    generation: int = 1
    renew_every: int = 300
    opens_at: int = 0
    closes_at: int = 0
    closed: bool = False
    open_from: int = 0
    open_until: int = 0
    enforced_from: int = 0
    fault_until: int = 0
    origins: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the state as the store of the edge has it: short names, no default values."""
        values = (
            ("g", self.generation), ("r", self.renew_every), ("a", self.opens_at),
            ("z", self.closes_at), ("x", int(self.closed)), ("p", self.open_from),
            ("o", self.open_until), ("f", self.enforced_from), ("w", self.fault_until),
            ("c", list(self.origins)),
        )  # fmt: skip
        return {name: value for name, value in values if value}


@dataclass(frozen=True, slots=True)
class Pass:
    """The request goes to the site; ``session`` is the value of X-Waiting-Room-Session or empty."""

    reason: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class Respond:
    """The gate responds. ``cookies`` are name, value and lifetime in seconds; 0 removes one."""

    reason: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[tuple[str, str, int]] = ()
    body: Mapping[str, Any] | None = None


def decide(
    request: GateRequest,
    rules: RuleList,
    events: Mapping[str, GateEvent],
    keys: GateKeys,
    now: int,
    *,
    secure: bool = True,
) -> Pass | Respond:
    """Decide about a request at ``now`` (epoch s); ``secure``: the site is on HTTPS."""
    if request.path == HANDOVER:
        return hand_over(request, keys, now, secure=secure)
    if is_own_path(request.path):
        return Pass("room")
    event_id = find_event(rules, request)
    if event_id is None:
        return Pass("no_rule")
    return judge(request, event_id, events.get(event_id), keys, now, secure=secure)


def judge(
    request: GateRequest,
    event_id: str,
    event: GateEvent | None,
    keys: GateKeys,
    now: int,
    *,
    secure: bool = True,
) -> Pass | Respond:
    """Decide about a request that a rule of an event protects.

    An event without a state is closed, and gets no probe cookie: the edge has its keys there.
    """
    if event is None:
        return _refuse(request, event_id, "closed", GateEvent(), None, now, secure=secure)
    if is_preflight(request):
        return _preflight(request, event)
    if is_open(event, now):
        return Pass("open")
    name = cookie_name("", event_id, secure=secure)
    reason = "no_session"
    for value in list(request.cookies.get(name, ()))[:MAX_SESSIONS]:
        session = credentials.decode_session(value, keys)
        if session is None or session.event_id != event_id:
            continue
        if session.generation < event.generation:
            reason = "session_ended"
            continue
        found = _with_session(request, event, session, value, keys, now, secure=secure)
        if found is not None:
            return found
        reason = "session_over"
    if reason == "no_session":
        if _is_closed(event, now):
            reason = "closed"
        elif now < event.opens_at:
            reason = "not_open"
    return _refuse(request, event_id, reason, event, keys, now, secure=secure)


def cookie_name(kind: str, event_id: str, *, secure: bool) -> str:
    """Return the name of a cookie; ``kind`` is empty for the session, or probe, renewing, place."""
    prefix = "__Host-" if secure else ""
    return f"{prefix}waiting-room{'_' if kind else ''}{kind}-{event_id}"


def is_open(event: GateEvent, now: int) -> bool:
    """Return whether requests pass without a session at ``now`` (epoch s)."""
    if now < event.enforced_from:
        return True
    if 0 < event.open_from <= now and (not event.open_until or now < event.open_until):
        return True
    return event.opens_at <= now < event.fault_until and not _is_closed(event, now)


def _is_closed(event: GateEvent, now: int) -> bool:
    return event.closed or 0 < event.closes_at <= now


def _with_session(
    request: GateRequest,
    event: GateEvent,
    session: GateSession,
    value: str,
    keys: GateKeys,
    now: int,
    *,
    secure: bool,
) -> Pass | Respond | None:
    """Decide about a request with a verified session; None if the session is over."""
    is_read = request.method in ("GET", "HEAD")
    navigates = is_read and is_navigation(request)
    if now >= session.expires:
        if navigates:
            return _renew(request, session)
        if request.method not in SAFE and now < session.expires + POST_GRACE:
            return Pass("grace", session.session_id)
        return None
    if not navigates or now < session.issued + event.renew_every:
        return Pass("session", session.session_id)
    name = cookie_name("renewing", session.event_id, secure=secure)
    marker = credentials.renewal_marker(value, keys)
    if marker in list(request.cookies.get(name, ()))[:MAX_SESSIONS]:
        return Pass("renewing", session.session_id)
    return _renew(request, session, ((name, marker, session.expires - now),))


def _renew(
    request: GateRequest,
    session: GateSession,
    cookies: Sequence[tuple[str, str, int]] = (),
) -> Respond:
    location = _entrance("renew", session.event_id, request)
    return Respond("renew", 302, _no_store({"location": location}), cookies)


def _refuse(
    request: GateRequest,
    event_id: str,
    reason: str,
    event: GateEvent,
    keys: GateKeys | None,
    now: int,
    *,
    secure: bool,
) -> Respond:
    """Respond by the kind of request: page, form, crawler, and all others."""
    if CRAWLER.search(request.header("user-agent")) and request.method in ("GET", "HEAD"):
        return Respond("crawler", 503, _no_store({"retry-after": str(MAX_RETRY_AFTER)}))
    if is_navigation(request):
        is_read = request.method in ("GET", "HEAD")
        location = _entrance("enter", event_id, request if is_read else None)
        name, cookies = cookie_name("probe", event_id, secure=secure), []
        if keys is not None:
            cookies.append((name, credentials.encode_probe(event_id, now, keys), PROBE_LIFE))
        return Respond(reason, 302 if is_read else 303, _no_store({"location": location}), cookies)
    scheme = "https" if secure else "http"
    body = {
        "error": MESSAGES[reason],
        "reason": reason,
        "event_id": event_id,
        "waiting_room": f"{scheme}://{request.host}{OWN_PATHS}/?event={event_id}",
        "retry_after": min(max(RETRY_AFTER, event.opens_at - now), MAX_RETRY_AFTER),
    }
    headers = {"content-type": "application/json", **_cors(request, event)}
    status = 503 if reason == "unavailable" else 403
    return Respond(reason, status, _no_store(headers), (), body)


def _preflight(request: GateRequest, event: GateEvent) -> Respond:
    allowed = _cors(request, event)
    if not allowed:
        return Respond("preflight", 403, _no_store({}))
    headers = {
        **allowed,
        "access-control-allow-methods": request.header("access-control-request-method"),
        "access-control-allow-headers": request.header("access-control-request-headers"),
        "access-control-max-age": "600",
    }
    return Respond("preflight", 204, _no_store(headers))


def _cors(request: GateRequest, event: GateEvent) -> dict[str, str]:
    origin = request.header("origin")
    if origin not in event.origins:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "vary": "Origin",
    }


def hand_over(request: GateRequest, keys: GateKeys, now: int, *, secure: bool) -> Respond:
    """Set the session cookie of a valid ticket; without one, only lead to the address."""
    given = parameters(request.query or "")
    to = local_path(given.get("to", ""))
    session = credentials.decode_ticket(given.get("ticket", ""), request.host, now, keys)
    if session is None or session.event_id != given.get("event"):
        return Respond("no_ticket", 302, _no_store({"location": to}))
    name = cookie_name("", session.event_id, secure=secure)
    life = max(0, session.expires - now) + COOKIE_LIFE
    cookie = (name, credentials.encode_session(session, keys), life)
    return Respond("handover", 302, _no_store({"location": to}), (cookie,))


def _entrance(route: str, event_id: str, request: GateRequest | None) -> str:
    """Return the address of the entrance. ``to`` leads back; a form's address does not.

    ``note`` is one of NOTES, which the room shows.
    """
    address = f"{OWN_PATHS}/{route}?event={event_id}"
    if request is None:
        return f"{address}&note=form"
    path = quote(request.path, safe="-_.!~*'()")
    query = "" if request.query is None else quote(f"?{request.query}", safe="-_.!~*'()")
    if len(path + query) <= MAX_TO:
        return f"{address}&to={path}{query}"
    return f"{address}&to={path if len(path) <= MAX_TO else '%2F'}&note=address"


def _no_store(headers: Mapping[str, str]) -> dict[str, str]:
    return {"cache-control": "no-store", **headers}
