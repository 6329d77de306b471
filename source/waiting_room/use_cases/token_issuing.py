# SPDX-License-Identifier: Apache-2.0
"""A visitor's turn: how long it lasts, and the token that takes it."""

from __future__ import annotations

from typing import Any

from waiting_room.domain import expiry, joins, tokens
from waiting_room.domain.actors import Actor
from waiting_room.domain.errors import NotServedYet, PositionExpired, RoomWasReset
from waiting_room.domain.ports import Outcomes
from waiting_room.domain.records import Outcome, Position, PositionStatus
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.signing_keys import Signer
from waiting_room.use_cases import change_log
from waiting_room.use_cases.event_state import EventStates
from waiting_room.use_cases.key_rotation import SigningKeys
from waiting_room.use_cases.position_lookup import PositionLookup


class TokenIssuer:
    """The turns of served positions."""

    def __init__(
        self,
        settings: RoomSettings,
        places: PositionLookup,
        outcomes: Outcomes,
        ledger: EventStates,
        key_ring: SigningKeys,
    ) -> None:
        self._settings, self._places, self._outcomes = settings, places, outcomes
        self._ledger, self._key_ring = ledger, key_ring
        self._signer = Signer()

    def time_to_expiry(self, event_id: str, request_id: str) -> int:
        """Seconds until the position expires."""
        event = self._settings.event(event_id)
        row, admission = self._places.place(event_id, request_id)
        if not event.position_expiry_enabled:
            raise NotServedYet("queue positions do not expire in this waiting room")
        if admission.expired_through >= row.position:
            raise PositionExpired("the turn was not taken in time: this position has expired")
        if admission.served_at is None:
            raise NotServedYet("this position is not being served yet")
        left = expiry.time_left(
            row.entry_time, admission.served_at, event.position_expiry_period, self._ledger.now()
        )
        if left < 0:
            raise PositionExpired("the turn was not taken in time: this position has expired")
        return left

    def token_for_visitor(
        self, event_id: str, request_id: str, client_secret: str | None
    ) -> dict[str, Any]:
        """The token set, for who knows the secret of the join."""
        event = self._settings.event(event_id)
        row = self._places.row(event_id, request_id)
        joins.check_client_secret(row, client_secret, event.client_secret_required)
        return self._issue(row, self._settings.issuer, event.validity_period)

    def token_for_operator(
        self,
        event_id: str,
        request_id: str,
        issuer: str | None,
        validity: int | None,
        actor: Actor,
    ) -> dict[str, Any]:
        """The token set, issued with other values than the settings' where some are given."""
        event = self._settings.event(event_id)
        row = self._places.row(event_id, request_id)
        return self._issue(
            row, issuer or self._settings.issuer, validity or event.validity_period, actor
        )

    def _issue(
        self, row: Position, issuer: str, validity: int, operator: Actor | None = None
    ) -> dict[str, Any]:
        admission = self._places.admission(row)
        outcome, issued = self._outcome(row, admission, issuer, validity)
        if issued and operator:
            change_log.record(
                row.event_id, "token", operator, None, "issued",
                generation=row.generation, position=row.position,
            )  # fmt: skip
        if outcome.is_token and not admission.counted and not self._ledger.count(outcome):
            raise RoomWasReset("the waiting room was reset since; join again")
        tokens.check_usable(outcome, self._ledger.now())
        return self._token_set(outcome)

    def _outcome(
        self, row: Position, admission: PositionStatus, issuer: str, validity: int
    ) -> tuple[Outcome, bool]:
        """What became of the position; a token from now on, if its turn has come; whether by this.

        A token that was not counted was hardly ever issued: then no read, the write finds out. What
        was decided before stands, also where the turn is over or the serving counter went back.
        """
        if admission.counted:
            stands = self._outcomes.get(row.event_id, row.generation, row.position)
            if stands is not None:
                return stands, False
        try:
            self._check_turn(row, admission)
        except (NotServedYet, PositionExpired):
            stands = self._outcomes.get(row.event_id, row.generation, row.position)
            if stands is None:
                raise
            return stands, False
        now = self._ledger.now()
        key_id = self._key_ring.current(now).key_id
        mine = tokens.issue(row, key_id=key_id, issuer=issuer, validity=validity, now=now)
        stands = self._outcomes.put_if_absent(mine)
        return stands, stands == mine

    def _check_turn(self, row: Position, admission: PositionStatus) -> None:
        event = self._settings.event(row.event_id)
        if row.position <= admission.expired_through:
            raise PositionExpired("the turn was not taken in time: this position has expired")
        if row.position > admission.serving or admission.served_at is None:
            raise NotServedYet("this position is not being served yet")
        if event.position_expiry_enabled and expiry.is_expired(
            row.entry_time, admission.served_at, event.position_expiry_period, self._ledger.now()
        ):
            raise PositionExpired("the turn was not taken in time: this position has expired")

    def _token_set(self, outcome: Outcome) -> dict[str, Any]:
        return {
            **self._signer.sign(outcome, self._key_ring.key_for(outcome)),
            "token_type": "Bearer",
            "expires_in": outcome.expires_at - self._ledger.now(),
        }
