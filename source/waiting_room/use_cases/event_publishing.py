# SPDX-License-Identifier: Apache-2.0
"""What the event bus is told. Names and fields of the events are the contract's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.metrics import event_detail
from waiting_room.domain.ports import EventBus
from waiting_room.domain.records import Counts, EventState, Outcome, SessionStatus
from waiting_room.domain.room_settings import RoomSettings

logger = logging.getLogger("waiting_room")


class EventPublisher:
    """Tells the bus. Only the figures of the minute are a choice of the deployment.

    All but ``outcomes`` come after the fact: a bus that does not answer never fails what happened.
    """

    def __init__(self, settings: RoomSettings, events: EventBus) -> None:
        self._settings, self._events = settings, events

    def serving_counter_changed(self, state: EventState) -> None:
        """The serving counter's latest move, if it led anywhere."""
        step = state.move
        if step is None or step.current == step.previous:
            return
        detail = {
            "event_id": state.event_id,
            "previous": step.previous,
            "current": step.current,
            "reason": step.reason,
        }
        self._publish("serving_counter_changed", detail)
        if step.reason == "expiry":
            detail = {
                "previous_serving_counter_position": step.previous,
                "increment_by": step.current - step.previous,
                "current_serving_counter_position": step.current,
            }
            self._publish("automatic_serving_counter_incr", detail)

    def reset(self, state: EventState) -> None:
        """The generation that starts."""
        detail = {"event_id": state.event_id, "generation": state.generation}
        self._publish("room_reset", detail)

    def metrics(self, event_id: str, counts: Counts) -> None:
        """The figures of the minute, where the settings ask for them."""
        if self._settings.event(event_id).minute_figures:
            self._publish("waiting_room_metrics", event_detail(event_id, counts))

    def token_outcomes(self, changed: Sequence[Outcome]) -> None:
        """New tokens and ended sessions; raises Unavailable when the bus did not take them."""
        for event_id in {outcome.event_id for outcome in changed}:
            mine = [outcome for outcome in changed if outcome.event_id == event_id]
            issued = [row for row in mine if row.is_token and row.status is SessionStatus.OPEN]
            ended = [row for row in mine if row.is_token and row.status is not SessionStatus.OPEN]
            if issued:
                self._events.publish(
                    "token_generated",
                    [{"event_id": event_id, "request_id": row.request_id} for row in issued],
                )
            if ended:
                self._events.publish(
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
            self._events.publish(detail_type, [detail])
        except Unavailable:
            logger.error("event %s was not taken by the bus", detail_type)
