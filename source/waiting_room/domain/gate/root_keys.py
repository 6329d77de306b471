# SPDX-License-Identifier: Apache-2.0
"""Root keys of the gate, and the keys of an event that are derived from them.

A key of an event gives no information about the root key or about the keys of other events. The
reader of one event's keys can therefore create sessions of that event only.

There are at most two root keys. A new key verifies at once and signs ACTIVATION seconds later, when
each gate and function has received it. The previous key stays until the last session that it signed
has ended.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field

from waiting_room.domain.errors import InvalidInput, NoKeysYet
from waiting_room.domain.gate.credentials import KEY_ID, GateKeys
from waiting_room.domain.parsing import UNREADABLE, is_whole, json_object

LABEL = "waiting-room/gate/1:"
SHORTEST = 32  # characters of a root key
ACTIVATION = 12 * 3_600  # s from the creation of a key to its first signature
LONGEST_SESSION = 2 * 86_400  # s; valid_for + renew_every is less
CLOCKS = 600  # s for clocks that differ, and for requests after the end of a session


@dataclass(frozen=True, slots=True)
class RootKey:
    """A root key: random text. It signs from ``signs_from`` (epoch s) on."""

    key_id: str
    secret: str = field(repr=False)
    signs_from: int = 0


@dataclass(frozen=True, slots=True)
class RootKeys:
    """Root keys, newest first. All of them verify; ``version`` is that of the secret store."""

    keys: tuple[RootKey, ...] = ()
    version: str = field(default="", compare=False)

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

    def free_at(self) -> int:
        """Return the time (epoch s) from which no session needs the older of two keys; 0: now."""
        if len(self.keys) < 2:
            return 0
        return self.keys[0].signs_from + LONGEST_SESSION + CLOCKS

    def rotated(self, key_id: str, secret: str, now: int) -> RootKeys:
        """Return the keys with a new one, which replaces the older of two keys.

        The first key of all signs at once.
        """
        kept = self.keys[:1]
        starts = now + ACTIVATION if kept else 0
        return RootKeys((RootKey(key_id, secret, starts), *kept), self.version)

    def without(self, key_id: str, now: int) -> RootKeys:
        """Return the keys without one. The other key signs from ``now`` (epoch s) on."""
        kept = (key for key in self.keys if key.key_id != key_id)
        keys = (RootKey(key.key_id, key.secret, min(key.signs_from, now)) for key in kept)
        return RootKeys(tuple(keys), self.version)

    def to_json(self) -> str:
        """Return the keys as JSON, for the secret store only."""
        rows = [[key.key_id, key.secret, key.signs_from] for key in self.keys]
        return json.dumps({"root_keys": rows})

    @classmethod
    def from_json(cls, text: str) -> RootKeys:
        """Parse the result of ``to_json``; raises ValueError for any other text."""
        try:
            rows = json_object(text, "the secret")["root_keys"]
            keys = tuple(RootKey(key_id, secret, starts) for key_id, secret, starts in rows)
            whole = 0 < len(keys) <= 2 and all(
                KEY_ID.fullmatch(key.key_id)
                and len(key.secret) >= SHORTEST
                and isinstance(key.secret, str)
                and is_whole(key.signs_from)
                for key in keys
            )
        except (InvalidInput, *UNREADABLE):
            whole = False
        if not whole:
            raise ValueError("the secret holds no root keys")
        return cls(keys)


def new_root_key() -> tuple[str, str]:
    """Return a new key id and a new secret of 256 random bits."""
    return secrets.token_hex(4), secrets.token_hex(32)


def derive(secret: str, event_id: str) -> str:
    """Return the key of an event: HMAC-SHA256 of a root key over label and event id, in hex."""
    return hmac.new(secret.encode(), f"{LABEL}{event_id}".encode(), hashlib.sha256).hexdigest()
