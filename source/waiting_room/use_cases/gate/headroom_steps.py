# SPDX-License-Identifier: Apache-2.0
"""Headroom and ``line`` of an event behind a gate in which every position is served."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from waiting_room.domain.actors import admission as admission_actor
from waiting_room.domain.errors import Conflict
from waiting_room.domain.events.admission import AdmissionStrategy, site_signal, step
from waiting_room.domain.gate.straight_through import (
    allows_straight_through,
    is_left_shut,
    may_refill,
    may_remove_line,
)

if TYPE_CHECKING:
    from waiting_room.domain.events.registry import RegistryEntry
    from waiting_room.domain.ports.admission import AdmissionStates
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.ports.straight_through import StraightThrough
    from waiting_room.domain.records import Counts
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.event_control import EventControl

logger = logging.getLogger("waiting_room")


class HeadroomSteps:
    """Part of the steps of automatic admission, for events behind a gate without a queue."""

    def __init__(
        self,
        documents: EventDocuments,
        states: AdmissionStates,
        log: ServingLog,
        straight: StraightThrough,
        counters: RoomCounters,
        control: EventControl,
        clock: Clock,
    ) -> None:
        self._documents, self._states, self._log = documents, states, log
        self._straight, self._counters, self._control = straight, counters, control
        self._clock = clock

    def look(
        self,
        event_id: str,
        entry: RegistryEntry,
        counts: Counts,
        function: str,
        send: Callable[[str], None],
    ) -> bool:
        """Request the removal of ``line`` if it is due, or open headroom.

        Returns whether ``line`` is set or a visitor waits meanwhile.

        The entrance does not update the counters: they follow the state row here. Raises
        Unavailable.
        """
        now, state = self._clock(), self._log.read(event_id)
        if state.queue != counts.queue or state.generation != counts.generation:
            self._counters.follow(state)
            counts = self._counters.counts(event_id, int(now))
        if may_remove_line(state, now):
            send(event_id)
        if state.line or state.queue > state.serving:
            return True
        limits_active = AdmissionStrategy(entry.strategy).limits_active
        stored = self._documents.read(event_id) if limits_active or state.shut else None
        if stored is None:
            return False
        if is_left_shut(state, stored.document, now):
            self._straight.reopen(event_id, state.shut)
            logger.warning("removed shut of %s, which a failed action had left", event_id)
        admission = stored.document["admission"]
        limits_active = AdmissionStrategy(admission["strategy"]).limits_active
        if limits_active and may_refill(state) and allows_straight_through(stored.document, now):
            self._open(event_id, admission, counts.at_gate(), function)
        return False

    def _open(
        self, event_id: str, admission: dict[str, object], counts: Counts, function: str
    ) -> None:
        """Serve positions ahead up to the free capacity. ``rate`` is refilled by the entrance."""
        now, record = self._clock(), self._states.read(event_id)
        signal = site_signal(admission, record, now)
        decision = step(admission, record.state, counts, signal, now, ahead=True)
        if not decision.increment:
            return
        try:
            after = replace(record, version=record.version + 1, state=decision.state)
            self._states.write(record, after)
        except Conflict:
            return  # another worker made a step
        served = self._control.serve_ahead(
            event_id,
            decision.increment,
            counts.generation,
            "admission",
            actor=admission_actor(function),
        )
        logger.info("served %d positions of %s ahead: %s", served, event_id, decision.reason)
