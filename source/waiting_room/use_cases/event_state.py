# SPDX-License-Identifier: Apache-2.0
"""How an event's figures change: the tables decide, the counters follow.

DynamoDB is written first and decides. So a crash between the two leaves the counters behind, and
the next caller brings them up again. Behind is safe where the serving counter rose. A write that
takes turns back (a move back, a reset) is announced first, in the table and in the copy: a reader
of a copy that such a write may have passed asks the table whether it has.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from waiting_room.domain.errors import Conflict, CountersLost, Unavailable
from waiting_room.domain.ports import Clock, Counters, ServingLog
from waiting_room.domain.records import Counts, EventState, Outcome, PositionStatus, SessionStatus
from waiting_room.use_cases.counter_recovery import Recovery
from waiting_room.use_cases.retry import tries

logger = logging.getLogger("waiting_room")
Answer = TypeVar("Answer")
Reading = TypeVar("Reading", Counts, PositionStatus)


class EventStates:
    """The account of each event: its record in the serving log, and the counters after it."""

    def __init__(
        self,
        counters: Counters,
        log: ServingLog,
        recovery: Recovery,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self._counters, self._log, self._recovery = counters, log, recovery
        self._clock, self._pause = clock, pause

    def now(self) -> int:
        """The second that it is."""
        return int(self._clock())

    def moment(self) -> float:
        """The time in epoch s, with fraction."""
        return self._clock()

    def ask(self, event_id: str, ask: Callable[[], Answer]) -> Answer:
        """What the counters answer, rebuilt before if they were lost; raises Unavailable."""
        return self._recovery.run(event_id, ask)

    def current(self, event_id: str, ask: Callable[[], Reading], generation: int = 0) -> Reading:
        """What a copy answers that is not behind the table where that would let somebody in.

        ``generation`` is one that the table is known to have. A copy that is behind is brought up
        and asked again; raises Unavailable when it cannot be brought up.
        """
        answer = self.ask(event_id, ask)
        if answer.generation >= generation and answer.lowering <= answer.version:
            return answer
        state = self._log.read(event_id)
        if _is_behind(answer, state):
            self.apply_now(state)
            answer = self.ask(event_id, ask)
        if _is_behind(answer, state):
            raise Unavailable("the counters are behind the tables", 1)
        return answer

    def best_effort(self, event_id: str, tell: Callable[[], Answer]) -> Answer | None:
        """Bring the counters up after the tables decided; the minute worker mends what fails."""
        try:
            return self.ask(event_id, tell)
        except (Unavailable, CountersLost) as error:
            logger.warning("the counters will follow later: %s", type(error).__name__)
            return None

    def counts(self, event_id: str) -> Counts:
        """All figures of an event, from one round trip."""
        return self.current(event_id, lambda: self._counters.counts(event_id, self.now()))

    def count(self, outcome: Outcome) -> bool:
        """Count a token, and its session if that ended in time; once, however often it is called.

        False when the counters know that its line was reset.
        """
        if outcome.counted_status is SessionStatus.OPEN:
            counted = self.best_effort(
                outcome.event_id,
                lambda: self._counters.count_token(
                    outcome.event_id, outcome.generation, outcome.position, outcome.expires_at
                ),
            )
        else:
            counted = self.best_effort(
                outcome.event_id,
                lambda: self._counters.count_session(
                    outcome.event_id,
                    outcome.generation,
                    outcome.position,
                    outcome.expires_at,
                    outcome.status,
                ),
            )
        return counted is not False

    def change(self, event_id: str, decide: Callable[[EventState], EventState]) -> EventState:
        """Write the move that ``decide`` makes, again if another writer came first.

        Raises Unavailable, before anything has moved, when a move back cannot be announced.
        """
        for attempt in tries(self._clock):
            before = self._log.read(event_id)
            after = decide(before)
            try:
                if after.serving < before.serving:
                    self.announce_lowering(before)
                self._log.write(before, after)
            except Conflict:
                mine = self._made_before_its_answer_was_lost(after)
                if mine is None:
                    # colliding writers part by a random wait, longer with each conflict
                    self._pause(secrets.randbelow(1000) / 1e5 * 2 ** min(attempt, 6))
                    continue
                after = mine
            self.apply(after)
            return after
        raise Unavailable("too many changes at once", 1)

    def _made_before_its_answer_was_lost(self, after: EventState) -> EventState | None:
        """A client that retries by itself meets its own write as a conflict: find it."""
        state = self._log.read(after.event_id)
        if state.generation != after.generation or after.move is None:
            return None
        return state if after.move in self._log.moves(state, after.version - 1) else None

    def try_write(self, before: EventState, after: EventState) -> EventState:
        """Write, or leave it to the next minute when another writer came first."""
        try:
            self._log.write(before, after)
        except Conflict:
            return self._log.read(before.event_id)
        return after

    def announce_lowering(self, before: EventState) -> None:
        """Let nobody be let in by a copy that the next write takes turns from.

        The announcement holds until the table has a version above ``before``'s: then that write was
        made, or never can be. It is in the table for the copies that are rebuilt from now on, and
        ends the rebuilds that read the table before it. Raises Conflict when ``before`` no longer
        stands, Unavailable when the counters could not be told.
        """
        announced = replace(before, lowering=before.version + 1)
        self._log.write(before, announced)
        for _ in tries(self._clock):
            try:
                return self._bring(announced)
            except CountersLost:
                if self._counters.revoke_rebuild_leases(before.event_id):
                    return None
        raise Unavailable("the counters are lost again and again", 1)

    def apply(self, state: EventState) -> None:
        """Bring the counters up to ``state``, now or later."""
        self.best_effort(state.event_id, lambda: self._bring(state))

    def apply_now(self, state: EventState) -> None:
        """Bring the counters up to ``state``; raises Unavailable when they could not be told."""
        self.ask(state.event_id, lambda: self._bring(state))

    def _bring(self, state: EventState) -> None:
        try:
            self._counters.apply(state)
        except CountersLost:
            self._counters.apply(state, self._log.moves(state))


def _is_behind(answer: Counts | PositionStatus, state: EventState) -> bool:
    return (answer.generation, answer.version) < (state.generation, state.version)
