# SPDX-License-Identifier: Apache-2.0
"""Port of the history of an event. Every method may raise ``Unavailable``."""

from __future__ import annotations

from typing import Protocol

from waiting_room.domain.events.history import MinuteTotals


class History(Protocol):
    """The counts of each minute in which an event had work, for HISTORY_LIFE seconds."""

    def put(self, event_id: str, totals: MinuteTotals) -> None:
        """Store the counts of a minute; those of a second run in the same minute replace them."""

    def between(self, event_id: str, first: int, last: int) -> list[MinuteTotals]:
        """Return the minutes from ``first`` to ``last`` (epoch s), earliest first.

        The latest minute before ``first`` comes in front of them, if there is one.
        """
