# SPDX-License-Identifier: Apache-2.0
"""Stop and allow visitors who go straight through, when an action changes the document."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from waiting_room.domain.errors import Unavailable
from waiting_room.domain.gate.straight_through import is_shut, shut_mark

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.serving_log import ServingLog
    from waiting_room.domain.ports.straight_through import StraightThrough

logger = logging.getLogger("waiting_room")


class Shutting:
    """Keeps ``shut`` of the state row at least as strict as the document."""

    def __init__(self, log: ServingLog, straight: StraightThrough, clock: Clock) -> None:
        self._log, self._straight, self._clock = log, straight, clock

    @contextmanager
    def around(
        self, event_id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]
    ) -> Iterator[None]:
        """Set ``shut`` before the document is written, or remove it afterwards.

        ``before`` is None for a new event; its id may have been used. A removal keeps the
        ``shut`` of a later action. If it fails, the minute worker repeats it.
        """
        mark = 0
        if is_shut(after) and not (before and is_shut(before)):
            self._log.read(event_id)  # creates the row
            self._straight.shut(event_id, shut_mark(self._clock()))
        elif not is_shut(after) and (before is None or is_shut(before)):
            mark = self._log.read(event_id).shut
        yield
        if mark:
            try:
                self._straight.reopen(event_id, mark)
            except Unavailable as error:
                logger.warning(
                    "shut of %s not removed, no visitor goes straight through until the next"
                    " minute: %s",
                    event_id,
                    error,
                )
