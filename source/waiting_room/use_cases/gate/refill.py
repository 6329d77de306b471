# SPDX-License-Identifier: Apache-2.0
"""Refill of the headroom by the entrance, when the last served position is taken."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from waiting_room.domain import serving_counter
from waiting_room.domain.actors import admission as admission_actor
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.admission import AdmissionRecord, AdmissionStep, site_signal
from waiting_room.domain.events.headroom import refill
from waiting_room.domain.gate.straight_through import may_refill
from waiting_room.use_cases import change_log

if TYPE_CHECKING:
    from waiting_room.domain.events.document import StoredEvent
    from waiting_room.domain.ports.admission import AdmissionStates
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import EventState

logger = logging.getLogger("waiting_room")
TRIES = 3  # writes of the state row after the quota is spent
FUNCTION = "entrance"


class HeadroomRefill:
    """Raises the serving counter of an event in which no visitor waits.

    The record of the admission is written first, on condition that no other step was made. So
    one of several callers spends the quota, and a crash between the two writes serves too few.
    """

    def __init__(self, states: AdmissionStates, log: ServingLog, clock: Clock) -> None:
        self._states, self._log, self._clock = states, log, clock

    def is_due(self, event: StoredEvent, state: EventState) -> bool:
        """Return whether a refill would serve at least one position."""
        return may_refill(state) and self._decide(event, state)[1].increment > 0

    def run(self, event: StoredEvent, state: EventState) -> bool:
        """Refill once; return whether the caller may try to take a position again."""
        if not may_refill(state):
            return False
        record, decision = self._decide(event, state)
        if decision.increment <= 0:
            return False
        try:
            after = replace(record, version=record.version + 1, state=decision.state)
            self._states.write(record, after)
        except Conflict:
            return True  # another caller made the refill, or a step of admission
        return self._serve(state, decision.increment)

    def _serve(self, state: EventState, increment: int) -> bool:
        """Move the serving counter. After a reset or once a visitor waits, nothing moves."""
        actor, now = admission_actor(FUNCTION), int(self._clock())
        mark, first = actor.mark(), -1
        for _ in range(TRIES):
            current = self._log.read(state.event_id)
            first = current.version if first < 0 else first
            if any(move.mark == mark for move in self._log.moves(current, first)):
                return True  # the response to the write was lost
            if current.generation != state.generation or not may_refill(current):
                return False
            after = serving_counter.move(current, increment, now, "admission", mark, actor.short)
            try:
                self._log.write(current, after)
            except Conflict:
                continue
            if after.move:
                change_log.record_move(state.event_id, actor, after.generation, after.move)
            return True
        logger.warning("%d positions not served ahead: other moves came first", increment)
        return False

    def _decide(
        self, event: StoredEvent, state: EventState
    ) -> tuple[AdmissionRecord, AdmissionStep]:
        admission, now = event.document["admission"], self._clock()
        record = self._states.read(event.event_id)
        signal = site_signal(admission, record, now)
        return record, refill(admission, record.state, state.generation, signal, now)
