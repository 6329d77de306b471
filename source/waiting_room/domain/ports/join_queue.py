# SPDX-License-Identifier: Apache-2.0
"""Port of the join queue and its dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from waiting_room.domain.records import DeadLetter, Receipt


class JoinQueue(Protocol):
    """The join queue and its dead-letter queue."""

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Send messages to the dead-letter queue; return the ids of those not accepted.

        Raises nothing when the queue is unavailable: it then returns all ids.
        """

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Set the seconds until received messages are delivered again."""
