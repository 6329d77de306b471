# SPDX-License-Identifier: Apache-2.0
"""What an operator turns: the serving counter, the message, the generation."""

from __future__ import annotations

from dataclasses import replace

from waiting_room.domain import reset, serving_counter
from waiting_room.domain.actors import Actor
from waiting_room.domain.errors import Conflict, OtherGeneration, Unavailable
from waiting_room.domain.operator_message import check_message
from waiting_room.domain.ports import Clock, ServingLog
from waiting_room.domain.records import EventState
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.use_cases import change_log
from waiting_room.use_cases.event_state import EventStates
from waiting_room.use_cases.retry import tries

LOOK_BACK = 50  # moves among which a repeated call finds its own


class _Repeated(Exception):
    """This call was made before; carries the state that stands."""

    def __init__(self, state: EventState) -> None:
        super().__init__()
        self.state = state


class EventControl:
    """The changes that operators and inlets make to an event's record."""

    def __init__(
        self, settings: RoomSettings, log: ServingLog, ledger: EventStates, clock: Clock
    ) -> None:
        self._settings, self._log = settings, log
        self._ledger, self._clock = ledger, clock

    def increment(
        self, event_id: str, by: int, reason: str, actor: Actor, call_id: str
    ) -> tuple[EventState, EventState | None]:
        """Move the serving counter by ``by``, never below 0; answers what stands, and the move.

        The move is None when the same ``actor`` made the call ``call_id`` before. A move back that
        the counters cannot be told of would let visitors in above it: it is not made (Unavailable).
        """
        self._settings.event(event_id)
        serving_counter.check_increment(by)
        now, mark = self._ledger.now(), actor.mark(call_id)
        made: list[EventState] = []

        def decide(state: EventState) -> EventState:
            if call_id and self._has(state, mark):
                raise _Repeated(state)
            made.append(serving_counter.move(state, by, now, reason, mark, actor.short))
            return made[-1]

        try:
            stands = self._ledger.change(event_id, decide)
        except _Repeated as repeated:
            self._ledger.apply(repeated.state)
            return repeated.state, None
        move = made[-1].move
        if move:
            change_log.record_move(event_id, actor, stands.generation, move)
        return stands, replace(stands, move=move)

    def _has(self, state: EventState, mark: str) -> bool:
        """Whether one of the latest moves has a mark."""
        latest = self._log.moves(state, max(0, state.version - LOOK_BACK))
        return any(move.mark == mark for move in latest)

    def set_message(self, event_id: str, message: object, actor: Actor) -> str:
        """Set the message, of two that come at once the later one; answers it as it is kept."""
        self._settings.event(event_id)
        words = check_message(message)
        for _ in tries(self._clock):
            state = self._log.read(event_id)
            try:
                at = max(self._clock(), state.message_at + 1e-6)  # the later one stands, always
                self._log.set_message(event_id, state.generation, words, at)
                break
            except Conflict:
                continue
        else:
            raise Unavailable("too many changes at once", 1)
        self._ledger.apply(self._log.read(event_id))
        change_log.record(event_id, "message", actor, state.message, words)
        return words

    def reset(self, event_id: str, generation: object, actor: Actor) -> EventState:
        """Write the next generation, or find the one that another reset wrote at the same time.

        Raises OtherGeneration when ``generation`` is given and is not the one that stands. Raises
        Unavailable, before anything was reset, when the counters cannot be told.
        """
        self._settings.event(event_id)
        chosen = reset.check_generation(generation)
        before = self._log.read(event_id)
        for _ in tries(self._clock):
            try:
                reset.check_stands(before, chosen)
            except OtherGeneration:
                self._ledger.apply(before)  # who repeats an unanswered reset may have told nobody
                raise
            mine = after = reset.reset(before, self._clock())
            try:
                self._ledger.announce_lowering(before)
                self._log.reset(before, mine)
            except Conflict:
                after = self._log.read(event_id)
                if after.generation == before.generation:  # it was moved meanwhile
                    before = after
                    continue
            if after.reset_at == mine.reset_at:
                change_log.record(event_id, "reset", actor, before.generation, mine.generation)
            return after
        raise Unavailable("too many changes at once", 1)
