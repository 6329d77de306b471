# SPDX-License-Identifier: Apache-2.0
"""Cache the generation of an event in a warm function for GENERATION_CACHE seconds."""

from __future__ import annotations

GENERATION_CACHE = 2.0  # s; with 3 s at the edge, responses from before a reset are gone in 5 s


class GenerationCache:
    """Generation of each event, with the time of its read."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float]] = {}

    def get(self, event_id: str, now: float) -> int | None:
        """Return the generation if it was read less than GENERATION_CACHE seconds ago."""
        generation, read_at = self._known.get(event_id, (None, 0.0))
        return generation if 0 <= now - read_at < GENERATION_CACHE else None

    def put(self, event_id: str, generation: int, now: float) -> None:
        """Cache a generation that was read at ``now`` (epoch s)."""
        self._known[event_id] = (generation, now)

    def forget(self, event_id: str) -> None:
        """Read the generation again at the next call."""
        self._known.pop(event_id, None)
