# SPDX-License-Identifier: Apache-2.0
"""Ports of the inlet. Every method may raise ``Unavailable``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from waiting_room.domain.actors import Actor
from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.strategies import InletRecord, RoomMetrics


class InletStore(Protocol):
    """The row of an event that its inlet and its operators share."""

    def read(self, event_id: str) -> InletRecord | None:
        """Return the current row; None before the first run of an inlet."""

    def write(self, before: InletRecord | None, after: InletRecord) -> None:
        """Write the changes of a run: all but the values that operators set.

        Targets are written only when ``deployed`` changed: a new deployment replaces them.
        Raises Conflict when another run wrote since ``before`` was read.
        """

    def change(
        self, before: InletRecord, *, paused: bool, targets: Mapping[str, int]
    ) -> InletRecord:
        """Write an operator's change. Raises Conflict when another operator wrote first."""


class RoomApi(Protocol):
    """The calls of the private API that an inlet makes."""

    def metrics(self, event_id: str) -> RoomMetrics:
        """Return the metrics of an event."""

    def increment(self, event_id: str, by: int, call_id: str) -> int:
        """Raise the serving counter and return its new value.

        The call is repeated only if it was surely not processed. After Unavailable the caller may
        repeat it with the same ``call_id``: the room raises the counter once for it.
        """

    def end_sessions(
        self, event_id: str, request_ids: Sequence[str], status: int, call_id: str
    ) -> int:
        """End sessions (1 completed, -1 abandoned); return how many had not ended before.

        Sessions that the same ``call_id`` ended count again; each call without one is new.
        """


class ChangeRecorder(Protocol):
    """The change log: who changed what, from which values to which."""

    def __call__(
        self,
        event_id: str,
        change: str,
        actor: Actor,
        before: dict[str, int],
        after: dict[str, int],
        /,
    ) -> None: ...


class AlarmReader(Protocol):
    """The state of the alarm that holds the inlet."""

    def __call__(self) -> Alarm: ...
