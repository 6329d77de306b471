# SPDX-License-Identifier: Apache-2.0
"""Sessions at a gate: their length, their end, and the cookie that shows them.

A session belongs to a position with a token. Its end is ``session_until`` of the outcome. A renewal
moves the end and never the end of the token. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.errors import SessionRefused
from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys, GateSession
from waiting_room.domain.gate.decision import COOKIE_LIFE, MAX_SESSIONS, cookie_name
from waiting_room.domain.gate.request import Values
from waiting_room.domain.records import Outcome, SessionStatus

COOKIE_KINDS = ("", "renewing", "probe", "place")  # cookies of an event on a host
Cookies = tuple[tuple[str, str, int], ...]  # name, value, life in s; 0 removes the cookie


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The member ``session`` of an event document, in seconds.

    A visitor who is idle for ``valid_for`` keeps the session. The gate leads a navigation to the
    renewal ``renew_every`` after the issue. With ``sliding`` a renewal moves the end.
    """

    valid_for: int
    renew_every: int
    sliding: bool

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> SessionSettings:
        """Return the settings of an event."""
        member = document["session"]
        return cls(member["valid_for"], member["renew_every"], member["sliding"])

    @property
    def life(self) -> int:
        """Seconds from an issue to the end of the session."""
        return self.valid_for + self.renew_every

    def until(self, now: int) -> int:
        """Return the end of a session that is issued or renewed at ``now``."""
        return now + self.life


def check_live(outcome: Outcome | None, now: int) -> Outcome:
    """Return the outcome of a live session; raises SessionRefused with the reason."""
    if outcome is None or not outcome.is_token:
        raise SessionRefused("no_session")
    if outcome.status is not SessionStatus.OPEN:
        raise SessionRefused("session_ended")
    if outcome.session_until is None or now >= outcome.session_until:
        raise SessionRefused("session_over")
    return outcome


def check_generation(generation: int, current: int) -> None:
    """Raise SessionRefused for an earlier generation; a later one is valid: the copy is old."""
    if generation < current:
        raise SessionRefused("session_ended")


def session_of(outcome: Outcome, settings: SessionSettings, now: int) -> GateSession:
    """Return the session of a live outcome, as a cookie shows it from ``now`` on.

    It ends with the session, and at most one life after ``now``: a gate accepts the cookie of an
    ended session until then.
    """
    return GateSession(
        event_id=outcome.event_id,
        generation=outcome.generation,
        position=outcome.position,
        issued=now,
        expires=min(outcome.session_until or now, settings.until(now)),
    )


def find_session(
    cookies: Values, event_id: str, keys: GateKeys, *, secure: bool
) -> GateSession | None:
    """Return the session with the latest end in the cookies of an event, also an expired one.

    Only credentials with a valid MAC count. Returns None without one.
    """
    name = cookie_name("", event_id, secure=secure)
    decoded = (
        credentials.decode_session(value, keys)
        for value in list(cookies.get(name, ()))[:MAX_SESSIONS]
    )
    mine = [session for session in decoded if session and session.event_id == event_id]
    return max(mine, key=lambda one: (one.generation, one.expires), default=None)


def session_cookies(session: GateSession, keys: GateKeys, now: int, *, secure: bool) -> Cookies:
    """Return the cookies of a response with a session.

    The browser keeps the session's cookie after its end, so that the gate knows what ended. The
    marker of an earlier renewal is removed.
    """
    life = max(0, session.expires - now) + COOKIE_LIFE
    value = credentials.encode_session(session, keys)
    marker = cookie_name("renewing", session.event_id, secure=secure)
    return ((cookie_name("", session.event_id, secure=secure), value, life), (marker, "", 0))


def ended_cookies(event_id: str, *, secure: bool) -> Cookies:
    """Return the cookies that remove an ended session. The probe stays, for the entrance."""
    return tuple((cookie_name(kind, event_id, secure=secure), "", 0) for kind in ("", "renewing"))


def expired_cookies(event_id: str, *, secure: bool) -> Cookies:
    """Return the cookies that remove all of an event from the browser."""
    return tuple((cookie_name(kind, event_id, secure=secure), "", 0) for kind in COOKIE_KINDS)


def is_embedded_elsewhere(fetch_site: str, fetch_dest: str) -> bool:
    """Return whether a page of another site loads an address as an image, a frame or a script.

    Such a page could otherwise keep the sessions of its own visitors alive. The arguments are the
    headers ``Sec-Fetch-Site`` and ``Sec-Fetch-Dest``; older browsers send none.
    """
    return fetch_site == "cross-site" and fetch_dest != "document"


def comes_from_site(
    origin: str, fetch_site: str, host: str, hosts: Collection[str], *, secure: bool
) -> bool:
    """Return whether a form or a script of the site itself sent a request.

    ``origin`` and ``fetch_site`` are the headers ``Origin`` and ``Sec-Fetch-Site``, which no page
    of another site can set. A page of another host of ``hosts`` is of the site too.
    """
    if fetch_site == "same-origin":
        return True
    scheme, separator, name = origin.partition("://")
    if not separator or scheme != ("https" if secure else "http"):
        return False
    if name.lower() == host.lower():
        return True
    return name.lower() in hosts if secure else name.lower().partition(":")[0] in hosts
