# SPDX-License-Identifier: Apache-2.0
"""Port of the join queue and its dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Receipt:
    """Receipt handle of a message received from SQS, and the number of times it was received."""

    handle: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An invalid join message and the reason. ``sent_at_ms`` is 0 when it is unknown."""

    message_id: str
    body: str
    reason: str
    request_id: str = ""
    sent_at_ms: int = 0


class JoinQueue(Protocol):
    """The join queue and its dead-letter queue."""

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Send messages to the dead-letter queue; return the ids of those not accepted.

        Raises nothing when the queue is unavailable: it then returns all ids.
        """

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Set the seconds until received messages are delivered again."""

    def request_step(self, event_id: str, seconds: int) -> None:
        """Request an admission step of an event after ``seconds``, by a message to the workers."""
