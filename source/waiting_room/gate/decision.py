# SPDX-License-Identifier: Apache-2.0
"""The gate's decision on a request, for any server or framework.

The module has more than 300 lines because the class is one decision: its steps share the request,
the settings and the verifier. Rules of cookies, origins, paths and responses are in own modules.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from waiting_room.adapters.http.room_keys import https_verifier
from waiting_room.authorizer.verifier import (
    ENDED,
    EXPIRED,
    Accepted,
    NoToken,
    Rejected,
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
from waiting_room.gate.responses import Rejection, Response
from waiting_room.gate.settings import GateSettings

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock

MAX_FORM = 16_384  # bytes; a token has about 700
MAX_RETURN_ADDRESS = 1_500  # characters of a return address; it must fit into a cookie
RETURN_SECONDS = 86_400  # seconds; the longest wait
UNCHECKED_SECONDS = 60  # limit of a connection that was allowed without a check
RETURN_QUERY = "back"  # the query of the entrance's own redirect
FORM = "application/x-www-form-urlencoded"
PATH_SIGNS = "/!$&'()*+,;=:@-._~"
REASONS = {EXPIRED: "session_over", ENDED: "session_ended"}  # others: no_session

logger = logging.getLogger("waiting_room.gate")


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``headers`` by lower-case name, ``path`` decoded.

    ``mount`` is the path prefix of the site. ``raw`` is the path as it was sent, or empty when the
    server does not provide it.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    mount: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Allow:
    """Allow the request; ``claims`` is None without a check.

    ``until`` (epoch seconds) is the end of a connection that stays open.
    """

    claims: Claims | None = None
    set_cookie: str | None = None
    until: float | None = None


class Gate:
    """Decides on requests; thread-safe. ``check`` may call the room, within time limits."""

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

    def is_entrance(self, request: Request) -> bool:
        """Return whether the request delivers a token: then call ``enter`` with its body."""
        entrance = self.settings.entrance
        return request.path in (entrance, request.mount + entrance)

    def is_protected(self, request: Request) -> bool:
        """Return whether the request needs a session."""
        rules = self.settings.include, self.settings.exclude
        return is_protected(request.path, *rules, request.mount, request.raw)

    def check(self, request: Request) -> Allow | Response:
        """Allow a request, or return the response to send instead. No method is exempt."""
        if not self.is_protected(request):
            return Allow()
        decision = (
            self._preflight(request)
            if is_preflight(request.method, request.headers)
            else self._decide(request)
        )
        origin = request.headers.get("origin", "")
        if isinstance(decision, Response) and origin in self._scripts:
            return responses.with_cors(decision, origin)
        return decision

    def enter(self, request: Request, body: bytes) -> Response:
        """Accept a token from the form field ``token``: set the cookie and redirect.

        Only a page of the waiting room or of the site may send it. Any other page could put its
        own session into a visitor's browser. A POST from another site has no SameSite cookies, so
        the browser is redirected to this path by GET first, and then to the requested page.
        """
        if request.method in ("GET", "HEAD"):
            if request.query == RETURN_QUERY:
                return self._return_to_page(request)
            if self._shows_page(request):
                return responses.redirect(303, self._home(request))
        if request.method != "POST":
            return responses.bad_request(
                405, "the entrance accepts the method POST only", ("Allow", "POST")
            )
        if not is_sent_by(request.headers, self._own_origins(request), self._pages):
            logger.warning(
                "form refused: its Origin is not the waiting page, the site or one of"
                " entrance_origins"
            )
            return responses.forbidden_origin(self._wants_html(request), self._rejection())
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
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
                responses.redirect(303, self._return_address(request))
                if open_site
                else self._unavailable(request)
            )
        if not isinstance(decision, Accepted):
            self._log_rejection(decision)
            return responses.rejected(self._wants_html(request), self._rejection(decision))
        return responses.redirect(303, self._return_address(request), self._seal(decision))

    def _preflight(self, request: Request) -> Response:
        if request.headers.get("origin", "") not in self._scripts:
            return responses.preflight_rejected()
        granted = preflight_grant(request.headers)
        if granted is None:
            sentence = "Access-Control-Request-Method or -Headers has an invalid value"
            return responses.bad_request(400, sentence)
        return responses.preflight(granted)

    def _return_to_page(self, request: Request) -> Response:
        """Redirect to the page that the browser requested first."""
        wanted = self._return_path(request) or self._home(request)
        if not is_navigation(request.headers):
            return responses.redirect(303, wanted)
        unchecked = self.settings.fail_open and not self._verifier.keys.reachable()
        if not isinstance(self._session_from_cookies(request), Accepted) and not unchecked:
            logger.error("the browser did not store the session cookie; check secure_cookie")
            return responses.no_cookie(self._wants_html(request), self._rejection())
        return responses.redirect(303, wanted, self._return_cookie("", 0))

    def _decide(self, request: Request) -> Allow | Response:
        try:
            session = self._active_session(request)
            if isinstance(session, Accepted):
                return Allow(session.claims, until=float(session.claims["exp"]))
            decision = self._verifier.check(request.headers.get(self.settings.header.lower()))
        except Unavailable:
            return self._on_room_unreachable(request)
        if isinstance(decision, Accepted):
            return Allow(decision.claims, self._seal(decision), float(decision.claims["exp"]))
        shown = session if session and isinstance(decision, NoToken) else decision
        return self._reject(request, decision, self._rejection(shown))

    def _active_session(self, request: Request) -> Accepted | Rejected | None:
        """Return as ``_session_from_cookies``; Rejected also for a session that ended."""
        found, ended = self._session_from_cookies(request), self._verifier.ended
        if isinstance(found, Accepted) and ended and ended.has(found.request_id):
            return Rejected(ENDED)
        return found

    def _session_from_cookies(self, request: Request) -> Accepted | Rejected | None:
        """Return the session of the cookies, Rejected for an expired one, None without one."""
        sent, expected = request.headers.get("cookie", ""), self._verifier.expected
        over: Rejected | None = None
        for value in cookie.values(sent, self.settings.cookie_name):
            found = cookie.read_session(value, expected, self._secrets, self.now())
            if isinstance(found, Accepted):
                return found
            over = over or found
        return over

    def _seal(self, accepted: Accepted) -> str:
        value = cookie.seal(accepted.claims, self._verifier.expected, self.settings.secret)
        left = max(0, int(accepted.claims["exp"]) - int(self.now()))
        name = self.settings.cookie_name
        return cookie.set_cookie(name, value, left, secure=self.settings.secure_cookie)

    def _reject(
        self, request: Request, decision: NoToken | Rejected, why: Rejection
    ) -> Allow | Response:
        if self.settings.fail_open and not self._verifier.keys.reachable():
            return self._allow_unchecked()
        self._log_rejection(decision)
        page = self._wants_html(request)
        if not page or not is_navigation(request.headers):
            return responses.rejected(page and is_frame(request.headers), why)
        if self._is_waiting_page(request):
            logger.error("the waiting page is behind the gate: exclude its path")
            return responses.rejected(page, why)
        if request.method in ("GET", "HEAD"):
            url = self.settings.waiting_room_url
            return responses.to_waiting_room(request.method, url, *self._save_return_path(request))
        return responses.lost_form(why, *self._save_return_path(request))

    def _rejection(self, decision: NoToken | Rejected | None = None, reason: str = "") -> Rejection:
        known = REASONS.get(decision.reason, "") if decision else ""
        url = self.settings.waiting_room_url
        return Rejection(self.settings.event_id, url, reason or known or "no_session")

    def _on_room_unreachable(self, request: Request) -> Allow | Response:
        return self._allow_unchecked() if self.settings.fail_open else self._unavailable(request)

    def _allow_unchecked(self) -> Allow:
        logger.warning("allowed without a check: the room cannot be reached")
        return Allow(until=self.now() + UNCHECKED_SECONDS)

    def _unavailable(self, request: Request) -> Response:
        logger.warning("rejected: the room cannot be reached")
        page = self._wants_html(request) and (
            is_navigation(request.headers) or is_frame(request.headers)
        )
        return responses.service_unavailable(page, self._rejection(reason="unavailable"))

    def _log_rejection(self, decision: NoToken | Rejected) -> None:
        level = logging.INFO if isinstance(decision, NoToken) else logging.WARNING
        logger.log(level, "refused: %s", decision.reason)

    def _wants_html(self, request: Request) -> bool:
        return responses.wants_html(request.headers.get("accept", ""))

    def _shows_page(self, request: Request) -> bool:
        return self._wants_html(request) and is_navigation(request.headers)

    def _own_origins(self, request: Request) -> frozenset[str]:
        """Return the origins of the site: of the request's address, and of the settings."""
        found = own_origins(request.headers, secure=self.settings.secure_cookie)
        site = self.settings.site_origin
        return found | {site} if site else found

    def _is_waiting_page(self, request: Request) -> bool:
        url = self.settings.waiting_room_url
        own = self._own_origins(request) | own_origins(request.headers, secure=False)
        return origin_of(url) in own and (urlsplit(url).path or "/") == request.path

    def _return_cookie(self, value: str, seconds: int) -> str:
        name, secure = self.settings.return_cookie_name, self.settings.secure_cookie
        return cookie.set_cookie(name, value, seconds, secure=secure)

    def _save_return_path(self, request: Request) -> list[str]:
        """Return a cookie with the requested page, which stays in the visitor's browser.

        An address that is too long is stored without its query. One that cannot be stored at all
        deletes an older one.
        """
        if request.method == "HEAD":
            return []
        path = request.raw or quote(request.path, safe=PATH_SIGNS, errors="replace")
        whole = path + (f"?{request.query}" if request.query else "")
        candidates = (
            [whole, path] if request.method == "GET" else [self._page_of_form(request), path]
        )
        kept = next((one for one in candidates if _is_own_address(one)), "")
        return [self._return_cookie(cookie.pack(kept), RETURN_SECONDS if kept else 0)]

    def _page_of_form(self, request: Request) -> str:
        """Return the address of the site's page that sent a form; empty when unknown."""
        sender = request.headers.get("referer", "")
        if origin_of(sender) not in self._own_origins(request):
            return ""
        parts = urlsplit(sender)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _home(self, request: Request) -> str:
        """Return the first page of the site, below its path prefix."""
        home = f"{quote(request.mount, safe=PATH_SIGNS, errors='replace')}/"
        return home if _is_own_address(home) else "/"

    def _return_address(self, request: Request) -> str:
        address = f"{quote(request.path, safe=PATH_SIGNS, errors='replace')}?{RETURN_QUERY}"
        return address if _is_own_address(address) else self._home(request)

    def _return_path(self, request: Request) -> str | None:
        sent = request.headers.get("cookie", "")
        for value in cookie.values(sent, self.settings.return_cookie_name):
            if _is_own_address(wanted := cookie.unpack(value)):
                return wanted
        return None


def _is_own_address(address: str) -> bool:
    """Return whether an address is a path of this site, which no browser reads as another host."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    local = address.startswith("/") and not address.startswith("//")
    return plain and local and " " not in address and len(address) <= MAX_RETURN_ADDRESS
