# SPDX-License-Identifier: Apache-2.0
"""Root keys of the gate, and the keys of an event that are derived from them.

A key of an event gives no information about the root key or about the keys of other events. The
reader of one event's keys can therefore create sessions of that event only.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from waiting_room.domain.errors import NoKeysYet
from waiting_room.domain.gate.credentials import GateKeys

LABEL = "waiting-room/gate/1:"


@dataclass(frozen=True, slots=True)
class RootKey:
    """A root key: at least 32 random characters, used as text. It signs from ``signs_from``."""

    key_id: str
    secret: str
    signs_from: int = 0  # epoch s


@dataclass(frozen=True, slots=True)
class RootKeys:
    """Root keys, newest first. All of them verify; ``version`` is the store's own."""

    keys: tuple[RootKey, ...] = ()
    version: str = ""

    def signing(self, now: float) -> RootKey:
        """Return the newest key that signs at ``now`` (epoch s), else the oldest one.

        Raises NoKeysYet without any key.
        """
        if not self.keys:
            raise NoKeysYet
        return next((key for key in self.keys if key.signs_from <= now), self.keys[-1])

    def of_event(self, event_id: str, now: float) -> GateKeys:
        """Return the keys of an event at ``now`` (epoch s). Raises NoKeysYet without any key."""
        return GateKeys(
            self.signing(now).key_id,
            {key.key_id: derive(key.secret, event_id) for key in self.keys},
        )


def derive(secret: str, event_id: str) -> str:
    """Return the key of an event: HMAC-SHA256 of a root key over label and event id, in hex."""
    return hmac.new(secret.encode(), f"{LABEL}{event_id}".encode(), hashlib.sha256).hexdigest()
