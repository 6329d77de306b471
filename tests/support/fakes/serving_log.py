# SPDX-License-Identifier: Apache-2.0
"""The ports of the serving log in memory: ServingLog and StraightThrough."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import Checkpoint
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.limits import MAX_UNUSED_POSITIONS
from waiting_room.domain.ports.serving_log import NO_ATTEMPT, Attempt, Reservation
from waiting_room.domain.ports.straight_through import Taking
from waiting_room.domain.records import EventState, ServingMove, StateDetails


class MemoryServingLog:
    """The ports ServingLog and StraightThrough in memory."""

    def __init__(self) -> None:
        self._states: dict[str, EventState] = {}
        self._moves: dict[tuple[str, int], list[ServingMove]] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._tries: dict[tuple[str, int, int], tuple[str, int]] = {}
        self._messages: dict[str, tuple[int, str, float]] = {}  # generation, text, time
        self._unused: dict[str, tuple[int, frozenset[int]]] = {}  # generation, positions
        self._lock = threading.Lock()

    def read(self, event_id: str) -> EventState:
        """The state."""
        with self._lock:
            return self._states.setdefault(event_id, EventState(event_id))

    def read_with_details(self, event_id: str) -> tuple[EventState, StateDetails]:
        """The state and its details."""
        state = self.read(event_id)
        with self._lock:
            of_message, text, at = self._messages.get(event_id, (0, "", 0.0))
            of_unused, unused = self._unused.get(event_id, (0, frozenset()))
            details = StateDetails()
            if of_message == state.generation:
                details = replace(details, message=text, message_at=at)
            if of_unused == state.generation:
                details = replace(details, unused_positions=tuple(sorted(unused)))
            return state, details

    def reserve(
        self, event_id: str, count: int, known: EventState, attempt: Attempt = NO_ATTEMPT
    ) -> Reservation:
        """Take the next ``count`` positions."""
        with self._lock:
            state = self._of(event_id, known.generation)
            if state.reset_at != known.reset_at:
                raise Conflict
            state = self._put(replace(state, queue=state.queue + count))
            key = event_id, state.generation, attempt.slot
            token, end = self._tries.get(key, ("", 0))
            self._tries[key] = attempt.token, state.queue
            return Reservation(state, attempt.unused(token, end))

    def write(self, before: EventState, after: EventState) -> EventState:
        """Change everything but the queue."""
        with self._lock:
            state = self._standing(before)
            if after.version > before.version and before.move:
                moves = self._moves.setdefault((before.event_id, before.generation), [])
                moves.append(before.move)
            return self._put(
                replace(
                    after,
                    unlogged=(),
                    queue=state.queue,
                    line=state.line,
                    shut=state.shut,
                    lowering=state.lowering
                    if after.lowering == before.lowering
                    else after.lowering,
                )
            )

    def reset(self, before: EventState, after: EventState) -> None:
        """Start the next generation."""
        with self._lock:
            state = self._of(before.event_id, before.generation)
            if (state.version, state.shut) != (before.version, before.shut):
                raise Conflict
            if before.move:
                moves = self._moves.setdefault((before.event_id, before.generation), [])
                moves.append(before.move)
            self._put(after)

    def add_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> StateDetails:
        """Remember positions that will never be held."""
        with self._lock:
            had, known = self._unused.get(event_id, (0, frozenset()))
            if generation < had or (generation == had and len(known) >= MAX_UNUSED_POSITIONS):
                raise Conflict
            noted = frozenset(list(positions)[:MAX_UNUSED_POSITIONS])
            known = noted | known if generation == had else noted
            self._unused[event_id] = generation, known
            return StateDetails(unused_positions=tuple(sorted(known)))

    def remove_unused_positions(
        self, event_id: str, generation: int, positions: Sequence[int]
    ) -> None:
        """Forget positions that ``holes`` counts."""
        with self._lock:
            had, known = self._unused.get(event_id, (0, frozenset()))
            if generation != had:
                raise Conflict
            self._unused[event_id] = generation, known - set(positions)

    def set_message(self, event_id: str, generation: int, message: str, at: float) -> None:
        """Set the operators' message."""
        with self._lock:
            had, text, set_at = self._messages.get(event_id, (0, "", 0.0))
            if (had, set_at) > (generation, at):
                raise Conflict
            if (had, set_at) == (generation, at) and text != message:
                raise Conflict
            self._messages[event_id] = generation, message, at

    def checkpoint(self, event_id: str, generation: int) -> Checkpoint | None:
        """The latest checkpoint."""
        found = self._checkpoints.get(event_id)
        return found if found and found.generation == generation else None

    def save_checkpoint(self, event_id: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint."""
        self._checkpoints[event_id] = checkpoint

    def moves(self, state: EventState, after_version: int = 0) -> list[ServingMove]:
        """The logged moves; the latest is the state's own until the next one is written."""
        if state.move is None or state.version <= after_version:
            return []
        found = [state.move]
        moves = self._moves.get((state.event_id, state.generation), [])
        for move in sorted(moves, key=lambda move: -move.version):
            if serving_counter.reaches_back(state, found[-1], after_version):
                break
            if move.version < state.version:
                found.append(move)
        return found[::-1]

    def all_moves(self, event_id: str) -> list[tuple[int, ServingMove]]:
        """The moves of all generations, each with its own; for the audit log."""
        with self._lock:
            state = self._states.get(event_id)
            found = {
                (generation, move.version): move
                for (of, generation), moves in self._moves.items()
                if of == event_id
                for move in moves
            }
            if state and state.move:
                found[state.generation, state.move.version] = state.move
            return [(generation, move) for (generation, _), move in found.items()]

    def take(self, known: EventState) -> Taking:
        """Take the next position if it is served."""
        with self._lock:
            state = self._states.setdefault(known.event_id, EventState(known.event_id))
            current = (state.generation, state.reset_at) == (known.generation, known.reset_at)
            if not current or state.queue >= state.serving or state.line or state.shut:
                return Taking(state)
            state = self._put(replace(state, queue=state.queue + 1))
            return Taking(state, state.queue)

    def set_line(self, event_id: str, generation: int, now: int, age: int) -> None:
        """Set ``line`` if it is absent or old."""
        with self._lock:
            state = self._states.get(event_id)
            if state and state.generation == generation and state.line <= max(0, now - age):
                self._put(replace(state, line=now))

    def remove_line(self, seen: EventState) -> bool:
        """Remove ``line`` if nothing has changed it."""
        with self._lock:
            state = self._states.get(seen.event_id, EventState(seen.event_id))
            if (
                state.generation != seen.generation
                or not seen.line
                or state.line != seen.line
                or state.queue > state.serving
            ):
                return False
            self._put(replace(state, line=0))
            return True

    def shut(self, event_id: str, mark: int) -> None:
        """Stop visitors from going straight through."""
        with self._lock:
            if event_id not in self._states:
                raise Unavailable("the serving log has no state row of the event")
            self._put(replace(self._states[event_id], shut=mark))

    def reopen(self, event_id: str, mark: int) -> None:
        """End ``shut`` of one action."""
        with self._lock:
            state = self._states.get(event_id)
            if state and state.shut == mark:
                self._put(replace(state, shut=0))

    def _of(self, event_id: str, generation: int) -> EventState:
        state = self._states.get(event_id)
        if state is None or state.generation != generation:
            raise Conflict
        return state

    def _standing(self, before: EventState) -> EventState:
        state = self._of(before.event_id, before.generation)
        for name in (
            "version",
            "expired_through",
            "reconciled_through",
            "pending_since",
            "settled_through",
        ):
            if getattr(state, name) != getattr(before, name):
                raise Conflict
        return state

    def _put(self, state: EventState) -> EventState:
        self._states[state.event_id] = state
        return state
