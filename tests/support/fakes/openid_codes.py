# SPDX-License-Identifier: Apache-2.0
"""The twin in memory of the store of authorization codes."""

from __future__ import annotations

import threading

from waiting_room.domain.errors import Conflict
from waiting_room.openid.protocol import Code


class MemoryCodes:
    """The Codes port in a dictionary; safe for threads."""

    def __init__(self) -> None:
        self._rows: dict[str, Code] = {}
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def save(self, code: Code) -> None:
        """Keep a code; raises Conflict when its hash is taken."""
        with self._lock:
            if code.hash in self._rows:
                raise Conflict("this code exists")
            self._rows[code.hash] = code

    def redeem(self, code_hash: str, client_id: str, now: int) -> Code | None:
        """Take the code once."""
        with self._lock:
            code = self._rows.get(code_hash)
            if code is None or code_hash in self._taken:
                return None
            if code.client_id != client_id or now >= code.expires_at:
                return None
            self._taken.add(code_hash)
            return code
