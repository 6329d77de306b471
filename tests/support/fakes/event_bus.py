# SPDX-License-Identifier: Apache-2.0
"""The Events port in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class MemoryEventBus:
    """The Events port in memory: ``published`` lists (detail type, detail)."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, object]]] = []

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Put events on the bus."""
        self.published.extend((detail_type, detail) for detail in details)
