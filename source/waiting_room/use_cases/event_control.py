# SPDX-License-Identifier: Apache-2.0
"""Operator actions: move the serving counter, set the message, reset the event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from waiting_room.domain import reset, serving_counter
from waiting_room.domain.actors import MOVE_MARK, UNKNOWN, Actor
from waiting_room.domain.errors import Conflict, OtherGeneration
from waiting_room.domain.gate.straight_through import may_refill
from waiting_room.domain.operator_message import check_message
from waiting_room.domain.records import EventState, ServingMove, StateDetails
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.use_cases import change_log
from waiting_room.use_cases.event_publishing import EventPublisher
from waiting_room.use_cases.event_state import KEPT, EventStates
from waiting_room.use_cases.generation_cache import GenerationCache

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.use_cases.audit_recorder import AuditRecorder
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.events.directory import EventDirectory

LOOK_BACK = 50  # latest moves that are searched for a repeated call


class _RepeatedCall(Exception):
    """The call was made before; holds the current state."""

    def __init__(self, state: EventState) -> None:
        super().__init__()
        self.state = state


class _NothingWaits(Exception):
    """No position is to be served."""


class EventControl:
    """Changes that operators and inlets make to an event."""

    def __init__(
        self,
        events: EventDirectory,
        log: ServingLog,
        counters: RoomCounters,
        states: EventStates,
        generations: GenerationCache,
        publisher: EventPublisher,
        recorder: AuditRecorder,
        clock: Clock,
    ) -> None:
        self._events, self._log, self._counters = events, log, counters
        self._states, self._generations, self._publisher = states, generations, publisher
        self._recorder, self._clock = recorder, clock
        self._marks: dict[str, tuple[int, int, tuple[str, ...]]] = {}  # see ``_has_move``

    def increment(
        self,
        event_id: str,
        by: int,
        reason: str = "operator",
        *,
        actor: Actor = UNKNOWN,
        call_id: str = "",
    ) -> int:
        """Move the serving counter by ``by``, never below 0; returns the new value.

        A call that ``actor`` repeats with the same ``call_id`` moves nothing. Raises Unavailable,
        and moves nothing, when a move back cannot be announced to the counters.
        """
        self._events.check_serves(event_id)
        serving_counter.check_increment(by)
        now, mark = int(self._clock()), actor.move_mark(call_id)
        move: ServingMove | None = None

        def decide(state: EventState) -> EventState:
            nonlocal move
            if call_id and self._has_move(state, mark):
                raise _RepeatedCall(state)
            after = serving_counter.move(state, by, now, reason, mark, actor.short)
            move = after.move
            return after

        try:
            try:
                state = self._states.update(event_id, decide, from_written=True)
            except _RepeatedCall:  # perhaps before a reset by another function
                state = self._states.update(event_id, decide)
        except _RepeatedCall as repeated:
            self._counters.follow(repeated.state)
            return repeated.state.serving
        if move:
            change_log.record_move(event_id, actor, state.generation, move)
            self._publisher.serving_counter_changed(event_id, move)
        return state.serving

    def serve_waiting(
        self, event_id: str, most: int, generation: int, reason: str, *, actor: Actor
    ) -> int:
        """Serve up to ``most`` waiting positions of a generation; returns their number.

        The serving counter never rises above the queue counter. After a reset nothing moves.
        """

        def waiting(state: EventState) -> int:
            return min(most, state.queue - state.serving)

        return self._serve(event_id, waiting, generation, reason, actor)

    def serve_ahead(
        self, event_id: str, count: int, generation: int, reason: str, *, actor: Actor
    ) -> int:
        """Serve ``count`` positions that no visitor has; returns their number.

        Nothing moves after a reset, while a visitor waits, or while the event is shut.
        """

        def ahead(state: EventState) -> int:
            return count if may_refill(state) else 0

        return self._serve(event_id, ahead, generation, reason, actor)

    def _serve(
        self,
        event_id: str,
        count: Callable[[EventState], int],
        generation: int,
        reason: str,
        actor: Actor,
    ) -> int:
        """Raise the serving counter of a generation by ``count``; returns by how much."""
        now, mark = int(self._clock()), actor.move_mark()
        move: ServingMove | None = None

        def decide(state: EventState) -> EventState:
            nonlocal move
            by = count(state)
            if state.generation != generation or by <= 0:
                raise _NothingWaits
            after = serving_counter.move(state, by, now, reason, mark, actor.short)
            move = after.move
            return after

        try:
            state = self._states.update(event_id, decide)
        except _NothingWaits:
            return 0
        if move is None:
            return 0
        change_log.record_move(event_id, actor, state.generation, move)
        self._publisher.serving_counter_changed(event_id, move)
        return move.current - move.previous

    def _has_move(self, state: EventState, mark: str) -> bool:
        """Return whether one of the latest moves has this mark.

        The function keeps the marks of each event, with generation and version up to which it has
        them. If the state contains all moves since, no read is needed.
        """
        generation, through, marks = self._marks.get(state.event_id, (0, 0, ()))
        moves: Sequence[ServingMove] = state.row_moves
        if generation != state.generation or not moves or through < moves[0].version - 1:
            moves, through, marks = self._log.moves(state, max(0, state.version - LOOK_BACK)), 0, ()
        marks += tuple(move.mark[:MOVE_MARK] for move in moves if move.version > through)
        if len(self._marks) >= KEPT:
            self._marks.clear()
        self._marks[state.event_id] = state.generation, state.version, marks[-LOOK_BACK:]
        return mark in marks

    def set_message(self, event_id: str, message: object, *, actor: Actor = UNKNOWN) -> str:
        """Set the message of ``/status``; an empty text clears it. Returns the stored text.

        Of two concurrent calls the later one wins.
        """
        self._events.check(event_id)
        text = check_message(message)
        for attempt in retry_on_conflict(self._clock):
            state, before = self._log.read_with_details(event_id)
            with attempt:
                at = round(max(self._clock(), before.message_at + 1e-6), 6)  # later than before
                self._log.set_message(event_id, state.generation, text, at)
                current = self._log.read(event_id)
                if current.generation != state.generation:  # a reset has cleared the message
                    raise Conflict
        self._counters.follow(current, StateDetails(text, at))
        change_log.record(event_id, "message", actor, before.message, text)
        self._recorder.append(
            event_id, "message", actor, {"message": before.message}, {"message": text}
        )
        return text

    def reset(
        self,
        event_id: str,
        generation: object = None,
        *,
        actor: Actor = UNKNOWN,
        deleted: bool = False,
    ) -> int:
        """Start the next generation; returns its number. Concurrent resets count as one.

        ``generation`` is the one to end; raises OtherGeneration when another is current. Raises
        Unavailable when the counters cannot be reached. Before the write, nothing has changed.
        After it, the new generation exists, but reads of its counters fail until the next minute
        or the next reset. ``deleted``: the event has no document any more.
        """
        if not deleted:
            self._events.check(event_id)
        after = self._next_generation(event_id, reset.check_generation(generation), actor)
        self._generations.forget(event_id)
        self._counters.sync(after)
        self._publisher.room_reset(after)
        return after.generation

    def _next_generation(self, event_id: str, chosen: int | None, actor: Actor) -> EventState:
        """Write the next generation, or return the one that a concurrent reset wrote."""
        before = self._log.read(event_id)
        for attempt in retry_on_conflict(self._clock):
            try:
                reset.check_is_current(before, chosen)
            except OtherGeneration:
                self._counters.follow(
                    before
                )  # a reset without a response may not have updated them
                raise
            mine = after = before.next_generation(self._clock())
            with attempt:
                self._states.announce_lowering(before)
                self._log.reset(before, mine)
            if attempt.conflict:
                after = self._log.read(event_id)
                if after.generation == before.generation:  # the serving counter has moved
                    before = after
                    continue
            if after.reset_at == mine.reset_at:
                change_log.record(event_id, "reset", actor, before.generation, mine.generation)
                generations = [{"generation": one.generation} for one in (before, mine)]
                self._recorder.append(event_id, "reset", actor, *generations)
            return after
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt
