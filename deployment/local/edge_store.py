# SPDX-License-Identifier: Apache-2.0
"""The store of the edge on one machine, with the delay of the real one.

Like a CloudFront KeyValueStore it has one version (ETag) for the whole store, an update is all or
none, and an edge sees an update only DELAY seconds later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from waiting_room.domain.errors import Conflict
from waiting_room.domain.gate.store import MAX_VALUE
from waiting_room.domain.gate.store_plan import MAX_BYTES, MAX_KEYS

DELAY: Final = 31.0  # s from an update until an edge sees it
LONGEST_KEY: Final = 512  # bytes
MAX_STORE: Final = 5_000_000  # bytes


class LocalEdgeStore:
    """The EdgeStore port, and the view of an edge. ``calls`` counts the calls of the API."""

    def __init__(self, clock: Callable[[], float], delay: float = DELAY) -> None:
        self._clock, self._delay = clock, delay
        self._states: list[tuple[float, dict[str, str]]] = [(0.0, {})]  # with their times
        self._version = 1
        self._lock = threading.Lock()
        self.calls: list[str] = []

    def version(self) -> str:
        """Return the version of the whole store."""
        self.calls.append("describe")
        return f"v{self._version}"

    def items(self) -> dict[str, str]:
        """Return all items."""
        found = dict(self._states[-1][1])
        self.calls += ["list"] * max(1, -(-len(found) // MAX_KEYS))
        return found

    def update(self, puts: Mapping[str, str], deletes: Sequence[str], version: str) -> str:
        """Write and delete items, all or none. Raises Conflict, and ValueError beyond a limit."""
        self.calls.append("update")
        size = sum(len(key.encode()) + len(value.encode()) for key, value in puts.items())
        if not 0 < len(puts) + len(deletes) <= MAX_KEYS or size > MAX_BYTES:
            raise ValueError("an update has at most 50 items and 3 MB")
        if any(len(key.encode()) > LONGEST_KEY for key in puts):
            raise ValueError("a key has at most 512 bytes")
        if any(not 0 < len(value.encode()) <= MAX_VALUE for value in puts.values()):
            raise ValueError("a value has at most 1,024 bytes")
        with self._lock:
            if version != f"v{self._version}":
                raise Conflict
            after = {**self._states[-1][1], **puts}
            for key in deletes:
                after.pop(key, None)
            whole = sum(len(key.encode()) + len(value.encode()) for key, value in after.items())
            if whole > MAX_STORE:
                raise ValueError("a store has at most 5 MB")
            self._forget()
            self._states.append((self._clock(), after))
            self._version += 1
            return f"v{self._version}"

    def seen(self) -> Mapping[str, str]:
        """Return the items as an edge sees them now."""
        with self._lock:
            self._forget()
            return self._states[0][1]

    def _forget(self) -> None:
        """Remove states that no edge sees any more."""
        now = self._clock()
        while len(self._states) > 1 and self._states[1][0] + self._delay <= now:
            del self._states[0]
