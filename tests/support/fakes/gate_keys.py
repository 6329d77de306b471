# SPDX-License-Identifier: Apache-2.0
"""The GateKeySource port in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.root_keys import RootKey, RootKeys

ROOT_KEYS = RootKeys((RootKey("new", "6" * 64), RootKey("old", "5" * 64)))


class MemoryGateKeys:
    """Derives the keys of each event from root keys in memory; ``root`` can be replaced."""

    def __init__(self, root: RootKeys = ROOT_KEYS, clock: Callable[[], float] = time.time) -> None:
        self.root, self._clock = root, clock

    def keys(self, event_id: str) -> GateKeys:
        """The keys of an event."""
        return self.root.of_event(event_id, self._clock())
