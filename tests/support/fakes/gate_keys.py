# SPDX-License-Identifier: Apache-2.0
"""The GateKeyStore port in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from waiting_room.domain.errors import Conflict
from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.root_keys import RootKey, RootKeys

ROOT_KEYS = RootKeys((RootKey("new", "6" * 64), RootKey("old", "5" * 64)))


class MemoryGateKeys:
    """Derives the keys of each event from root keys in memory; ``root`` can be replaced."""

    def __init__(self, root: RootKeys = ROOT_KEYS, clock: Callable[[], float] = time.time) -> None:
        self.root, self._clock = root, clock
        self._lock = threading.Lock()

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event."""
        return self.root.of_event(event_id, self._clock())

    def refresh(self) -> RootKeys:
        """Return the root keys."""
        return self.root

    def save(self, keys: RootKeys, before: RootKeys) -> None:
        """Replace the root keys."""
        with self._lock:
            if self.root.version != before.version:
                raise Conflict
            self.root = replace(keys, version=f"{int(before.version or 0) + 1}")
