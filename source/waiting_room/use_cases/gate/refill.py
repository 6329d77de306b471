# SPDX-License-Identifier: Apache-2.0
"""Refill of the headroom by the entrance, when the last served position is taken."""

from __future__ import annotations

import logging
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from waiting_room.domain import serving_counter
from waiting_room.domain.actors import admission as admission_actor
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.events.admission import (
    AdmissionRecord,
    AdmissionStep,
    AdmissionStrategy,
    site_signal,
)
from waiting_room.domain.events.headroom import early_refill, refill
from waiting_room.domain.gate.straight_through import may_refill
from waiting_room.use_cases import change_log

if TYPE_CHECKING:
    from waiting_room.domain.events.document import StoredEvent
    from waiting_room.domain.ports.admission import AdmissionStates
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.records import EventState

logger = logging.getLogger("waiting_room")
TRIES = 5  # writes of the state row after the quota is spent
INTERVAL = 1.0  # s between two refills by one function while positions are left
RECENT = 1.0  # s after a step in which its move may not be written yet
FUNCTION = "entrance"


class Refill(StrEnum):
    """Result of a refill."""

    DONE = "done"
    BUSY = "busy"  # another caller makes one
    NONE = "none"  # the quota is used up, or visitors wait


class HeadroomRefill:
    """Raises the serving counter of an event in which no visitor waits.

    The record of the admission is written first, on condition that no other step was made. So
    one of several callers spends the quota, and a crash between the two writes serves too few.
    """

    def __init__(self, states: AdmissionStates, log: ServingLog, clock: Clock) -> None:
        self._states, self._log, self._clock = states, log, clock
        self._early: dict[str, float] = {}  # epoch s, by event: last refill with positions left

    def is_possible(self, event: StoredEvent, state: EventState) -> bool:
        """Return whether a refill would serve a position, or another caller makes one."""
        if not self._may_refill(event, state):
            return False
        record, decision = self._decide(event, state)
        return decision.increment > 0 or self._is_recent(record)

    def run(self, event: StoredEvent, state: EventState, least: int = 1) -> Refill:
        """Refill once, unless fewer than ``least`` positions are due."""
        if not self._may_refill(event, state):
            return Refill.NONE
        record, decision = self._decide(event, state)
        if decision.increment < least:
            return Refill.BUSY if self._is_recent(record) else Refill.NONE
        try:
            after = replace(record, version=record.version + 1, state=decision.state)
            self._states.write(record, after)
        except Conflict:
            return Refill.BUSY
        return Refill.DONE if self._serve(state, decision.increment) else Refill.NONE

    def run_early(self, event: StoredEvent, state: EventState) -> None:
        """Refill while positions are left, so that visitors who arrive together do not wait.

        It never raises: the caller has its position.
        """
        now = self._clock()
        least = early_refill(event.document["admission"], state.serving - state.queue)
        if not least or not self._may_refill(event, state):
            return
        if 0 <= now - self._early.get(event.event_id, 0.0) < INTERVAL:
            return
        self._early[event.event_id] = now
        try:
            self.run(event, state, least)
        except Unavailable as error:
            logger.warning("positions not served ahead, a later visitor tries again: %s", error)

    def _is_recent(self, record: AdmissionRecord) -> bool:
        return record.state is not None and 0 <= self._clock() - record.state.at < RECENT

    def _may_refill(self, event: StoredEvent, state: EventState) -> bool:
        is_rate = event.document["admission"]["strategy"] == AdmissionStrategy.RATE
        return is_rate and may_refill(state)

    def _serve(self, state: EventState, increment: int) -> bool:
        """Move the serving counter. After a reset or once a visitor waits, nothing moves."""
        actor, now = admission_actor(FUNCTION), int(self._clock())
        mark, first = actor.move_mark(), -1
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
        ahead = max(0, state.serving - state.queue)
        return record, refill(admission, record.state, state.generation, ahead, signal, now)
