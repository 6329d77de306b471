# SPDX-License-Identifier: Apache-2.0
"""What the room can do: one method for each thing that an API or a worker asks of it.

DynamoDB is written first and decides; the counters follow. So a crash between the two leaves the
counters behind, never ahead, and the next caller brings them up again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from waiting_room import expiry, metrics, queue, recovery, reset, serving, sessions, tokens
from waiting_room.errors import (
    Conflict,
    CountersLost,
    Gone,
    InvalidInput,
    NoKeysYet,
    NoLiveSession,
    NotAssignedYet,
    NotServedYet,
    PositionExpired,
    RoomWasReset,
    Unavailable,
    UnknownRequest,
)
from waiting_room.ports import (
    Claim,
    Clock,
    Counters,
    Events,
    KeyStore,
    Outcomes,
    Positions,
    PublicKeys,
    ServingLog,
)
from waiting_room.records import (
    Admission,
    Counts,
    EventState,
    Join,
    Outcome,
    Position,
    SessionStatus,
)
from waiting_room.recovery import Recovery
from waiting_room.settings import GENERATION_CACHE, MAX_MESSAGE, Settings
from waiting_room.signing import KeySet, Signer, new_jwk

logger = logging.getLogger("waiting_room")
Answer = TypeVar("Answer")
WRITE_TRIES = 12  # conflicting writers of one event's record are few: operators, sweep, audit
SWEEP_STEP = 2_000  # positions swept at once; bounds memory and the size of one jump
SWEEP_STEPS = 50  # steps of one run; the rest waits for the next minute


@dataclass(frozen=True)
class Stores:
    """The adapters a room works with."""

    counters: Counters
    positions: Positions
    outcomes: Outcomes
    log: ServingLog
    keys: KeyStore
    public_keys: PublicKeys
    events: Events


class Room:
    """The use cases. One instance serves a warm function for its whole life."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        clock: Clock,
        pause: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._clock, self._pause = clock, pause
        self._counters, self._positions = stores.counters, stores.positions
        self._outcomes, self._log = stores.outcomes, stores.log
        self._keys, self._public_keys = stores.keys, stores.public_keys
        self._events = stores.events
        self._recovery = Recovery(stores.counters, stores.log, stores.outcomes, pause)
        self._signer = Signer()
        self._generations: dict[str, tuple[int, float]] = {}
        self._known: dict[str, EventState] = {}

    @property
    def public_key_max_age(self) -> int:
        """Seconds that an answer with public keys may be kept."""
        return self._settings.public_key_max_age

    # --- what a visitor asks -----------------------------------------------------------------

    def queue_number(self, event_id: str, request_id: str) -> Position:
        """The visitor's position. Raises NotAssignedYet, RoomWasReset, InvalidInput."""
        self._settings.event(event_id)
        queue.check_request_id(request_id)
        generation, read_at = self._generations.get(event_id, (None, 0.0))
        moment = self._clock()
        fresh = generation is not None and 0 <= moment - read_at < GENERATION_CACHE
        current, row = self._positions.get_with_generation(
            event_id, request_id, known_generation=generation if fresh else None
        )
        if not fresh:
            self._generations[event_id] = (current, moment)
        if row is None:
            raise NotAssignedYet("this request has no position yet; ask again shortly")
        if row.generation > current:  # the remembered generation is older than the row
            self._generations.pop(event_id, None)
        if row.generation < current:
            raise RoomWasReset("the waiting room was reset since; join again")
        return row

    def counts(self, event_id: str) -> Counts:
        """All figures of an event, from one round trip."""
        self._settings.event(event_id)
        return self._ask(event_id, lambda: self._counters.look(event_id, self._now()))

    def figures(self, event_id: str) -> dict[str, Any]:
        """All that a control panel shows, in one answer; everything is a count but the rate."""
        counts = self.counts(event_id)
        return {
            **self._status(event_id, counts),
            "active_tokens": counts.active,
            "total_tokens": counts.tokens,
            "positions_expired": counts.expired,
            "completed_sessions": counts.completed,
            "abandoned_sessions": counts.abandoned,
            "holes": counts.holes,
            "generation": counts.generation,
        }

    def status(self, event_id: str) -> dict[str, Any]:
        """All that a waiting page polls; the rate is positions per minute."""
        return self._status(event_id, self.counts(event_id))

    def _status(self, event_id: str, counts: Counts) -> dict[str, Any]:
        rate = serving.rate_per_minute(
            counts.admitted_recently, counts.admitting_since, self._now()
        )
        return {
            "event_id": event_id,
            "serving_counter": counts.serving,
            "waiting_num": counts.waiting,
            "queue_counter": counts.queue,
            "admission_rate_per_minute": round(rate, 2),
            "poll_after_seconds": serving.poll_after(counts.waiting, rate),
            "message": counts.message,
        }

    def time_to_expiry(self, event_id: str, request_id: str) -> int:
        """Seconds until the position expires.

        Raises NotServedYet (also when expiry is off), UnknownRequest, PositionExpired.
        """
        event = self._settings.event(event_id)
        row, admission = self._place(event_id, request_id)
        if not event.position_expiry_enabled:
            raise NotServedYet("queue positions do not expire in this waiting room")
        if admission.swept >= row.position:
            raise PositionExpired("the turn was not taken in time: this position has expired")
        if admission.served_at is None:
            raise NotServedYet("this position is not being served yet")
        left = expiry.time_left(
            row.entry_time, admission.served_at, event.position_expiry_period, self._now()
        )
        if left < 0:
            raise PositionExpired("the turn was not taken in time: this position has expired")
        return left

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
        event = self._settings.event(event_id)
        row = self._row(event_id, request_id)
        queue.check_client_secret(row, client_secret, event.client_secret_required)
        return self._issue(row, self._settings.issuer, event.validity_period)

    def generate_token_for_operator(
        self, event_id: str, request_id: str, *, issuer: str | None, validity: int | None
    ) -> dict[str, Any]:
        """As ``generate_token``, without the visitor's secret.

        ``issuer`` and ``validity`` (s) hold for this call only, and only if it issues the token.
        """
        event = self._settings.event(event_id)
        row = self._row(event_id, request_id)
        return self._issue(row, issuer or self._settings.issuer, validity or event.validity_period)

    def _issue(self, row: Position, issuer: str, validity: int) -> dict[str, Any]:
        admission = self._admission(row)
        outcome = self._decided(row, admission, issuer, validity)
        if outcome.is_token and not admission.counted:
            self._count(outcome)
        tokens.check_usable(outcome, self._now())
        return self._token_set(outcome)

    def _decided(self, row: Position, admission: Admission, issuer: str, validity: int) -> Outcome:
        """What became of the position; a token from now on, if its turn has come.

        A token that was not counted was hardly ever issued: then no read, the write finds out. What
        was decided before stands, also where the turn is over or the serving counter went back.
        """
        if admission.counted:
            stands = self._outcomes.get(row.event_id, row.generation, row.position)
            if stands is not None:
                return stands
        try:
            self._check_turn(row, admission)
        except (NotServedYet, PositionExpired):
            stands = self._outcomes.get(row.event_id, row.generation, row.position)
            if stands is None:
                raise
            return stands
        now = self._now()
        key_id = self._keys.load().current(now).key_id
        return self._outcomes.decide(
            tokens.issue(row, key_id=key_id, issuer=issuer, validity=validity, now=now)
        )

    def public_key(self, event_id: str) -> dict[str, str]:
        """The public JWK that verifies tokens signed now: the last key published that signs."""
        self._settings.event(event_id)
        keys = self._public_keys.load()["keys"]
        if not keys:
            raise NoKeysYet
        now = self._now()
        ready = [key for key in keys if int(key.get("signs_from", 0)) <= now]
        chosen = (ready or keys)[-1]
        return {name: chosen[name] for name in ("kty", "alg", "kid", "n", "e")}

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Every public key that may verify a living token."""
        keys = self._public_keys.load()["keys"]
        return {
            "keys": [
                {name: text for name, text in key.items() if name != "signs_from"} for key in keys
            ]
        }

    def ended_sessions(self, event_id: str) -> list[str]:
        """Request ids of sessions that ended before their token's time was over."""
        self._settings.event(event_id)
        generation = self._log.read(event_id).generation
        return self._outcomes.ended(event_id, generation, self._now())

    # --- what an operator does ---------------------------------------------------------------

    def increment_serving_counter(self, event_id: str, by: int, reason: str = "operator") -> int:
        """Move the serving counter by ``by``, never below 0; answers where it stands.

        A move back while the counters do not answer would let visitors in above it: it is not made.
        """
        self._settings.event(event_id)
        serving.check_increment(by)
        if by < 0:
            self.counts(event_id)
        now, mark = self._now(), secrets.token_hex(8)
        after = self._change(event_id, lambda state: serving.move(state, by, now, reason, mark))
        self._announce_move(after)
        return after.serving

    def set_message(self, event_id: str, message: object) -> str:
        """Set the message that ``/status`` carries; empty clears it."""
        self._settings.event(event_id)
        if not isinstance(message, str) or len(message) > MAX_MESSAGE:
            raise InvalidInput(f"message must be a text of at most {MAX_MESSAGE} characters")
        if any(not (sign.isprintable() or sign == "\n") for sign in message):
            raise InvalidInput("message must be plain text without control characters")
        for _ in range(WRITE_TRIES):
            state = self._log.read(event_id)
            try:
                at = max(self._clock(), state.message_at + 1e-6)  # the later one stands, always
                self._log.set_message(event_id, state.generation, message, at)
                break
            except Conflict:
                continue
        self._apply(self._log.read(event_id))
        return message

    def update_session(self, event_id: str, request_id: str, status: object) -> None:
        """End the session of a token that lives. Raises NoLiveSession, InvalidInput."""
        self._settings.event(event_id)
        chosen = sessions.check_status(status)
        row = self._positions.get(event_id, queue.check_request_id(request_id))
        ended = row and self._outcomes.end_session(
            event_id, row.generation, row.position, chosen, self._now()
        )
        if not row or not ended:
            raise NoLiveSession(
                "this request has no living token, or its session has ended already"
            )
        self._best_effort(
            row.event_id,
            lambda: self._counters.count_session(
                event_id, ended.generation, ended.position, ended.expires_at, ended.status
            ),
        )

    def request_status(self, event_id: str, request_id: str) -> dict[str, Any]:
        """Everything an operator asks about one visitor. Raises UnknownRequest."""
        event = self._settings.event(event_id)
        row, admission = self._place(event_id, request_id)
        outcome = self._outcomes.get(event_id, row.generation, row.position)
        now = self._now()
        left = None
        if event.position_expiry_enabled and admission.served_at is not None:
            left = expiry.time_left(
                row.entry_time, admission.served_at, event.position_expiry_period, now
            )
        expired = admission.swept >= row.position or (left is not None and left < 0)
        state = sessions.state_of(
            outcome,
            served=row.position <= admission.serving,
            position_expired=expired,
            now=now,
        )
        answer: dict[str, Any] = {
            "request_id": request_id,
            "queue_number": row.position,
            "entry_time": row.entry_time,
            "state": state.value,
        }
        if state is sessions.VisitorState.ELIGIBLE and left is not None:
            answer["expires_in"] = left
        if state is sessions.VisitorState.TOKEN_ISSUED and outcome:
            answer["expires_in"] = outcome.expires_at - now
        return answer

    def expired_tokens(
        self, event_id: str, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[str], tuple[int, int] | None]:
        """Request ids whose token's time is over and whose session nobody ended; and a mark."""
        self._settings.event(event_id)
        generation = self.counts(event_id).generation
        rows, mark = self._outcomes.expired_page(event_id, generation, self._now(), limit, after)
        return [row.request_id for row in rows], mark

    def reset_initial_state(self, event_id: str) -> int:
        """Start the next generation; answers its number. Two resets at once are one.

        Raises Unavailable when the counters could not be told: the new line stands in the tables,
        but its figures are not answered before the next minute, or the next reset.
        """
        self._settings.event(event_id)
        before = self._log.read(event_id)
        after = reset.reset(before, self._clock())
        try:
            self._log.reset(before, after)
        except Conflict:
            after = self._log.read(event_id)
        self._generations.pop(event_id, None)
        self._known.pop(event_id, None)
        self._ask(event_id, lambda: self._bring(after))
        self._announce(
            "room_reset", [{"event_id": event_id, "generation": after.generation}], event_id
        )
        return after.generation

    # --- what the workers do -----------------------------------------------------------------

    def assign(self, event_id: str, joins: Sequence[Join]) -> queue.Assignment:
        """Give each join of a batch its place; answers which messages must come again."""
        ordered = queue.in_order_of_arrival(joins)
        fresh, busy = self._claim(event_id, ordered)
        state, buried, placed = self._reserve(event_id, fresh)
        rows = queue.give_positions(placed, state, self._now()) if placed else []
        tombs = [self._tomb(state, join) for join in buried]
        stands = self._positions.insert([*rows, *tombs]) if rows or tombs else {}
        failed = {request_id for request_id, row in stands.items() if row is None} | busy
        holes = [row.position for row in rows if stands[row.request_id] != row]
        if holes:
            logger.warning("%d reserved positions stay without a visitor", len(holes))
            state = self._noted(state, holes)
        if rows:
            self._best_effort(event_id, lambda: self._counters.apply(state))
        retry = frozenset(join.message_id for join in joins if join.request_id in failed)
        return queue.Assignment(len(rows) - len(holes), retry, len(holes))

    def audit(self, event_id: str, tick: float | None = None) -> EventState:
        """Find holes, settle what can no longer change, and hold the counters to the tables.

        ``tick`` is the time by the clock that started the minute worker. Nothing is taken for past
        that is not past by both clocks, so one that steps ahead closes nothing early.
        """
        state = self._log.read(event_id)
        now, latest = self._by_both(tick)
        if recovery.audit_is_due(state, self._settings.settle_after, now):
            held = self._positions.count(
                event_id, state.generation, state.audited + 1, state.watch_queue
            )
            state = self._try_write(state, recovery.audit(state, held, latest))
        elif state.watch_queue == state.audited and state.queue > state.watch_queue:
            state = self._try_write(state, recovery.audit(state, 0, latest))
        if state.swept > state.settled:
            upto = min(state.swept, state.settled + recovery.SETTLE_STEP)
            rows = self._outcomes.tokens(event_id, state.generation, state.settled + 1, upto)
            state = self._try_write(state, recovery.settle(state, rows, upto, now))
        self._apply(state)
        self._best_effort(
            event_id,
            lambda: self._recovery.keep(state, self._counters.trim(event_id, now), now),
        )
        return state

    def sweep(self, event_id: str, tick: float | None = None) -> EventState:
        """Expire the positions whose time is past; one step per write, each whole by itself.

        ``tick`` is as in ``audit``.
        """
        event = self._settings.event(event_id)
        state = self._log.read(event_id)
        if not event.position_expiry_enabled:
            return state
        for _ in range(SWEEP_STEPS):
            swept = self._sweep_step(
                state,
                event.position_expiry_period,
                event.increment_on_expiry,
                self._by_both(tick)[0],
            )
            if swept is None:
                break
            state = swept
        return state

    def report(self, event_id: str) -> Counts:
        """Read the figures and put them on the bus when events are on."""
        counts = self.counts(event_id)
        self._announce("waiting_room_metrics", [metrics.event_detail(event_id, counts)], event_id)
        return counts

    def publish_outcomes(self, changed: Sequence[Outcome]) -> None:
        """Tell the bus of new tokens and ended sessions, and count what was not counted yet.

        Fed by the stream of the token table, so nothing that happened is missed. Raises
        Unavailable when the bus did not take them, so that the stream delivers them again.
        """
        for outcome in changed:
            if outcome.is_token:
                self._count(outcome)
        for event_id in {outcome.event_id for outcome in changed}:
            if not self._settings.event(event_id).events_enabled:
                continue
            mine = [outcome for outcome in changed if outcome.event_id == event_id]
            issued = [row for row in mine if row.is_token and row.status is SessionStatus.OPEN]
            ended = [row for row in mine if row.is_token and row.status is not SessionStatus.OPEN]
            if issued:
                self._events.publish(
                    "token_generated",
                    [{"event_id": event_id, "request_id": row.request_id} for row in issued],
                )
            if ended:
                self._events.publish(
                    "session_updated",
                    [
                        {
                            "event_id": event_id,
                            "request_id": row.request_id,
                            "status": row.status.value,
                        }
                        for row in ended
                    ],
                )

    def set_up(self) -> None:
        """Make what a new deployment needs: a first key, the events' records, the counters."""
        try:
            self._keys.refresh()
        except NoKeysYet:
            self._keys.save(KeySet(()).rotated(new_jwk(), self._now(), 0))
        self._publish_what_stands()
        for event in self._settings.events:
            self._recovery.rebuild(event.event_id)

    def rotate_keys(self) -> KeySet:
        """Add a key that signs after the activation delay; publish it before it is used."""
        keys = self._keys.refresh().rotated(
            new_jwk(), self._now(), self._settings.key_activation_delay
        )
        self._publish(keys)
        self._keys.save(keys)
        return self._publish_what_stands()

    # --- how it does it ----------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._clock())

    def _by_both(self, tick: float | None) -> tuple[int, int]:
        """The earlier and the later of this function's time and ``tick``."""
        now = self._now()
        other = now if tick is None else int(tick)
        return min(now, other), max(now, other)

    def _ask(self, event_id: str, ask: Callable[[], Answer]) -> Answer:
        return self._recovery.run(event_id, ask)

    def _best_effort(self, event_id: str, tell: Callable[[], object]) -> None:
        """Bring the counters up after the tables decided; the minute worker mends what fails."""
        try:
            self._ask(event_id, tell)
        except (Unavailable, CountersLost) as error:
            logger.warning("the counters will follow later: %s", type(error).__name__)

    def _row(self, event_id: str, request_id: str) -> Position:
        row = self._positions.get(event_id, queue.check_request_id(request_id))
        if row is None:
            raise UnknownRequest("no position belongs to this request id")
        return row

    def _admission(self, row: Position) -> Admission:
        admission = self._ask(
            row.event_id, lambda: self._counters.admission(row.event_id, row.position)
        )
        if row.generation > admission.generation:
            self._apply(self._log.read(row.event_id))
            admission = self._counters.admission(row.event_id, row.position)
        if row.generation < admission.generation:
            raise RoomWasReset("the waiting room was reset since; join again")
        return admission

    def _place(self, event_id: str, request_id: str) -> tuple[Position, Admission]:
        row = self._row(event_id, request_id)
        return row, self._admission(row)

    def _check_turn(self, row: Position, admission: Admission) -> None:
        event = self._settings.event(row.event_id)
        if row.position <= admission.swept:
            raise PositionExpired("the turn was not taken in time: this position has expired")
        if row.position > admission.serving or admission.served_at is None:
            raise NotServedYet("this position is not being served yet")
        if event.position_expiry_enabled and expiry.is_expired(
            row.entry_time, admission.served_at, event.position_expiry_period, self._now()
        ):
            raise PositionExpired("the turn was not taken in time: this position has expired")

    def _count(self, outcome: Outcome) -> None:
        if outcome.status is SessionStatus.OPEN:
            self._best_effort(
                outcome.event_id,
                lambda: self._counters.count_token(
                    outcome.event_id, outcome.generation, outcome.position, outcome.expires_at
                ),
            )
        else:
            self._best_effort(
                outcome.event_id,
                lambda: self._counters.count_session(
                    outcome.event_id,
                    outcome.generation,
                    outcome.position,
                    outcome.expires_at,
                    outcome.status,
                ),
            )

    def _token_set(self, outcome: Outcome) -> dict[str, Any]:
        key = self._keys.load().by_id(outcome.key_id) or self._keys.refresh().by_id(outcome.key_id)
        if key is None:
            raise Gone("the key of this token has been retired; join again")
        return {
            **self._signer.sign(outcome, key),
            "token_type": "Bearer",
            "expires_in": outcome.expires_at - self._now(),
        }

    def _change(self, event_id: str, decide: Callable[[EventState], EventState]) -> EventState:
        """Write the move that ``decide`` makes, again if another writer came first."""
        for attempt in range(WRITE_TRIES):
            before = self._log.read(event_id)
            after = decide(before)
            try:
                self._log.write(before, after)
            except Conflict:
                mine = self._made_before_its_answer_was_lost(after)
                if mine is None:
                    # colliding writers part by a random wait, longer with each conflict
                    self._pause(secrets.randbelow(1000) / 1e5 * 2 ** min(attempt, 6))
                    continue
                after = mine
            self._apply(after)
            return after
        raise Unavailable("too many changes at once", 1)

    def _made_before_its_answer_was_lost(self, after: EventState) -> EventState | None:
        """A client that retries by itself meets its own write as a conflict: find it."""
        state = self._log.read(after.event_id)
        if state.generation != after.generation or after.move is None:
            return None
        return state if after.move in self._log.moves(state, after.version - 1) else None

    def _try_write(self, before: EventState, after: EventState) -> EventState:
        """Write, or leave it to the next minute when another writer came first."""
        try:
            self._log.write(before, after)
        except Conflict:
            return self._log.read(before.event_id)
        return after

    def _apply(self, state: EventState) -> None:
        self._best_effort(state.event_id, lambda: self._bring(state))

    def _bring(self, state: EventState) -> None:
        try:
            self._counters.apply(state)
        except CountersLost:
            self._counters.apply(state, self._log.moves(state))

    def _claim(self, event_id: str, joins: Sequence[Join]) -> tuple[list[Join], set[str]]:
        """The joins that need a place now, and the requests that must come again."""
        ids = [join.request_id for join in joins]
        if not ids:
            return [], set()
        now = self._now()
        try:
            claims = self._counters.claim(event_id, ids, now)
        except (Unavailable, CountersLost):  # who had them is forgotten: ask the rows
            self._best_effort(event_id, lambda: self._counters.claim(event_id, ids, now))
            claims = [Claim.CHECK] * len(ids)
        doubted = [rid for rid, claim in zip(ids, claims, strict=True) if claim is not Claim.FRESH]
        held = self._positions.get_many(event_id, doubted) if doubted else {}
        busy = {
            rid
            for rid, claim in zip(ids, claims, strict=True)
            if claim is Claim.BUSY and rid not in held
        }
        return [j for j in joins if j.request_id not in held and j.request_id not in busy], busy

    def _reserve(
        self, event_id: str, joins: Sequence[Join]
    ) -> tuple[EventState, list[Join], list[Join]]:
        """Reserve places for the joins of the line that stands; those from before its reset go."""
        state = self._known.get(event_id) or self._log.read(event_id)
        for _ in range(WRITE_TRIES):
            before, placed = queue.split_at_reset(joins, state.reset_at)
            if not placed:
                break
            try:
                state = self._log.reserve(event_id, len(placed), state)
                break
            except Conflict:
                state = self._log.read(event_id)
        else:
            raise Unavailable("the room is being reset", 1)
        self._known[event_id] = state
        return state, before, placed

    def _tomb(self, state: EventState, join: Join) -> Position:
        """A row in the line that was reset: the visitor is told, instead of waiting for ever."""
        return Position(state.event_id, state.generation - 1, join.request_id, 0, self._now())

    def _noted(self, state: EventState, holes: Sequence[int]) -> EventState:
        try:
            return self._log.note_holes(state.event_id, state.generation, holes)
        except (Conflict, Unavailable):
            return state  # the audit finds them

    def _sweep_step(
        self, state: EventState, period: int, increment: bool, now: int
    ) -> EventState | None:
        upto = min(state.serving, state.audited, state.swept + SWEEP_STEP)
        served = serving.segments(self._log.moves(state))
        first = serving.served_at(served, state.swept + 1)
        if upto <= state.swept or first is None or first + period >= now:
            return None
        span = (state.event_id, state.generation, state.swept + 1, upto)
        rows = list(self._positions.between(*span))
        outcomes = {row.position: row for row in self._outcomes.between(*span)}
        found = expiry.sweep(
            state=state,
            upto=upto,
            rows=rows,
            outcomes=outcomes,
            served=served,
            period=period,
            now=now,
        )
        if found.upto == state.swept:
            return None
        if self._outcomes.expire(found.expire):
            return state  # a token came first: look again
        after = expiry.after_sweep(state, found, increment=increment, now=now)
        try:
            self._log.write(state, after)
        except Conflict:  # another writer, or this one's own retry
            after = self._log.read(state.event_id)
            self._apply(after)
            return after
        self._apply(after)
        if after.version > state.version:
            self._announce_move(after)
        return after

    def _publish_what_stands(self) -> KeySet:
        """Publish the keys of the secret until it holds what was published: another rotation, or a
        set-up, may come between. So whoever publishes last has seen that both are the same."""
        for _ in range(WRITE_TRIES):
            keys = self._keys.refresh()
            self._publish(keys)
            if self._keys.refresh() == keys:
                return keys
        raise Unavailable("the keys are being rotated", 1)

    def _publish(self, keys: KeySet) -> None:
        published = [
            {**key.public, "use": "sig", "signs_from": str(key.signs_from)} for key in keys.keys
        ]
        self._public_keys.save({"keys": published})

    def _announce_move(self, state: EventState) -> None:
        step = state.move
        if step is None or step.current == step.previous:
            return
        self._announce(
            "serving_counter_changed",
            [
                {
                    "event_id": state.event_id,
                    "previous": step.previous,
                    "current": step.current,
                    "reason": step.reason,
                }
            ],
            state.event_id,
        )
        if step.reason == "expiry":
            self._announce(
                "automatic_serving_counter_incr",
                [
                    {
                        "previous_serving_counter_position": step.previous,
                        "increment_by": step.current - step.previous,
                        "current_serving_counter_position": step.current,
                    }
                ],
                state.event_id,
            )

    def _announce(self, detail_type: str, details: Sequence[dict[str, Any]], event_id: str) -> None:
        """Tell the bus after the fact; a bus that does not answer never fails what happened."""
        if not self._settings.event(event_id).events_enabled:
            return
        try:
            self._events.publish(detail_type, details)
        except Unavailable:
            logger.error("event %s was not taken by the bus", detail_type)
