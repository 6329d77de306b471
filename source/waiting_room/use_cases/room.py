# SPDX-License-Identifier: Apache-2.0
"""What the room can do: one method for each thing that an API or a worker asks of it.

Each part of the room does its own things; how an event's figures change is in ``ledger.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.actors import UNKNOWN, Actor
from waiting_room.domain.joins import Assignment
from waiting_room.domain.metrics import for_page, for_panel
from waiting_room.domain.ports import (
    Clock,
    Counters,
    EventBus,
    KeyStore,
    Outcomes,
    Positions,
    PublicKeys,
    ServingLog,
)
from waiting_room.domain.records import Counts, EventState, Join, Outcome, Position
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.signing_keys import KeySet, new_jwk
from waiting_room.domain.visitor_lookup import VisitorQuery
from waiting_room.use_cases.counter_recovery import Recovery
from waiting_room.use_cases.event_control import EventControl
from waiting_room.use_cases.event_publishing import EventPublisher
from waiting_room.use_cases.event_state import EventStates
from waiting_room.use_cases.key_rotation import KeyDelays, SigningKeys
from waiting_room.use_cases.minute_worker import MinuteWorker
from waiting_room.use_cases.position_assignment import PositionAssigner
from waiting_room.use_cases.position_lookup import PositionLookup
from waiting_room.use_cases.token_issuing import TokenIssuer
from waiting_room.use_cases.visitor_sessions import VisitorSessions


@dataclass(frozen=True)
class Stores:
    """The adapters a room works with."""

    counters: Counters
    positions: Positions
    outcomes: Outcomes
    log: ServingLog
    keys: KeyStore
    public_keys: PublicKeys
    event_bus: EventBus


class Room:
    """The use cases. One instance serves a warm function for its whole life."""

    def __init__(
        self,
        settings: RoomSettings,
        stores: Stores,
        clock: Clock,
        pause: Callable[[float], None] = lambda _: None,
    ) -> None:
        counters, log = stores.counters, stores.log
        positions, outcomes = stores.positions, stores.outcomes
        self._settings = settings
        self._recovery = Recovery(counters, log, outcomes, pause)
        self._ledger = ledger = EventStates(counters, log, self._recovery, clock, pause)
        self._announcements = EventPublisher(settings, stores.event_bus)
        delays = KeyDelays(settings.key_activation_delay, settings.public_key_max_age)
        self._key_ring = SigningKeys(stores.keys, stores.public_keys, clock, delays, new_jwk)
        self._places = PositionLookup(settings, positions, counters, ledger, clock)
        self._turns = TokenIssuer(settings, self._places, outcomes, ledger, self._key_ring)
        self._visits = VisitorSessions(settings, positions, outcomes, log, ledger, self._places)
        self._controls = EventControl(settings, log, ledger, clock)
        self._assigner = PositionAssigner(counters, positions, log, ledger)
        self._minute_worker = MinuteWorker(
            settings, positions, outcomes, log, counters, ledger,
            self._recovery, self._announcements,
        )  # fmt: skip

    @property
    def public_key_max_age(self) -> int:
        """Seconds that an answer with public keys may be kept."""
        return self._settings.public_key_max_age

    # --- what a visitor asks -----------------------------------------------------------------

    def queue_number(self, event_id: str, request_id: str) -> Position:
        """The visitor's position. Raises NotAssignedYet, RoomWasReset, InvalidInput."""
        return self._places.position(event_id, request_id)

    def counts(self, event_id: str) -> Counts:
        """All figures of an event, from one round trip."""
        self._settings.event(event_id)
        return self._ledger.counts(event_id)

    def figures(self, event_id: str) -> dict[str, Any]:
        """All that a control panel shows, in one answer."""
        return for_panel(event_id, self.counts(event_id), self._ledger.moment())

    def status(self, event_id: str) -> dict[str, Any]:
        """All that a waiting page polls; rates are positions per minute."""
        return for_page(event_id, self.counts(event_id), self._ledger.moment())

    def time_to_expiry(self, event_id: str, request_id: str) -> int:
        """Seconds until the position expires.

        Raises NotServedYet (also when expiry is off), UnknownRequest, PositionExpired.
        """
        return self._turns.time_to_expiry(event_id, request_id)

    def generate_token(
        self,
        event_id: str,
        request_id: str,
        *,
        client_secret: str | None = None,
    ) -> dict[str, Any]:
        """The token set of a request; the same one for as long as it is valid.

        Raises NotServedYet, UnknownRequest, WrongClientSecret or a Gone error.
        """
        return self._turns.token_for_visitor(event_id, request_id, client_secret)

    def generate_token_for_operator(
        self,
        event_id: str,
        request_id: str,
        *,
        issuer: str | None,
        validity: int | None,
        actor: Actor = UNKNOWN,
    ) -> dict[str, Any]:
        """As ``generate_token``, without the visitor's secret.

        ``issuer`` and ``validity`` (s) hold for this call only, and only if it issues the token.
        """
        return self._turns.token_for_operator(event_id, request_id, issuer, validity, actor)

    def public_key(self, event_id: str) -> dict[str, str]:
        """The public JWK that verifies tokens signed now: the last key published that signs."""
        self._settings.event(event_id)
        return self._key_ring.public_key()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Every public key that may verify a living token."""
        return self._key_ring.jwks()

    def ended_sessions(
        self, event_id: str, after: tuple[int, int, int] | None = None
    ) -> tuple[list[str], tuple[int, int, int] | None]:
        """Request ids of sessions that ended before their token's time was over; and a mark."""
        return self._visits.ended(event_id, after)

    # --- what an operator does ---------------------------------------------------------------

    def increment_serving_counter(
        self,
        event_id: str,
        by: int,
        reason: str = "operator",
        *,
        actor: Actor = UNKNOWN,
        call_id: str = "",
    ) -> int:
        """Move the serving counter by ``by``, never below 0; answers where it stands.

        A call that ``actor`` repeats with the same ``call_id`` moves nothing. A move back while the
        counters do not answer would let visitors in above it: it is not made.
        """
        after, moved = self._controls.increment(event_id, by, reason, actor, call_id)
        if moved:
            self._announcements.serving_counter_changed(moved)
        return after.serving

    def set_message(self, event_id: str, message: object, *, actor: Actor = UNKNOWN) -> str:
        """Set the message that ``/status`` carries; empty clears it."""
        return self._controls.set_message(event_id, message, actor)

    def update_session(
        self,
        event_id: str,
        request_id: str,
        status: object,
        *,
        actor: Actor = UNKNOWN,
        call_id: str = "",
    ) -> None:
        """End the session of a token, once, also after the token expired.

        A call that ``actor`` repeats with the same ``call_id`` succeeds again.
        Raises NoLiveSession, RoomWasReset, InvalidInput.
        """
        self._visits.end(event_id, request_id, status, actor, call_id)

    def request_status(self, event_id: str, sought: VisitorQuery | str) -> dict[str, Any]:
        """Everything an operator asks about one visitor, sought by request id, queue number or
        reference. Raises UnknownRequest.
        """
        if isinstance(sought, str):
            sought = VisitorQuery(request_id=sought)
        return self._visits.request_status(event_id, sought)

    def expired_tokens(
        self, event_id: str, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids whose token's time is over and whose session nobody ended; and a mark."""
        return self._visits.expired(event_id, limit, after)

    def reset_initial_state(
        self, event_id: str, generation: object = None, *, actor: Actor = UNKNOWN
    ) -> int:
        """Start the next generation; answers its number. Two resets at once are one.

        ``generation`` is the one that the caller means; raises OtherGeneration when another stands.
        Raises Unavailable when the counters could not be told: the new line stands in the tables,
        but its figures are not answered before the next minute, or the next reset.
        """
        after = self._controls.reset(event_id, generation, actor)
        self._places.forget(event_id)
        self._assigner.forget(event_id)
        self._ledger.apply_now(after)
        self._announcements.reset(after)
        return after.generation

    # --- what the workers do -----------------------------------------------------------------

    def assign(self, event_id: str, joins: Sequence[Join]) -> Assignment:
        """Give each join of a batch its place; answers which messages must come again."""
        return self._assigner.assign(event_id, joins)

    def audit(self, event_id: str, tick: float | None = None) -> EventState:
        """Find holes, settle what can no longer change, and hold the counters to the tables.

        ``tick`` is the time by the clock that started the minute worker. Nothing is taken for past
        that is not past by both clocks, so one that steps ahead closes nothing early.
        """
        return self._minute_worker.audit(event_id, tick)

    def sweep(self, event_id: str, tick: float | None = None) -> EventState:
        """Expire the positions whose time is past; one step per write, each whole by itself.

        ``tick`` is as in ``audit``.
        """
        return self._minute_worker.sweep(event_id, tick)

    def minute(self, event_id: str, tick: float | None = None) -> EventState:
        """``audit``, then ``sweep``, each also where the other fails; raises what failed first."""
        return self._minute_worker.minute(event_id, tick)

    def report(self, event_id: str) -> Counts:
        """Read the figures, and put them on the bus where the settings ask for it."""
        counts = self.counts(event_id)
        self._announcements.metrics(event_id, counts)
        return counts

    def publish_outcomes(self, changed: Sequence[Outcome]) -> None:
        """Tell the bus of new tokens and ended sessions, and count what was not counted yet.

        Fed by the stream of the token table, so nothing that happened is missed. Raises
        Unavailable when the bus did not take them, so that the stream delivers them again.
        """
        for outcome in changed:
            if outcome.is_token:
                self._ledger.count(outcome)
        self._announcements.token_outcomes(changed)

    def set_up(self) -> None:
        """Make what a new deployment needs: a first key, the events' records, the counters."""
        self._key_ring.set_up()
        for event in self._settings.events:
            self._recovery.rebuild(event.event_id)

    def rotate_keys(self, revoke: str | None = None, *, actor: Actor = UNKNOWN) -> KeySet:
        """Add a key that signs after the activation delay; publish it before it is used.

        ``revoke`` is the ``kid`` of a key that leaves at once: every token of it is void then.
        Raises UnknownKey when the room has no such key, KeysBusy during another change.
        """
        return self._key_ring.rotate(revoke, actor)
