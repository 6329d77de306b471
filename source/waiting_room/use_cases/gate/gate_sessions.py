# SPDX-License-Identifier: Apache-2.0
"""Sessions at a gate: begin one with a token, renew it, and end it for a visitor who leaves.

The outcome of the position has the end of the session. Each operation is one conditional write,
which also finds out whether the session was ended. The stream of the outcomes counts the sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from waiting_room.domain.errors import SessionRefused
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.gate import sessions
from waiting_room.domain.gate.sessions import SessionSettings
from waiting_room.domain.records import SessionStatus

if TYPE_CHECKING:
    from waiting_room.domain.gate.credentials import GateKeys, GateSession
    from waiting_room.domain.gate.request import Values
    from waiting_room.domain.ports.access_tokens import AccessTokens
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.gate_keys import GateKeySource
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import Outcome
    from waiting_room.use_cases.gate.entrance import GatedEvents

LEFT = "leave"  # mark of an end by the visitor


@dataclass(frozen=True, slots=True)
class _Moment:
    """Settings of an event at ``now`` (epoch s); ``extends``: a renewal moves the end."""

    settings: SessionSettings
    extends: bool
    now: int


class GateSessions:
    """Sessions at the gates of a deployment."""

    def __init__(
        self,
        events: GatedEvents,
        keys: GateKeySource,
        outcomes: Outcomes,
        positions: Positions,
        log: ServingLog,
        tokens: AccessTokens,
        clock: Clock,
    ) -> None:
        self._events, self._keys, self._tokens = events, keys, tokens
        self._outcomes, self._positions, self._log = outcomes, positions, log
        self._clock = clock

    def find(self, event_id: str, cookies: Values, *, secure: bool) -> GateSession | None:
        """Return the session that the cookies show, also an expired one; None without one."""
        return sessions.find_session(cookies, event_id, self.keys(event_id), secure=secure)

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event; raises UnknownEvent unless it is behind a gate."""
        self._events.get(event_id)
        return self._keys.keys(event_id)

    def hosts(self, event_id: str) -> list[str]:
        """Return the hosts of the event's site; raises UnknownEvent as ``keys``."""
        hosts: list[str] = self._events.get(event_id).document["site"]["hosts"]
        return hosts

    def now(self) -> int:
        """Return the current epoch second."""
        return int(self._clock())

    def renew(self, session: GateSession | None) -> GateSession:
        """Return the session with a later end. Raises SessionRefused for one that is over.

        A session that was issued less than ``renew_every`` seconds ago stays as it is. One that is
        not sliding, or whose event is closed, keeps its end.
        """
        if session is None:
            raise SessionRefused("no_session")
        time = self._time(session.event_id)
        sessions.check_generation(session.generation, self._log.read(session.event_id).generation)
        place = (session.event_id, session.generation, session.position)
        due = time.now >= min(session.issued + time.settings.renew_every, session.expires)
        outcome = sessions.check_live(self._outcome(place, time, extends=due), time.now)
        return sessions.session_of(outcome, time.settings, time.now) if due else session

    def begin(self, event_id: str, token: str) -> GateSession:
        """Return the session of a visitor with an access token of the event.

        Raises SessionRefused for an invalid token, and for a session that is over.
        """
        time = self._time(event_id)
        request_id = self._tokens.request_id(event_id, token)
        current, row = self._positions.get_with_generation(
            event_id, request_id, known_generation=None, consistent=True
        )
        if row is None or not row.position:
            raise SessionRefused("no_session")
        sessions.check_generation(row.generation, current)
        place = (event_id, row.generation, row.position)
        outcome = self._outcome(place, time, extends=True)
        if outcome and outcome.is_token and outcome.session_until is None:
            outcome = self._outcomes.extend_session(*place, time.settings.until(time.now), time.now)
        return sessions.session_of(sessions.check_live(outcome, time.now), time.settings, time.now)

    def end(self, session: GateSession) -> None:
        """End the session of a visitor who leaves, and that of the token; idempotent."""
        if session.generation < self._log.read(session.event_id).generation:
            return
        self._outcomes.end_session(
            session.event_id,
            session.generation,
            session.position,
            SessionStatus.COMPLETED,
            self.now(),
            LEFT,
        )

    def _time(self, event_id: str) -> _Moment:
        document, now = self._events.get(event_id).document, self.now()
        settings = SessionSettings.of_document(document)
        is_closed = phase_of(document, now) is Phase.CLOSED
        return _Moment(settings, settings.sliding and not is_closed, now)

    def _outcome(
        self, place: tuple[str, int, int], time: _Moment, *, extends: bool
    ) -> Outcome | None:
        if extends and time.extends:
            return self._outcomes.extend_session(*place, time.settings.until(time.now), time.now)
        return self._outcomes.get(*place)
