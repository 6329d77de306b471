# SPDX-License-Identifier: Apache-2.0
"""Port of the writes to the state row with which visitors go straight through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from waiting_room.domain.records import EventState


@dataclass(frozen=True, slots=True)
class Taking:
    """Result of an attempt to take a position: the current state, and the position or 0."""

    state: EventState
    position: int = 0


class StraightThrough(Protocol):
    """Positions for visitors at a gate, and the two attributes that stop them."""

    def take(self, known: EventState) -> Taking:
        """Take the next position if the serving counter has reached it.

        It is refused when generation or reset differ from ``known``, when the next position is
        not served, and while ``line`` or ``shut`` is set. The adapter never retries: without a
        response it raises Unavailable, and a position may stay unused.
        """

    def set_line(self, event_id: str, generation: int, now: int, age: int) -> None:
        """Set ``line`` to ``now`` (epoch s) if it is absent or at least ``age`` seconds old."""

    def remove_line(self, seen: EventState) -> bool:
        """Remove ``line`` if it is that of ``seen`` and every position is served.

        Returns whether it was removed. A later generation keeps its own.
        """

    def shut(self, event_id: str, mark: int) -> None:
        """Stop all visitors from going straight through; ``mark`` is the time (epoch µs).

        The state row has to exist; raises Unavailable otherwise.
        """

    def reopen(self, event_id: str, mark: int) -> None:
        """End ``shut`` if it still has this mark; a later action keeps its own."""
