# SPDX-License-Identifier: Apache-2.0
"""The gate's decision on a request, whatever server or framework the site runs on."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from waiting_room.adapters.http.room_keys import https_verifier
from waiting_room.authorizer.verifier import (
    ENDED,
    EXPIRED,
    Accepted,
    Clock,
    Malformed,
    Refused,
    Verifier,
)
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.tokens import Claims
from waiting_room.gate import cookie, responses
from waiting_room.gate.origins import (
    is_frame,
    is_navigation,
    is_preflight,
    is_sent_by,
    origin_of,
    own_origins,
    preflight_grant,
)
from waiting_room.gate.path_rules import is_protected
from waiting_room.gate.responses import Answer, Refusal
from waiting_room.gate.settings import GateSettings

MAX_FORM = 16_384  # bytes; a token has about 700
MAX_RETURN = 1_500  # characters of an address to come back to; it must fit into a cookie
RETURN_FOR = 86_400  # seconds; nobody waits longer
UNCHECKED_FOR = 60  # seconds a connection may last that is open because the room is away
BACK = "back"  # the query of the entrance's own redirect
FORM = "application/x-www-form-urlencoded"
PATH_SIGNS = "/!$&'()*+,;=:@-._~"
REASONS = {EXPIRED: "session_over", ENDED: "session_ended"}  # others: no_session

logger = logging.getLogger("waiting_room.gate")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as the gate sees it; ``headers`` by lower-case name, ``path`` decoded.

    ``mount`` is the prefix of the path under which a server serves the site, and ``raw`` the path
    as it was sent, where the server tells.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    mount: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """Let the request through; ``claims`` is None where nobody was checked.

    ``until`` is when a connection that stays open must end, in epoch seconds.
    """

    claims: Claims | None = None
    set_cookie: str | None = None
    until: float | None = None


class Gate:
    """Decides on requests; safe for threads. ``check`` may ask the room, within its timeouts."""

    def __init__(
        self, settings: GateSettings, verifier: Verifier | None = None, now: Clock = time.time
    ) -> None:
        self.settings = settings
        self.now = now
        self._verifier = verifier or https_verifier(settings.authorizer)
        self._secrets = (settings.secret, *settings.old_secrets)
        page = origin_of(settings.waiting_room_url)
        self._pages = frozenset([*settings.entrance_origins, *([page] if page else [])])
        self._scripts = frozenset(settings.cors_origins)

    def is_entrance(self, visit: Visit) -> bool:
        """Whether the request hands over a token: then call ``enter`` with its body."""
        entrance = self.settings.entrance
        return visit.path in (entrance, visit.mount + entrance)

    def is_protected(self, visit: Visit) -> bool:
        """Whether the request needs a session."""
        rules = self.settings.include, self.settings.exclude
        return is_protected(visit.path, *rules, visit.mount, visit.raw)

    def check(self, visit: Visit) -> Pass | Answer:
        """Let a request through, or say what to answer instead. No method is exempt."""
        if not self.is_protected(visit):
            return Pass()
        decision = (
            self._preflight(visit)
            if is_preflight(visit.method, visit.headers)
            else self._decide(visit)
        )
        origin = visit.headers.get("origin", "")
        if isinstance(decision, Answer) and origin in self._scripts:
            return responses.readable_by(decision, origin)
        return decision

    def enter(self, visit: Visit, body: bytes) -> Answer:
        """Take a token from a form, field ``token``: set the cookie, send the browser on.

        Only a page of the waiting room, or of the site, may send it: any other could put its own
        session into a visitor's browser. A POST of another site brings no SameSite cookie, so the
        browser is sent here once more by GET, which brings the page that it wanted.
        """
        if visit.method in ("GET", "HEAD"):
            if visit.query == BACK:
                return self._back(visit)
            if self._shows_page(visit):
                return responses.redirect(303, self._home(visit))
        if visit.method != "POST":
            return responses.bad_request(405, "only POST is answered here", ("Allow", "POST"))
        if not is_sent_by(visit.headers, self._own(visit), self._pages):
            logger.warning("refused: the form is not the waiting page's")
            return responses.not_from_the_page(self._html(visit), self._why())
        if visit.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
            return responses.bad_request(400, f"the body must be sent as {FORM}")
        if len(body) > MAX_FORM:
            return responses.bad_request(413, "the body is too large")
        try:
            fields = parse_qs(body.decode("ascii"), max_num_fields=10)
        except ValueError:
            return responses.bad_request(400, "the body is not a form")
        try:
            decision = self._verifier.check(fields.get("token", [""])[0])
        except Unavailable:
            open_site = self.settings.fail_open
            return (
                responses.redirect(303, self._way_back(visit)) if open_site else self._closed(visit)
            )
        if not isinstance(decision, Accepted):
            self._note(decision)
            return responses.refusal(self._html(visit), self._why(decision))
        return responses.redirect(303, self._way_back(visit), self._seal(decision))

    def _preflight(self, visit: Visit) -> Answer:
        if visit.headers.get("origin", "") not in self._scripts:
            return responses.no_preflight()
        granted = preflight_grant(visit.headers)
        if granted is None:
            sentence = "a header Access-Control-Request-… names no request"
            return responses.bad_request(400, sentence)
        return responses.preflight(granted)

    def _back(self, visit: Visit) -> Answer:
        """The entrance's own redirect: on to the page that the browser wanted first."""
        wanted = self._wanted(visit) or self._home(visit)
        if not is_navigation(visit.headers):
            return responses.redirect(303, wanted)
        unchecked = self.settings.fail_open and not self._verifier.keys.reachable()
        if not isinstance(self._session(visit), Accepted) and not unchecked:
            logger.error("the browser kept no session: does secure_cookie suit the site's scheme?")
            return responses.no_cookie(self._html(visit), self._why())
        return responses.redirect(303, wanted, self._return_cookie("", 0))

    def _decide(self, visit: Visit) -> Pass | Answer:
        try:
            session = self._known(visit)
            if isinstance(session, Accepted):
                return Pass(session.claims, until=float(session.claims["exp"]))
            decision = self._verifier.check(visit.headers.get(self.settings.header.lower()))
        except Unavailable:
            return self._cannot_tell(visit)
        if isinstance(decision, Accepted):
            return Pass(decision.claims, self._seal(decision), float(decision.claims["exp"]))
        shown = session if session and isinstance(decision, Malformed) else decision
        return self._refuse(visit, decision, self._why(shown))

    def _known(self, visit: Visit) -> Accepted | Refused | None:
        """As ``_session``; Refused also for a session that was ended."""
        found, ended = self._session(visit), self._verifier.ended
        if isinstance(found, Accepted) and ended and ended.has(found.request_id):
            return Refused(ENDED)
        return found

    def _session(self, visit: Visit) -> Accepted | Refused | None:
        """What the cookies say: a session, Refused where its time is over, None without one."""
        sent, expected = visit.headers.get("cookie", ""), self._verifier.expected
        over: Refused | None = None
        for value in cookie.values(sent, self.settings.cookie_name):
            found = cookie.look(value, expected, self._secrets, self.now())
            if isinstance(found, Accepted):
                return found
            over = over or found
        return over

    def _seal(self, accepted: Accepted) -> str:
        value = cookie.seal(accepted.claims, self._verifier.expected, self.settings.secret)
        left = max(0, int(accepted.claims["exp"]) - int(self.now()))
        name = self.settings.cookie_name
        return cookie.set_cookie(name, value, left, secure=self.settings.secure_cookie)

    def _refuse(self, visit: Visit, decision: Malformed | Refused, why: Refusal) -> Pass | Answer:
        if self.settings.fail_open and not self._verifier.keys.reachable():
            return self._unchecked()
        self._note(decision)
        page = self._html(visit)
        if not page or not is_navigation(visit.headers):
            return responses.refusal(page and is_frame(visit.headers), why)
        if self._is_waiting_page(visit):
            logger.error("the waiting page is behind the gate: exclude its path")
            return responses.refusal(page, why)
        if visit.method in ("GET", "HEAD"):
            url = self.settings.waiting_room_url
            return responses.to_waiting_room(visit.method, url, *self._remember(visit))
        return responses.lost_form(why, *self._remember(visit))

    def _why(self, decision: Malformed | Refused | None = None, reason: str = "") -> Refusal:
        known = REASONS.get(decision.reason, "") if decision else ""
        url = self.settings.waiting_room_url
        return Refusal(self.settings.event_id, url, reason or known or "no_session")

    def _cannot_tell(self, visit: Visit) -> Pass | Answer:
        return self._unchecked() if self.settings.fail_open else self._closed(visit)

    def _unchecked(self) -> Pass:
        logger.warning("let in unchecked: the room cannot be reached")
        return Pass(until=self.now() + UNCHECKED_FOR)

    def _closed(self, visit: Visit) -> Answer:
        logger.warning("turned away: the room cannot be reached")
        page = self._html(visit) and (is_navigation(visit.headers) or is_frame(visit.headers))
        return responses.cannot_tell(page, self._why(reason="unavailable"))

    def _note(self, decision: Malformed | Refused) -> None:
        level = logging.INFO if isinstance(decision, Malformed) else logging.WARNING
        logger.log(level, "refused: %s", decision.reason)

    def _html(self, visit: Visit) -> bool:
        return responses.wants_html(visit.headers.get("accept", ""))

    def _shows_page(self, visit: Visit) -> bool:
        return self._html(visit) and is_navigation(visit.headers)

    def _own(self, visit: Visit) -> frozenset[str]:
        """The origins of the site: of the address that was asked, and what the settings say."""
        found = own_origins(visit.headers, secure=self.settings.secure_cookie)
        site = self.settings.site_origin
        return found | {site} if site else found

    def _is_waiting_page(self, visit: Visit) -> bool:
        url = self.settings.waiting_room_url
        own = self._own(visit) | own_origins(visit.headers, secure=False)
        return origin_of(url) in own and (urlsplit(url).path or "/") == visit.path

    def _return_cookie(self, value: str, seconds: int) -> str:
        name, secure = self.settings.return_cookie_name, self.settings.secure_cookie
        return cookie.set_cookie(name, value, seconds, secure=secure)

    def _remember(self, visit: Visit) -> list[str]:
        """The page a visitor wanted, kept in the own browser: no other site learns of it.

        Of an address that is too long the path is kept. One that cannot be kept at all forgets an
        older one.
        """
        if visit.method == "HEAD":
            return []
        path = visit.raw or quote(visit.path, safe=PATH_SIGNS, errors="replace")
        whole = path + (f"?{visit.query}" if visit.query else "")
        candidates = [whole, path] if visit.method == "GET" else [self._page_of_form(visit), path]
        kept = next((one for one in candidates if _is_own_address(one)), "")
        return [self._return_cookie(cookie.pack(kept), RETURN_FOR if kept else 0)]

    def _page_of_form(self, visit: Visit) -> str:
        """The address of the page of this site that sent a form; empty where it is not known."""
        sender = visit.headers.get("referer", "")
        if origin_of(sender) not in self._own(visit):
            return ""
        parts = urlsplit(sender)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _home(self, visit: Visit) -> str:
        """The first page of the site, below the prefix that it is served under."""
        home = f"{quote(visit.mount, safe=PATH_SIGNS, errors='replace')}/"
        return home if _is_own_address(home) else "/"

    def _way_back(self, visit: Visit) -> str:
        address = f"{quote(visit.path, safe=PATH_SIGNS, errors='replace')}?{BACK}"
        return address if _is_own_address(address) else self._home(visit)

    def _wanted(self, visit: Visit) -> str | None:
        sent = visit.headers.get("cookie", "")
        for value in cookie.values(sent, self.settings.return_cookie_name):
            if _is_own_address(wanted := cookie.unpack(value)):
                return wanted
        return None


def _is_own_address(address: str) -> bool:
    """A path of this site: nothing that a browser would read as another host."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    local = address.startswith("/") and not address.startswith("//")
    return plain and local and " " not in address and len(address) <= MAX_RETURN
