# SPDX-License-Identifier: Apache-2.0
"""Port of the event bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class EventBus(Protocol):
    """The EventBridge bus."""

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Publish events; raises Unavailable if the bus rejects one."""
