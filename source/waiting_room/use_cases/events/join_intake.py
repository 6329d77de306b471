# SPDX-License-Identifier: Apache-2.0
"""Process a batch of joins of many events: assign positions, or store why a join is refused."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.joining import UNKNOWN_EVENT, refusal
from waiting_room.domain.records import Join, Position

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.use_cases.events.directory import EventDirectory
    from waiting_room.use_cases.position_assignment import PositionAssigner

logger = logging.getLogger("waiting_room")


class JoinIntake:
    """Worker of the join queue. A failure of one event delays only the joins of that event."""

    def __init__(
        self,
        events: EventDirectory,
        assigner: PositionAssigner,
        positions: Positions,
        clock: Clock,
    ) -> None:
        self._events, self._assigner = events, assigner
        self._positions, self._clock = positions, clock

    def process(self, joins: Sequence[Join]) -> frozenset[str]:
        """Process the joins; return the messages to deliver again.

        Before a join is refused, the registry is read again, once for a batch. A join of an event
        that does not exist gets no row. The event with the fewest joins comes first, so that a
        busy event does not delay a quiet one.
        """
        reasons = self._reasons(joins)
        accepted: dict[str, list[Join]] = defaultdict(list)
        refused: dict[str, list[Join]] = defaultdict(list)
        of_no_event = []
        for join in joins:
            reason = reasons.get(join.message_id, "")
            if reason == UNKNOWN_EVENT:
                of_no_event.append(join)
            else:
                (refused if reason else accepted)[join.event_id].append(join)
        if of_no_event:
            logger.warning("%d joins of events that do not exist", len(of_no_event))
        retry: set[str] = set()
        for event_id, mine in sorted(accepted.items(), key=lambda one: len(one[1])):
            try:
                retry |= self._assigner.assign(event_id, mine).retry
            except Unavailable as error:
                logger.error("%d joins not processed, delivered again: %s", len(mine), error)
                retry |= {join.message_id for join in mine}
        for event_id, mine in refused.items():
            retry |= self._refuse(event_id, mine, reasons)
        return frozenset(retry)

    def events_of(self, joins: Sequence[Join]) -> list[str]:
        """Return the events of a batch that exist, by the last copy of the registry."""
        registry = self._events.all()
        return sorted(
            {
                join.event_id
                for join in joins
                if join.event_id in registry or self._events.is_own(join.event_id)
            }
        )

    def _reasons(self, joins: Sequence[Join]) -> dict[str, str]:
        """Return the reasons of the refused joins, by message id."""
        registry = self._events.all()
        for again in (True, False):
            reasons = {
                join.message_id: reason
                for join in joins
                if (reason := refusal(registry.get(join.event_id), join))
                and not (self._events.is_own(join.event_id) and join.event_id not in registry)
            }
            if reasons and again:
                registry = self._events.refresh()
        return reasons

    def _refuse(self, event_id: str, joins: Sequence[Join], reasons: dict[str, str]) -> set[str]:
        """Store refusals; a request that has a position keeps it. Return messages to repeat."""
        now = int(self._clock())
        rows = {
            join.request_id: Position(
                event_id, 0, join.request_id, 0, now, refused=reasons[join.message_id]
            )
            for join in joins
        }
        try:
            current = self._positions.insert(list(rows.values()))
        except Unavailable as error:
            logger.error("%d refusals not stored, delivered again: %s", len(joins), error)
            return {join.message_id for join in joins}
        return {join.message_id for join in joins if current[join.request_id] is None}
