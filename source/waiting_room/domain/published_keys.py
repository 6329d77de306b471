# SPDX-License-Identifier: Apache-2.0
"""Published public keys: the keys that verify tokens, and those of them that may sign.

The publication is the source of truth, not the secret. A change of the keys has three writes:

1. the publication announces the new key, and stores the lease of the change;
2. the secret is replaced;
3. the publication confirms the keys that the secret now contains, and removes the lease.

Each write is conditional on the version that was read before it. Functions sign only with confirmed
keys. If a change stops between two writes, its new key is not used for signing.

A key stays published for ``KEEP_AFTER_SUCCESSOR`` seconds after a newer key started to sign. That
is the sum of:

- ``MAX_STALE_SECONDS``: a function that cannot read the keys signs with its cached keys this long;
- ``MAX_VALIDITY``: the last token of that function is valid this long;
- three times ``CLOCK_STEP``: three clocks may each be wrong by this much. They are the clocks of
  the function that signs, of the one that confirms the newer key, and of the one that removes the
  older key.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from waiting_room.domain.errors import InvalidInput, NoKeysYet
from waiting_room.domain.limits import CLOCK_STEP, MAX_STALE_SECONDS, MAX_VALIDITY
from waiting_room.domain.parsing import LARGEST, UNREADABLE, json_object, read_whole
from waiting_room.domain.signing_keys import PUBLIC_MEMBERS, KeySet, SigningKey

KEEP_AFTER_SUCCESSOR = MAX_STALE_SECONDS + MAX_VALIDITY + 3 * CLOCK_STEP  # seconds; see above


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A public JWK. It may sign from ``signs_from`` (epoch s), once it is ``confirmed``."""

    jwk: Mapping[str, str]
    signs_from: int = 0
    confirmed: bool = True

    @property
    def key_id(self) -> str:
        """``kid`` of the tokens that the key verifies."""
        return self.jwk["kid"]

    def signs(self, now: int) -> bool:
        """Return whether the key may sign tokens at ``now``."""
        return self.confirmed and self.signs_from <= now


@dataclass(frozen=True, slots=True)
class Publication:
    """The published keys, oldest first. ``lease_id`` identifies a change in progress.

    After ``lease_until`` (epoch s) the lease has expired, and another change may start.
    """

    keys: tuple[PublishedKey, ...] = ()
    version: int = 0
    lease_id: str = ""
    lease_until: int = 0

    def is_changing(self, now: int) -> bool:
        """Return whether a change is in progress."""
        return bool(self.lease_id) and now < self.lease_until

    def holds(self, key_id: str) -> bool:
        """Return whether a key with this ``kid`` is published."""
        return any(key.key_id == key_id for key in self.keys)

    def covers(self, keys: KeySet) -> bool:
        """Return whether all ``keys`` are published and confirmed."""
        confirmed = {key.key_id for key in self.keys if key.confirmed}
        return all(key.key_id in confirmed for key in keys.keys)

    def signer(self, keys: KeySet, now: int) -> SigningKey | None:
        """Return the private key that signs at ``now``: the newest that may sign, or None."""
        for published in reversed(self.keys):
            if published.signs(now) and (key := keys.by_id(published.key_id)):
                return key
        return None

    def newest_signer_is_in(self, keys: KeySet, now: int) -> bool:
        """Return whether ``keys`` has the newest published key that may sign at ``now``."""
        newest = next((key for key in reversed(self.keys) if key.signs(now)), None)
        return newest is not None and keys.by_id(newest.key_id) is not None

    def starts(self, now: int) -> int | None:
        """Return when the next confirmed key starts to sign (epoch s); None if there is none."""
        return min((key.signs_from for key in self.keys if _starts(key, now)), default=None)

    def public_key(self, now: int) -> dict[str, str]:
        """Return the public JWK of the newest key that signs. Raises NoKeysYet."""
        confirmed = [key for key in self.keys if key.confirmed]
        if not confirmed:
            raise NoKeysYet
        chosen = [key for key in confirmed if key.signs(now)] or confirmed
        return dict(chosen[-1].jwk)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public key set, as ``/.well-known/jwks.json`` serves it."""
        return {"keys": [{**key.jwk, "use": "sig"} for key in self.keys]}

    def announced(
        self, keys: KeySet, now: int, *, starts: int, lease_id: str, lease_until: int
    ) -> Publication:
        """Return the first write of a change to ``keys``: adds new keys, removes unneeded ones.

        A key that this write publishes signs from ``starts`` (epoch s) at the earliest.
        """
        left = [key for key in self.keys if key.confirmed or keys.by_id(key.key_id)]
        kept = [key for at, key in enumerate(left) if not _dead(left[at + 1 :], keys, now)]
        known = {key.key_id for key in self.keys}
        added = [
            PublishedKey(key.public, max(key.signs_from, starts), confirmed=False)
            for key in keys.keys
            if key.key_id not in known
        ]
        return Publication((*kept, *added), self.version + 1, lease_id, lease_until)

    def confirmed(self, keys: KeySet, now: int, without: str | None) -> Publication:
        """Return the last write of a change: confirms ``keys`` and removes the key ``without``."""
        first = not any(key.confirmed for key in self.keys)
        held = {key.key_id for key in keys.keys}
        return Publication(
            tuple(
                _confirmed(key, 0 if first else now) if key.key_id in held else key
                for key in self.keys
                if key.key_id != without
            ),
            self.version + 1,
        )

    def to_json(self) -> str:
        """Return the keys as JSON, for the store."""
        return json.dumps(
            {
                "keys": [
                    {
                        **key.jwk,
                        "use": "sig",
                        "signs_from": str(key.signs_from),
                        **({} if key.confirmed else {"confirmed": "no"}),
                    }
                    for key in self.keys
                ]
            }
        )

    @classmethod
    def from_json(cls, text: str, version: int, lease_id: str, lease_until: int) -> Publication:
        """Parse the result of ``to_json``, with the row's other attributes; raises ValueError."""
        try:
            keys = tuple(_read(entry) for entry in json_object(text, "the row")["keys"])
        except (InvalidInput, *UNREADABLE):
            raise ValueError("the row contains no published keys") from None
        return cls(keys, version, lease_id, lease_until)


def _read(entry: dict[str, str]) -> PublishedKey:
    jwk = {name: entry[name] for name in PUBLIC_MEMBERS}
    starts = read_whole(entry.get("signs_from", "0"), 0, LARGEST)
    if starts is None or not all(isinstance(value, str) for value in jwk.values()):
        raise ValueError
    return PublishedKey(jwk, starts, entry.get("confirmed") != "no")


def _starts(key: PublishedKey, now: int) -> bool:
    return key.confirmed and key.signs_from > now


def _confirmed(key: PublishedKey, now: int) -> PublishedKey:
    """Confirm a key. It signs from ``now`` at the earliest.

    KEEP_AFTER_SUCCESSOR of older keys counts from ``signs_from``.
    """
    if key.confirmed:
        return key
    return replace(key, signs_from=max(key.signs_from, now), confirmed=True)


def _dead(younger: Collection[PublishedKey], keys: KeySet, now: int) -> bool:
    """Return whether all tokens of a key with these newer keys have expired.

    A newer key that is missing in the secret does not count: it never replaced the key.
    """
    return any(
        one.confirmed and keys.by_id(one.key_id) and one.signs_from + KEEP_AFTER_SUCCESSOR <= now
        for one in younger
    )
