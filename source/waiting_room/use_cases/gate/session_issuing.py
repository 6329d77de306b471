# SPDX-License-Identifier: Apache-2.0
"""Token and session at a gate of a visitor whose position is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from waiting_room.domain import tokens
from waiting_room.domain.gate.sessions import SessionSettings, check_live, session_of

if TYPE_CHECKING:
    from waiting_room.domain.gate.credentials import GateSession
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.domain.records import Outcome, Position


class SessionIssuer:
    """Issues sessions. ``key_id`` returns the id of the key that signs tokens at a time."""

    def __init__(
        self, outcomes: Outcomes, issuer: str, key_id: Callable[[int], str], clock: Clock
    ) -> None:
        self._outcomes, self._issuer, self._key_id, self._clock = outcomes, issuer, key_id, clock

    def issue(self, row: Position, document: Mapping[str, Any]) -> GateSession:
        """Return the session of a served position; its token is issued if it has none.

        A position has one token and one session, however often this is called. Raises
        SessionRefused for a session that is over.
        """
        now, settings = int(self._clock()), SessionSettings.of_document(document)
        token = tokens.issue(
            row,
            key_id=self._key_id(now),
            issuer=self._issuer,
            validity=document["token"]["valid_for"],
            now=now,
            session_life=settings.life,
        )
        outcome: Outcome | None = self._outcomes.put_if_absent(token)
        if outcome and outcome.is_token and outcome.session_until is None:  # older than the gate
            place = row.event_id, row.generation, row.position
            outcome = self._outcomes.extend_session(*place, settings.until(now), now)
        return session_of(check_live(outcome, now), settings, now)
