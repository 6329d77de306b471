# SPDX-License-Identifier: Apache-2.0
"""Sort a batch of joins by event, and store why a join is refused."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.events.joining import UNKNOWN_EVENT, refusal
from waiting_room.domain.records import Join, Position

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.positions import Positions
    from waiting_room.use_cases.events.directory import EventDirectory

logger = logging.getLogger("waiting_room")


@dataclass(frozen=True, slots=True)
class SortedJoins:
    """Joins of a batch by event; ``reasons`` of the refused ones by message id."""

    accepted: Mapping[str, Sequence[Join]]
    refused: Mapping[str, Sequence[Join]]
    reasons: Mapping[str, str]


class JoinIntake:
    """Decides which joins of a batch their events accept, and stores refusals."""

    def __init__(self, events: EventDirectory, positions: Positions, clock: Clock) -> None:
        self._events, self._positions, self._clock = events, positions, clock

    def sort(self, joins: Sequence[Join]) -> SortedJoins:
        """Return the accepted joins of each event, and the refused ones with their reasons.

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
            logger.warning(
                "%d joins of events that do not exist, they get no position", len(of_no_event)
            )
        in_order = sorted(accepted.items(), key=lambda one: len(one[1]))
        return SortedJoins(dict(in_order), dict(refused), reasons)

    def refuse(self, found: SortedJoins) -> frozenset[str]:
        """Store the refusals of a batch; return the messages to deliver again."""
        retry: set[str] = set()
        for event_id, mine in found.refused.items():
            retry |= self._refuse(event_id, mine, found.reasons)
        return frozenset(retry)

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

    def _refuse(self, event_id: str, joins: Sequence[Join], reasons: Mapping[str, str]) -> set[str]:
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
