# SPDX-License-Identifier: Apache-2.0
"""What an inlet needs from the world. Every method may raise ``Unavailable``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from waiting_room.domain.actors import Actor
from waiting_room.inlet.strategies import Alarm, InletRecord, RoomMetrics


class InletStore(Protocol):
    """The one row of an event that its inlet and its operators share."""

    def read(self, event_id: str) -> InletRecord | None:
        """The row as it stands now; None before an inlet ran."""

    def write(self, before: InletRecord | None, after: InletRecord) -> None:
        """What a run changes: everything but what operators and the site say.

        Targets are written only when ``deployed`` changed: a new deployment sets them anew.
        Raises Conflict when another run wrote since ``before`` was read.
        """

    def change(
        self, before: InletRecord, *, paused: bool, targets: Mapping[str, int]
    ) -> InletRecord:
        """What an operator changes. Raises Conflict when another operator came first."""

    def report_health(self, event_id: str, health: float, at: int) -> None:
        """What the site says, 0 to 1. Raises Conflict when there is no row."""


class RoomApi(Protocol):
    """The private API, as an inlet calls it."""

    def metrics(self, event_id: str) -> RoomMetrics:
        """The figures of the room."""

    def increment(self, event_id: str, by: int, call_id: str) -> int:
        """Raise the serving counter; answers where it stands.

        Sent again by itself only when it surely was not done. After Unavailable the same
        ``call_id`` may be used again: the room raises the counter once for it.
        """

    def end_sessions(
        self, event_id: str, request_ids: Sequence[str], status: int, call_id: str
    ) -> int:
        """End sessions (1 completed, -1 abandoned); answers how many had not ended before.

        Those that the same ``call_id`` ended before count again; without one each call is new.
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
    """The alarm that brakes."""

    def __call__(self) -> Alarm: ...
