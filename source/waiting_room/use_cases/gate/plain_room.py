# SPDX-License-Identifier: Apache-2.0
"""The waiting room for clients without scripts: join, look, begin the session.

The request id stays in a signed cookie that scripts cannot read. So it is no use to
know the request id of another visitor.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from waiting_room.domain import serving_counter
from waiting_room.domain.gate import credentials, visitor_stage
from waiting_room.domain.gate.decision import MAX_SESSIONS, cookie_name
from waiting_room.domain.gate.visitor_stage import VisitorStage

if TYPE_CHECKING:
    from waiting_room.domain.gate.credentials import GateKeys, GateSession
    from waiting_room.domain.gate.request import Values
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.gate_keys import GateKeySource
    from waiting_room.domain.ports.join_sender import JoinSender
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import Position
    from waiting_room.use_cases.gate.entrance import GatedEvents
    from waiting_room.use_cases.gate.session_issuing import SessionIssuer

COOKIE_LIFE = 86_400  # s; each response to a visitor who waits sets the cookie again


class PlainRoom:
    """The waiting room for clients without scripts."""

    def __init__(
        self,
        events: GatedEvents,
        keys: GateKeySource,
        joins: JoinSender,
        positions: Positions,
        log: ServingLog,
        sessions: SessionIssuer,
        clock: Clock,
    ) -> None:
        self._events, self._keys, self._joins = events, keys, joins
        self._positions, self._log, self._sessions = positions, log, sessions
        self._clock = clock

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event; raises UnknownEvent unless it is behind a gate."""
        self._events.get(event_id)
        return self._keys.keys(event_id)

    def hosts(self, event_id: str) -> list[str]:
        """Return the hosts of the event's site."""
        hosts: list[str] = self._events.get(event_id).document["site"]["hosts"]
        return hosts

    def title(self, event_id: str) -> str:
        """Return the title of an event."""
        return str(self._events.get(event_id).document["title"])

    def now(self) -> int:
        """Return the current epoch second."""
        return int(self._clock())

    def find(self, event_id: str, cookies: Values, *, secure: bool) -> str:
        """Return the request id that the cookies show; empty without one."""
        name = cookie_name("place", event_id, secure=secure)
        for value in list(cookies.get(name, ()))[:MAX_SESSIONS]:
            found = credentials.decode_join(value, self.keys(event_id))
            if found and found[0] == event_id:
                return found[1]
        return ""

    def cookie(self, event_id: str, request_id: str, *, secure: bool) -> tuple[str, str, int]:
        """Return the cookie with the request id: name, value, life in seconds. Empty: remove it."""
        name = cookie_name("place", event_id, secure=secure)
        if not request_id:
            return name, "", 0
        return name, credentials.encode_join(event_id, request_id, self.keys(event_id)), COOKIE_LIFE

    def join(self, event_id: str) -> str:
        """Join the queue and return the request id; raises UnknownEvent and Unavailable.

        An event that requires a client secret gets the hash of one that no client has: the cookie
        takes its part.
        """
        document = self._events.get(event_id).document
        needed = document["join"]["client_secret"] == "required"  # noqa: S105 - a choice
        secret = hashlib.sha256(secrets.token_bytes(32)).hexdigest() if needed else ""
        return self._joins.send(event_id, secret)

    def look(self, event_id: str, request_id: str) -> VisitorStage:
        """Return the stage of a request; an empty id has not joined.

        Raises UnknownEvent, JoinRefused, RoomWasReset and PositionExpired.
        """
        return self._look(event_id, request_id)[0]

    def begin(self, event_id: str, request_id: str) -> GateSession | VisitorStage:
        """Return the session of a visitor whose turn it is; otherwise the stage.

        Raises as ``look``, and SessionRefused for a session that is over.
        """
        found, row = self._look(event_id, request_id)
        if found.stage is not visitor_stage.Stage.TURN or row is None:
            return found
        return self._sessions.issue(row, self._events.get(event_id).document)

    def _look(self, event_id: str, request_id: str) -> tuple[VisitorStage, Position | None]:
        document = self._events.get(event_id).document
        state, details = self._log.read_with_details(event_id)
        if not request_id:
            return visitor_stage.outside(document, self._clock(), details.message), None
        _, row = self._positions.get_with_generation(
            event_id, request_id, known_generation=state.generation
        )
        served = []
        if (
            row is not None
            and not row.refused
            and state.expired_through < row.position <= state.serving
        ):
            moves = self._log.moves(state)
            served = serving_counter.segments(moves, expired_through=state.expired_through)
        return visitor_stage.stage_of(
            row, state, served, document, self._clock(), details.message
        ), row
