# SPDX-License-Identifier: Apache-2.0
"""Publish bus events. The API contract fixes their names and members."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import Counts, EventState, Outcome, ServingMove, SessionStatus
from waiting_room.domain.room_settings import RoomSettings

if TYPE_CHECKING:
    from waiting_room.domain.ports.event_bus import EventBus
    from waiting_room.use_cases.counters.room_counters import RoomCounters

logger = logging.getLogger("waiting_room")


class EventPublisher:
    """Publishes bus events. Only the metrics of each minute are optional.

    Except for ``publish_outcomes``, each event follows a completed change. A failure of the bus
    does not fail the change.
    """

    def __init__(self, settings: RoomSettings, bus: EventBus, counters: RoomCounters) -> None:
        self._settings, self._bus, self._counters = settings, bus, counters

    def serving_counter_changed(self, event_id: str, move: ServingMove) -> None:
        """Publish a move of the serving counter if its value changed."""
        if move.current == move.previous:
            return
        detail = {
            "event_id": event_id,
            "previous": move.previous,
            "current": move.current,
            "reason": move.reason,
        }
        self._publish("serving_counter_changed", detail)
        if move.reason == "expiry":
            detail = {
                "previous_serving_counter_position": move.previous,
                "increment_by": move.current - move.previous,
                "current_serving_counter_position": move.current,
            }
            self._publish("automatic_serving_counter_incr", detail)

    def room_reset(self, state: EventState) -> None:
        """Publish the start of a generation."""
        detail = {"event_id": state.event_id, "generation": state.generation}
        self._publish("room_reset", detail)

    def event_changed(self, event_id: str, version: int, what: str, who: str) -> None:
        """Publish a change of the document of an event."""
        detail = {"event_id": event_id, "version": version, "what": what, "who": who}
        self._publish("event_changed", detail)

    def metrics(self, event_id: str, counts: Counts) -> None:
        """Publish the metrics of the minute if the settings enable it."""
        if self._settings.events[0].minute_metrics:
            from waiting_room.domain.metrics import bus_detail

            self._publish("waiting_room_metrics", bus_detail(event_id, counts))

    def publish_outcomes(
        self, changed: Sequence[Outcome], extended: Sequence[Outcome] = ()
    ) -> None:
        """Publish new tokens and ended sessions, and count those that are not counted yet.

        ``extended`` are open sessions with a later end; they are counted only. The caller reads the
        stream of the tokens table, which has every outcome. Raises Unavailable when the bus rejects
        an event, or the counters a session at a gate: the stream then delivers them again.
        """
        self._counters.count_published(changed, extended)
        self.token_outcomes(changed)

    def token_outcomes(self, changed: Sequence[Outcome]) -> None:
        """Publish new tokens and ended sessions; raises Unavailable."""
        for event_id in {outcome.event_id for outcome in changed}:
            mine = [outcome for outcome in changed if outcome.event_id == event_id]
            issued = [row for row in mine if row.is_token and row.status is SessionStatus.OPEN]
            ended = [row for row in mine if row.is_token and row.status is not SessionStatus.OPEN]
            if issued:
                self._bus.publish(
                    "token_generated",
                    [{"event_id": event_id, "request_id": row.request_id} for row in issued],
                )
            if ended:
                self._bus.publish(
                    "session_updated",
                    [
                        {
                            "event_id": event_id,
                            "request_id": row.request_id,
                            "status": row.status.value,
                        }
                        for row in ended
                    ],
                )

    def _publish(self, detail_type: str, detail: dict[str, Any]) -> None:
        try:
            self._bus.publish(detail_type, [detail])
        except Unavailable:
            logger.error("bus event %s not published, it is not repeated", detail_type)
