# SPDX-License-Identifier: Apache-2.0
"""Issue the token set of a served position, once; return the time to expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting_room.domain import expiry, joins, tokens
from waiting_room.domain.actors import UNKNOWN, Actor
from waiting_room.domain.errors import JoinRefused, NotServedYet, PositionExpired, RoomWasReset
from waiting_room.domain.records import Outcome, Position, PositionStatus
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.signing_keys import Signer
from waiting_room.use_cases import change_log
from waiting_room.use_cases.key_rotation import SigningKeys
from waiting_room.use_cases.position_lookup import PositionLookup

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.outcomes import Outcomes
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.events.directory import EventDirectory


class TokenIssuer:
    """Issue of tokens."""

    def __init__(
        self,
        settings: RoomSettings,
        events: EventDirectory,
        positions: PositionLookup,
        outcomes: Outcomes,
        counters: RoomCounters,
        keys: SigningKeys,
        clock: Clock,
    ) -> None:
        self._events = events
        self._settings, self._positions, self._outcomes = settings, positions, outcomes
        self._counters, self._keys, self._clock = counters, keys, clock
        self._signer = Signer()

    def issue(
        self, event_id: str, request_id: str, *, client_secret: str | None = None
    ) -> dict[str, Any]:
        """Return the token set of a request; the same one for as long as it is valid.

        Raises NotServedYet, UnknownRequest, WrongClientSecret or a Gone error.
        """
        self._events.check_joined(event_id, request_id)
        event = self._events.event(event_id)
        row = self._positions.row(event_id, request_id)
        joins.check_client_secret(row, client_secret, event.client_secret_required)
        return self._issue(row, self._settings.issuer, event.validity_period)

    def issue_for_operator(
        self,
        event_id: str,
        request_id: str,
        *,
        issuer: str | None,
        validity: int | None,
        actor: Actor = UNKNOWN,
    ) -> dict[str, Any]:
        """As ``issue``, without the visitor's secret.

        ``issuer`` and ``validity`` (s) hold for this call only, and only if it issues the token.
        """
        event = self._events.event(event_id)
        row = self._positions.row(event_id, request_id)
        return self._issue(
            row, issuer or self._settings.issuer, validity or event.validity_period, actor
        )

    def time_to_expiry(self, event_id: str, request_id: str) -> int:
        """Return the seconds until the position of a request expires.

        Raises NotServedYet (also when positions do not expire), UnknownRequest, PositionExpired,
        and JoinRefused for a closed event, which has no turns.
        """
        self._events.check_joined(event_id, request_id)
        event = self._events.event(event_id)
        row = self._positions.row(event_id, request_id)
        self._events.check_not_closed(event_id)
        status = self._counters.position_status(event_id, row.position, row.generation)
        if not event.position_expiry_enabled:
            raise NotServedYet("queue positions of this event do not expire")
        turn = expiry.turn_of(row, status, event, int(self._clock()))
        expiry.check_turn(turn)
        return turn.expires_in or 0

    def _issue(
        self, row: Position, issuer: str, validity: int, operator: Actor | None = None
    ) -> dict[str, Any]:
        status = self._counters.position_status(row.event_id, row.position, row.generation)
        outcome, issued = self._outcome(row, status, issuer, validity)
        if issued and operator:
            change_log.record(
                row.event_id, "token", operator, None, "issued",
                generation=row.generation, position=row.position,
            )  # fmt: skip
        if outcome.is_token and not status.counted and not self._counters.count_outcome(outcome):
            raise RoomWasReset
        now = int(self._clock())
        tokens.check_usable(outcome, now)
        return {
            **self._signer.sign(outcome, self._keys.key_for(outcome)),
            "token_type": "Bearer",
            "expires_in": outcome.expires_at - now,
        }

    def _outcome(
        self, row: Position, status: PositionStatus, issuer: str, validity: int
    ) -> tuple[Outcome, bool]:
        """Return the outcome of the position, and whether this call decided it.

        A served position without an outcome gets a token. An uncounted token is rare, so the
        conditional write detects it, without a read first. An outcome stays valid if the position
        expires later or the serving counter moves back.
        """
        if status.counted:
            found = self._outcomes.get(row.event_id, row.generation, row.position)
            if found is not None:
                return found, False
        now = int(self._clock())
        try:
            event = self._events.event(row.event_id)
            self._events.check_not_closed(row.event_id)
            expiry.check_turn(expiry.turn_of(row, status, event, now))
        except (JoinRefused, NotServedYet, PositionExpired):
            found = self._outcomes.get(row.event_id, row.generation, row.position)
            if found is None:
                raise
            return found, False
        key_id = self._keys.current(now).key_id
        new = tokens.issue(
            row,
            key_id=key_id,
            issuer=issuer,
            validity=validity,
            now=now,
            session_life=event.session_life,
        )
        found = self._outcomes.put_if_absent(new)
        return found, found == new
