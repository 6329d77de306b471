# SPDX-License-Identifier: Apache-2.0
"""Signing keys: current key, verification keys and rotation.

A new key is published before it signs, so every cache of the key set contains it when its first
token appears. An old key stays published until its last token has expired (``published_keys.py``).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import UNREADABLE, is_whole, json_object
from waiting_room.domain.records import Outcome
from waiting_room.domain.tokens import TOKEN_USES, claims

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PUBLIC_MEMBERS = ("kty", "alg", "kid", "n", "e")
RSA_MEMBERS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")  # RFC 7518, 6.3
MOST_LOADED = 8  # private keys that a signer caches; at most two sign at the same time


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One RSA key as a private JWK, and the time (epoch s) from which it signs."""

    jwk: Mapping[str, str] = field(repr=False)
    signs_from: int = 0

    @property
    def key_id(self) -> str:
        """``kid`` of the tokens that the key signs."""
        return self.jwk["kid"]

    @property
    def public(self) -> dict[str, str]:
        """Public JWK: ``kty, alg, kid, n, e``."""
        return {name: self.jwk[name] for name in PUBLIC_MEMBERS}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a deployment, oldest first.

    ``version`` identifies the version of the secret that was read; each save changes it.
    """

    keys: tuple[SigningKey, ...]
    version: str = field(default="", compare=False)

    def current(self, now: int) -> SigningKey:
        """Return the current key: the newest whose ``signs_from`` is past, else the oldest."""
        ready = [key for key in self.keys if key.signs_from <= now]
        return ready[-1] if ready else self.keys[0]

    def by_id(self, key_id: str) -> SigningKey | None:
        """Return the key with this ``kid``; None if the set does not contain it."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public key set, as ``/.well-known/jwks.json`` serves it."""
        return {"keys": [{**key.public, "use": "sig"} for key in self.keys]}

    def added(self, jwk: Mapping[str, str], signs_from: int) -> KeySet:
        """Return the set with a newer key added."""
        return replace(self, keys=(*self.keys, SigningKey(jwk, signs_from)))

    def without(self, key_id: str | None) -> KeySet:
        """Return the set without a key."""
        return self.those(lambda held: held != key_id)

    def those(self, wanted: Callable[[str], bool]) -> KeySet:
        """Return the set with only the keys whose ``kid`` is ``wanted``."""
        return replace(self, keys=tuple(key for key in self.keys if wanted(key.key_id)))

    def to_json(self) -> str:
        """Return the set as JSON with private keys, for the secret store only."""
        return json.dumps(
            {"keys": [{"jwk": dict(key.jwk), "signs_from": key.signs_from} for key in self.keys]}
        )

    @classmethod
    def from_json(cls, text: str) -> KeySet:
        """Parse the result of ``to_json``; raises ValueError for any other text."""
        try:
            entries = json_object(text, "the secret")["keys"]
            keys = tuple(SigningKey(entry["jwk"], entry["signs_from"]) for entry in entries)
            whole = all(is_whole(key.signs_from) and _is_jwk(key.jwk) for key in keys)
        except (InvalidInput, *UNREADABLE):
            whole = False
        if not whole:
            raise ValueError("the secret holds no key set")
        return cls(keys)


def _is_jwk(jwk: object) -> bool:
    return isinstance(jwk, dict) and all(
        isinstance(jwk.get(name), str) for name in (*PUBLIC_MEMBERS, *RSA_MEMBERS)
    )


def new_jwk() -> dict[str, str]:
    """Generate an RSA key of 2,048 bits with its thumbprint as ``kid`` (RFC 7638)."""
    from jwcrypto import jwk

    key = jwk.JWK.generate(kty="RSA", size=2048, alg="RS256")
    content: dict[str, str] = key.export(private_key=True, as_dict=True)
    return {**content, "kid": key.thumbprint()}


def private_key(jwk: Mapping[str, str]) -> RSAPrivateKey:
    """Load the private key of a JWK from ``new_jwk``; raises ValueError when it is damaged.

    The loader of ``cryptography`` tests primality, which takes 36 ms, a sixth of a cold start. The
    primes were tested when the key was made. Checking that all numbers are consistent takes
    microseconds.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa

    n, e, d, p, q, dp, dq, qi = (_number(jwk[name]) for name in RSA_MEMBERS)
    halves = ((p, dp), (q, dq))
    fits = p * q == n and qi < p and qi * q % p == 1
    if not fits or any(d % (prime - 1) != part for prime, part in halves):
        raise ValueError("the signing key is damaged")
    if any(e * part % (prime - 1) != 1 for prime, part in halves):
        raise ValueError("the signing key is damaged")
    numbers = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


class Signer:
    """Signer of token sets; loads each private key once and caches up to ``MOST_LOADED``."""

    def __init__(self) -> None:
        self._loaded: dict[str, RSAPrivateKey] = {}

    def sign(self, outcome: Outcome, key: SigningKey) -> dict[str, str]:
        """Return the three tokens of a row: ``access_token``, ``refresh_token``, ``id_token``."""
        import jwt

        private = self._loaded.get(key.key_id)
        if private is None:
            private = private_key(key.jwk)
            while len(self._loaded) >= MOST_LOADED:
                self._loaded.pop(next(iter(self._loaded)), None)
            self._loaded[key.key_id] = private
        return {
            f"{use}_token": jwt.encode(
                claims(outcome, use), private, algorithm="RS256", headers={"kid": key.key_id}
            )
            for use in TOKEN_USES
        }
