# SPDX-License-Identifier: Apache-2.0
"""The event bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class EventBus(Protocol):
    """The event bus."""

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Put events on the bus; raises Unavailable when one was not taken."""
