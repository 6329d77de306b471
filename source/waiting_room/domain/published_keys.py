# SPDX-License-Identifier: Apache-2.0
"""The published half of the signing keys: which keys verify, and which of them may sign.

The publication decides, not the secret. A change of the keys has three writes:

1. the publication announces the new key, and carries the mark of the change;
2. the secret is replaced;
3. the publication confirms the keys that the secret holds now, and the mark goes.

Each write is conditional on what was read before it. Functions sign with confirmed keys only, so a
change that ends between two writes leaves a key that nobody signs with.

A key stays published for ``KEPT_AFTER`` seconds after a younger one started. That is the sum of:

- ``MAX_STALE_SECONDS``: a function that cannot read the keys signs on with its copy for so long;
- ``MAX_VALIDITY``: the last token of that function is valid for so long;
- three times ``CLOCK_STEP``: the clocks of the function that signs, of the one that confirms the
  younger key, and of the one that lets the older one go may each be wrong by so much.
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
        """The ``kid`` of the tokens that it verifies."""
        return self.jwk["kid"]

    def signs(self, now: int) -> bool:
        """Whether tokens may be signed with it."""
        return self.confirmed and self.signs_from <= now


@dataclass(frozen=True, slots=True)
class Publication:
    """The published keys, oldest first. ``lease_id`` marks a change that is under way.

    After ``lease_until`` (epoch s) the change is given up, and another one may start.
    """

    keys: tuple[PublishedKey, ...] = ()
    version: int = 0
    lease_id: str = ""
    lease_until: int = 0

    def is_changing(self, now: int) -> bool:
        """Whether a change is under way."""
        return bool(self.lease_id) and now < self.lease_until

    def holds(self, key_id: str) -> bool:
        """Whether a key with this ``kid`` is published."""
        return any(key.key_id == key_id for key in self.keys)

    def covers(self, keys: KeySet) -> bool:
        """Whether every one of ``keys`` is published and confirmed."""
        confirmed = {key.key_id for key in self.keys if key.confirmed}
        return all(key.key_id in confirmed for key in keys.keys)

    def signer(self, keys: KeySet, now: int) -> SigningKey | None:
        """The key of the secret that signs now: the youngest that may; None when none may."""
        for published in reversed(self.keys):
            if published.signs(now) and (key := keys.by_id(published.key_id)):
                return key
        return None

    def starts(self, now: int) -> int | None:
        """When the next confirmed key starts to sign (epoch s); None when there is none."""
        return min((key.signs_from for key in self.keys if _starts(key, now)), default=None)

    def public_key(self, now: int) -> dict[str, str]:
        """The public JWK of the youngest key that signs. Raises NoKeysYet."""
        confirmed = [key for key in self.keys if key.confirmed]
        if not confirmed:
            raise NoKeysYet
        chosen = [key for key in confirmed if key.signs(now)] or confirmed
        return dict(chosen[-1].jwk)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key set, as ``/.well-known/jwks.json`` serves it."""
        return {"keys": [{**key.jwk, "use": "sig"} for key in self.keys]}

    def announced(
        self, keys: KeySet, now: int, *, starts: int, lease_id: str, lease_until: int
    ) -> Publication:
        """The first write of a change to ``keys``: what is new is added, what is dead leaves.

        A key that is published here first signs from ``starts`` (epoch s) at the earliest.
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
        """The last write of a change: the secret holds ``keys``; the key ``without`` leaves."""
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
        """The keys, for the store."""
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
        """Read what ``to_json`` wrote, and what stands beside it; raises ValueError otherwise."""
        try:
            keys = tuple(_read(entry) for entry in json_object(text, "the row")["keys"])
        except (InvalidInput, *UNREADABLE):
            raise ValueError("the row holds no published keys") from None
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
    """It signs no earlier than it is confirmed: KEPT_AFTER of older keys counts from there."""
    if key.confirmed:
        return key
    return replace(key, signs_from=max(key.signs_from, now), confirmed=True)


def _dead(younger: Collection[PublishedKey], keys: KeySet, now: int) -> bool:
    """Whether no living token of a key can exist that has these younger ones.

    A younger key that the secret lacks has not taken over.
    """
    return any(
        one.confirmed and keys.by_id(one.key_id) and one.signs_from + KEEP_AFTER_SUCCESSOR <= now
        for one in younger
    )
