# SPDX-License-Identifier: Apache-2.0
"""The gate's decision on a request, whatever server or framework the site runs on."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

from waiting_room.adapters.https_jwks import https_verifier
from waiting_room.authorizer import Accepted, Clock, Malformed, Refused, Verifier
from waiting_room.errors import Unavailable
from waiting_room.gate import answers, cookie
from waiting_room.gate.answers import Answer
from waiting_room.gate.paths import is_protected
from waiting_room.gate.settings import GateSettings
from waiting_room.tokens import Claims

MAX_FORM = 16_384  # bytes; a token has about 700
MAX_RETURN = 1_500  # characters of an address to come back to; it must fit into a cookie
RETURN_FOR = 86_400  # seconds; nobody waits longer
FORM = "application/x-www-form-urlencoded"
PATH_SIGNS = "/!$&'()*+,;=:@-._~"

logger = logging.getLogger("waiting_room.gate")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as the gate sees it; ``headers`` by lower-case name, ``path`` decoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pass:
    """Let the request through; ``claims`` is None where nobody was checked."""

    claims: Claims | None = None
    set_cookie: str | None = None


class Gate:
    """Decides on requests; safe for threads. ``check`` may ask the room, within its timeouts."""

    def __init__(
        self, settings: GateSettings, verifier: Verifier | None = None, now: Clock = time.time
    ) -> None:
        self.settings = settings
        self._verifier = verifier or https_verifier(settings.authorizer)
        self._secrets = (settings.secret, *settings.old_secrets)
        self._now = now

    def is_entrance(self, visit: Visit) -> bool:
        """Whether the request hands over a token: then call ``enter`` with its body."""
        return visit.path == self.settings.entrance

    def check(self, visit: Visit) -> Pass | Answer:
        """Let a request through, or say what to answer instead."""
        if not is_protected(visit.path, self.settings.include, self.settings.exclude):
            return Pass()
        if visit.method == "OPTIONS" and "access-control-request-method" in visit.headers:
            return Pass()  # browsers ask this without credentials; the call itself is checked
        try:
            known = self._known(visit)
            if known is not None:
                return Pass(known.claims)
            decision = self._verifier.check(visit.headers.get(self.settings.header.lower()))
        except Unavailable:
            return self._cannot_tell(visit)
        if isinstance(decision, Accepted):
            return Pass(decision.claims, self._seal(decision))
        return self._refuse(visit, decision)

    def enter(self, visit: Visit, body: bytes) -> Answer:
        """Take a token from a form, field ``token``: set the cookie, send the browser on."""
        if visit.method != "POST":
            return answers.bad_request(405, "only POST is answered here", ("Allow", "POST"))
        if visit.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
            return answers.bad_request(400, f"the body must be sent as {FORM}")
        if len(body) > MAX_FORM:
            return answers.bad_request(413, "the body is too large")
        try:
            fields = parse_qs(body.decode("ascii"), max_num_fields=10)
            decision = self._verifier.check(fields.get("token", [""])[0])
        except ValueError:
            return answers.bad_request(400, "the body is not a form")
        except Unavailable:
            open_site = self.settings.fail_open
            return (
                answers.redirect(303, self._return_to(visit)) if open_site else self._closed(visit)
            )
        if not isinstance(decision, Accepted):
            self._note(decision)
            return answers.refusal(self._html(visit), self.settings.waiting_room_url)
        name = self._return_name
        forget = cookie.set_cookie(name, "", 0, secure=self.settings.secure_cookie)
        return answers.redirect(303, self._return_to(visit), self._seal(decision), forget)

    def _known(self, visit: Visit) -> Accepted | None:
        sent = visit.headers.get("cookie", "")
        for value in cookie.values(sent, self.settings.cookie_name):
            expected = self._verifier.expected
            known = cookie.unseal(value, expected, self._secrets, self._now())
            if known is not None:
                ended = self._verifier.ended
                return None if ended and ended.has(known.request_id) else known
        return None

    def _seal(self, accepted: Accepted) -> str:
        value = cookie.seal(accepted.claims, self._verifier.expected, self.settings.secret)
        left = max(0, int(accepted.claims["exp"]) - int(self._now()))
        name = self.settings.cookie_name
        return cookie.set_cookie(name, value, left, secure=self.settings.secure_cookie)

    def _refuse(self, visit: Visit, decision: Malformed | Refused) -> Pass | Answer:
        if self.settings.fail_open and not self._verifier.keys.reachable():
            logger.warning("let in unchecked: the room cannot be reached")
            return Pass()
        self._note(decision)
        url = self.settings.waiting_room_url
        if not self._html(visit):
            return answers.refusal(False, url)
        return answers.to_waiting_room(visit.method, url, *self._remember(visit))

    def _cannot_tell(self, visit: Visit) -> Pass | Answer:
        if self.settings.fail_open:
            logger.warning("let in unchecked: the room cannot be reached")
            return Pass()
        return self._closed(visit)

    def _closed(self, visit: Visit) -> Answer:
        logger.warning("turned away: the room cannot be reached")
        return answers.cannot_tell(self._html(visit), self.settings.waiting_room_url)

    def _note(self, decision: Malformed | Refused) -> None:
        level = logging.INFO if isinstance(decision, Malformed) else logging.WARNING
        logger.log(level, "refused: %s", decision.reason)

    def _html(self, visit: Visit) -> bool:
        return answers.wants_html(visit.headers.get("accept", ""))

    @property
    def _return_name(self) -> str:
        return f"{self.settings.cookie_name}-return"

    def _remember(self, visit: Visit) -> list[str]:
        """The page a visitor wanted, kept in the own browser: no other site learns of it."""
        address = quote(visit.path, safe=PATH_SIGNS) + (f"?{visit.query}" if visit.query else "")
        if visit.method != "GET" or not _is_own_address(address):
            return []
        value, secure = quote(address, safe=""), self.settings.secure_cookie
        return [cookie.set_cookie(self._return_name, value, RETURN_FOR, secure=secure)]

    def _return_to(self, visit: Visit) -> str:
        for value in cookie.values(visit.headers.get("cookie", ""), self._return_name):
            if _is_own_address(unquote(value)):
                return unquote(value)
        return "/"


def _is_own_address(address: str) -> bool:
    """A path of this site: nothing that a browser would read as another host."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    local = address.startswith("/") and not address.startswith("//")
    return plain and local and " " not in address and len(address) <= MAX_RETURN
