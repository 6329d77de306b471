# SPDX-License-Identifier: Apache-2.0
"""Operators' view of an inlet, and their changes while it runs."""

from __future__ import annotations

from typing import Any

from waiting_room.domain.actors import UNKNOWN, Actor
from waiting_room.domain.errors import InvalidInput, UnknownRequest
from waiting_room.domain.ports.clock import Clock
from waiting_room.domain.retry import TooManyConflicts, retry_on_conflict
from waiting_room.inlet.ports import ChangeRecorder, InletStore
from waiting_room.inlet.settings import check_targets
from waiting_room.inlet.strategies import InletRecord


class InletControl:
    """The inlet of an event, for the private API."""

    def __init__(self, store: InletStore, clock: Clock, record: ChangeRecorder) -> None:
        self._store, self._clock, self._record = store, clock, record

    def show(self, event_id: str) -> dict[str, Any]:
        """Return the state of the inlet:

        ``{"strategy", "paused", "targets", "last": {"at", "increment", "reason"} or null,
        "alarm": {"name", "state", "brakes"} or null}``.

        ``at`` is in epoch seconds. Raises UnknownRequest when no inlet has run for the event.
        """
        return _response(self._read(event_id))

    def change(
        self, event_id: str, paused: object, targets: object, *, actor: Actor = UNKNOWN
    ) -> dict[str, Any]:
        """Pause or resume, or change some targets; None leaves the value. Returns as ``show``.

        Raises InvalidInput, and UnknownRequest when no inlet has run for the event.
        """
        if paused is not None and not isinstance(paused, bool):
            raise InvalidInput("paused must be true or false")
        if paused is None and targets is None:
            raise InvalidInput("paused or targets is needed")
        first: InletRecord | None = None
        for attempt in retry_on_conflict(self._clock):
            with attempt:
                record = self._read(event_id)
                first = first or record
                wanted = check_targets(
                    record.strategy, record.targets, {} if targets is None else targets
                )
                hold = record.paused if paused is None else paused
                after = self._store.change(record, paused=hold, targets=wanted)
                # an equal record was written by this call, and its response was lost
                before = (
                    first if _operator_settings(record) == _operator_settings(after) else record
                )
                self._record(
                    event_id, "inlet", actor, _operator_settings(before), _operator_settings(after)
                )
                return _response(after)
        raise TooManyConflicts  # by retry_on_conflict, after the last attempt

    def _read(self, event_id: str) -> InletRecord:
        record = self._store.read(event_id)
        if record is None:
            raise UnknownRequest("no inlet is deployed for this event")
        return record


def _operator_settings(record: InletRecord) -> dict[str, int]:
    """Return the values that operators may change; ``paused`` is true or false."""
    return {"paused": record.paused, **record.targets}


def _response(record: InletRecord) -> dict[str, Any]:
    last = {
        "at": record.last_at,
        "increment": record.last_increment,
        "reason": record.last_reason,
    }
    alarm = {
        "name": record.alarm,
        "state": record.alarm_state.value if record.alarm_state else None,
        "brakes": record.alarm_holds,
    }
    return {
        "strategy": record.strategy.value,
        "paused": record.paused,
        "targets": dict(record.targets),
        "last": last if record.last_at else None,
        "alarm": alarm if record.alarm else None,
    }
