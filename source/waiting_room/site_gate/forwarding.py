# SPDX-License-Identifier: Apache-2.0
"""The room's paths on a site whose web server does not send them to the room."""

from __future__ import annotations

import logging
import re

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.request import GateRequest
from waiting_room.site_gate.gate import Response, no_room, room_failed, too_large
from waiting_room.site_gate.requests import SESSION_HEADER
from waiting_room.site_gate.settings import SiteGateSettings

MAX_BODY = 65_536  # bytes of a request to the room
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
ROOM_COOKIE = re.compile(r"(?:__Host-)?waiting-room[-_]")

logger = logging.getLogger("waiting_room.site_gate")


class Forwarding:
    """Sends the room's paths to the setting ``room``; without one they are 404."""

    def __init__(self, settings: SiteGateSettings) -> None:
        self._forwarder = None
        if settings.room:
            from waiting_room.adapters.http.room_forwarding import RoomForwarder

            self._forwarder = RoomForwarder(settings.room)

    def send(self, request: GateRequest, body: bytes) -> Response:
        """Return the room's response, or an error of the gate."""
        if self._forwarder is None or request.method not in METHODS:
            return no_room()
        if len(body) > MAX_BODY:
            return too_large()
        target = request.path + ("" if request.query is None else f"?{request.query}")
        headers = [
            (name, values[0])  # of a joined header, the whole text
            for name, values in request.headers.items()
            if values and name != SESSION_HEADER
        ]
        cookies = "; ".join(
            f"{name}={value}"
            for name, values in request.cookies.items()
            if ROOM_COOKIE.match(name)
            for value in values
        )
        try:
            status, found, content = self._forwarder.send(
                request.method, target, request.host, headers, cookies, body
            )
        except Unavailable as error:
            logger.error("request to the room failed, the gate returned 429: %s", error)
            return room_failed()
        return Response(status, tuple(found), content)
