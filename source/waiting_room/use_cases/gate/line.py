# SPDX-License-Identifier: Apache-2.0
"""``line`` of the state row, as the workers set and remove it.

The entrance sets it too, when a visitor has to wait. Only a message that passed the join queue
without a delay removes it: while the join worker stands still, ``line`` stays.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.straight_through import (
    LATE,
    LINE_INTERVAL,
    is_late,
    may_remove_line,
)

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.ports.straight_through import StraightThrough
    from waiting_room.domain.records import Join
    from waiting_room.use_cases.events.directory import EventDirectory

logger = logging.getLogger("waiting_room")


class LineUpkeep:
    """Sets and removes ``line`` for the join worker. One instance serves a warm function."""

    def __init__(
        self, directory: EventDirectory, log: ServingLog, straight: StraightThrough, clock: Clock
    ) -> None:
        self._directory, self._log, self._straight = directory, log, straight
        self._clock = clock
        self._written: dict[str, float] = {}  # epoch s, by event

    def joins_received(self, event_id: str, joins: Sequence[Join]) -> None:
        """Set ``line`` if a join has waited for more than LATE seconds.

        Call it before the joins get positions. It never raises: the joins do not depend on it.
        """
        now = self._clock()
        if not self._is_gated(event_id) or not is_late(joins, now):
            return
        if 0 <= now - self._written.get(event_id, 0.0) < LINE_INTERVAL:
            return
        try:
            generation = self._log.read(event_id).generation
            self._straight.set_line(event_id, generation, int(now), LINE_INTERVAL)
        except Unavailable as error:
            logger.warning(
                "line of %s not set, later visitors may go straight through: %s", event_id, error
            )
            return
        self._written[event_id] = now

    def message_received(self, event_id: str, sent_at: float) -> bool:
        """Remove ``line`` after a message that was sent at ``sent_at`` (epoch s), if it is due.

        Returns whether it was removed. Call it after the joins of the batch got positions.
        """
        now = self._clock()
        if not -LATE <= now - sent_at <= LATE or not self._is_gated(event_id):
            return False
        try:
            state = self._log.read(event_id)
            return may_remove_line(state, now) and self._straight.remove_line(state)
        except Unavailable as error:
            logger.warning(
                "line of %s not removed, a later message removes it: %s", event_id, error
            )
            return False

    def _is_gated(self, event_id: str) -> bool:
        entry = self._directory.all().get(event_id)
        return entry is not None and entry.gated
