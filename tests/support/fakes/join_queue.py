# SPDX-License-Identifier: Apache-2.0
"""The JoinQueue port in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from waiting_room.domain.ports.join_queue import DeadLetter, Receipt


class MemoryJoinQueue:
    """The JoinQueue port in memory."""

    def __init__(self) -> None:
        self.buried: list[DeadLetter] = []
        self.due: dict[Receipt, int] = {}
        self.steps: list[tuple[str, int]] = []

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Keep messages as dead letters."""
        self.buried += letters
        return frozenset()

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Remember when messages come again."""
        self.due |= receipts

    def request_step(self, event_id: str, seconds: int) -> None:
        """Remember a request for a step."""
        self.steps.append((event_id, seconds))
