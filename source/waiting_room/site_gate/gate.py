# SPDX-License-Identifier: Apache-2.0
"""The gate of a site: decision about a request, and the response."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.configuration import GateView
from waiting_room.domain.gate.decision import (
    HANDOVER,
    MESSAGES,
    RETRY_AFTER,
    Pass,
    Respond,
    cookie_name,
    hand_over,
    judge,
)
from waiting_room.domain.gate.request import GateRequest, parameters
from waiting_room.domain.gate.rules import find_event, is_own_path
from waiting_room.site_gate.configurations import Configurations
from waiting_room.site_gate.settings import SiteGateSettings

logger = logging.getLogger("waiting_room.site_gate")


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response of the gate."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


class SiteGate:
    """Decides about the requests of a site. Thread-safe. ``now`` is in epoch seconds."""

    def __init__(
        self,
        settings: SiteGateSettings,
        configurations: Configurations | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._configurations = configurations or Configurations(settings)
        self._now = now

    def decide(self, request: GateRequest) -> Pass | Response:
        """Return whether a request passes; never raises."""
        try:
            view = self._configurations.current()
        except Unavailable as error:
            logger.error("no configuration read, open_without_configuration decides: %s", error)
            if is_own_path(request.path):
                return Pass("room")
            is_open = self.settings.open_without_configuration
            return Pass("unreachable") if is_open else _unavailable()
        event_id = None
        try:
            now, secure = int(self._now()), self.settings.secure_cookie
            if request.path == HANDOVER:
                sender = parameters(request.query or "").get("event", "")
                return self._response(hand_over(request, view.keys(sender), now, secure=secure))
            if is_own_path(request.path):
                return Pass("room")
            event_id = find_event(view.rules, request)
            if event_id is None:
                return Pass("no_rule")
            state, keys = view.state(event_id), view.keys(event_id)
            found = judge(request, event_id, state, keys, now, secure=secure)
            if isinstance(found, Pass):
                return found
            if found.reason != "preflight" and self._is_opened(view, event_id, now):
                return Pass("unreachable")
            return self._response(found)
        except Exception as error:  # every unforeseen condition: the event's when_unreachable
            logger.error(
                "decision failed, when_unreachable of the event decides: %s", type(error).__name__
            )
            is_open = event_id is not None and view.events[event_id].open_unreachable
            return Pass("unreachable") if is_open else _unavailable()

    def ended_cookies(self, request: GateRequest) -> list[str]:
        """Return the ``Set-Cookie`` values that expire the session cookies of a request."""
        secure = self.settings.secure_cookie
        names = [cookie_name("", one, secure=secure) for one in self.settings.events]
        return [set_cookie(name, "", 0, secure=secure) for name in names if name in request.cookies]

    def _is_opened(self, view: GateView, event_id: str, now: int) -> bool:
        """Return whether an event is open because the room has not been reachable for a while."""
        found = view.events.get(event_id)
        return bool(found and found.opens_in_fault(now) and self._configurations.is_lost(event_id))

    def _response(self, found: Respond) -> Response:
        secure = self.settings.secure_cookie
        cookies = (set_cookie(*one, secure=secure) for one in found.cookies)
        body = b"" if found.body is None else json.dumps(found.body).encode()
        length = [] if found.status == 204 else [("Content-Length", str(len(body)))]
        headers = [(name.title(), value) for name, value in found.headers.items()]
        added = [("Set-Cookie", one) for one in cookies]
        return Response(found.status, (*headers, *added, *length), body)


def set_cookie(name: str, value: str, max_age: int, *, secure: bool) -> str:
    """Return a ``Set-Cookie`` value. The cookie grants passage and is no identity."""
    attributes = "Secure; HttpOnly; SameSite=None" if secure else "HttpOnly; SameSite=Lax"
    return f"{name}={value}; {attributes}; Path=/; Max-Age={max_age}"


def no_room() -> Response:
    """404 for a path of the room that the web server of the site does not send to the room."""
    sentence = "the paths below /_waiting-room/ must lead to the waiting room: see the setting room"
    return _json(404, {"error": sentence})


def too_large() -> Response:
    """413 for a body that no route of the room takes."""
    return _json(413, {"error": "the body is too large for the waiting room"})


def room_failed() -> Response:
    """429 for a path of the room that does not respond; caches never keep this status."""
    body = {"error": "the waiting room does not respond; try again", "retry_after": RETRY_AFTER}
    return _json(429, body, ("Retry-After", str(RETRY_AFTER)))


def header_pairs(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


def _unavailable() -> Response:
    body = {
        "error": MESSAGES["unavailable"],
        "reason": "unavailable",
        "retry_after": RETRY_AFTER,
    }
    return _json(503, body, ("Retry-After", str(RETRY_AFTER)))


def _json(status: int, content: Mapping[str, Any], *headers: tuple[str, str]) -> Response:
    body = json.dumps(content).encode()
    fixed = (
        ("Cache-Control", "no-store"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    )
    return Response(status, (*fixed, *headers), body)
