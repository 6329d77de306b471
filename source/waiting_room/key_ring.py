# SPDX-License-Identifier: Apache-2.0
"""The signing keys in use: the secret half signs, the public half is published before it does."""

from __future__ import annotations

from waiting_room.errors import NoKeysYet, TokenExpired, Unavailable
from waiting_room.ports import Clock, KeyStore, PublicKeys
from waiting_room.records import Outcome
from waiting_room.signing import KeySet, SigningKey, new_jwk

PUBLISH_TRIES = 12  # rotations that meet are few


class KeyRing:
    """The keys of the deployment, in the secret store and published."""

    def __init__(
        self, keys: KeyStore, public_keys: PublicKeys, clock: Clock, activation_delay: int
    ) -> None:
        self._keys, self._public_keys = keys, public_keys
        self._clock, self._activation_delay = clock, activation_delay

    def current(self, now: int) -> SigningKey:
        """The key that signs now."""
        return self._keys.load().current(now)

    def of(self, outcome: Outcome) -> SigningKey:
        """The key that a token is signed with; raises TokenExpired once it is retired."""
        key = self._keys.load().by_id(outcome.key_id) or self._keys.refresh().by_id(outcome.key_id)
        if key is None:
            raise TokenExpired("the key of this token has been retired; join again")
        return key

    def public_key(self) -> dict[str, str]:
        """The public JWK that verifies tokens signed now: the last key published that signs."""
        keys = self._public_keys.load()["keys"]
        if not keys:
            raise NoKeysYet
        now = self._now()
        ready = [key for key in keys if int(key.get("signs_from", 0)) <= now]
        chosen = (ready or keys)[-1]
        return {name: chosen[name] for name in ("kty", "alg", "kid", "n", "e")}

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Every public key that may verify a living token."""
        keys = self._public_keys.load()["keys"]
        return {
            "keys": [
                {name: text for name, text in key.items() if name != "signs_from"} for key in keys
            ]
        }

    def set_up(self) -> None:
        """Make the first key where there is none, and publish what there is."""
        try:
            self._keys.refresh()
        except NoKeysYet:
            self._keys.save(KeySet(()).rotated(new_jwk(), self._now(), 0))
        self._publish_what_stands()

    def rotate(self) -> KeySet:
        """Add a key that signs after the activation delay; publish it before it is used."""
        keys = self._keys.refresh().rotated(new_jwk(), self._now(), self._activation_delay)
        self._publish(keys)
        self._keys.save(keys)
        return self._publish_what_stands()

    def _now(self) -> int:
        return int(self._clock())

    def _publish_what_stands(self) -> KeySet:
        """Publish the keys of the secret until it holds what was published: another rotation, or a
        set-up, may come between. So whoever publishes last has seen that both are the same."""
        for _ in range(PUBLISH_TRIES):
            keys = self._keys.refresh()
            self._publish(keys)
            if self._keys.refresh() == keys:
                return keys
        raise Unavailable("the keys are being rotated", 1)

    def _publish(self, keys: KeySet) -> None:
        published = [
            {**key.public, "use": "sig", "signs_from": str(key.signs_from)} for key in keys.keys
        ]
        self._public_keys.save({"keys": published})
