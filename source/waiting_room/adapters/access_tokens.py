# SPDX-License-Identifier: Apache-2.0
"""Verification of access tokens with the published keys of the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jwt

from waiting_room.authorizer.verifier import (
    ALGORITHM,
    EXPIRED,
    Accepted,
    Expected,
    Rejected,
    Verifier,
)
from waiting_room.domain.errors import SessionRefused

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.signing_keys import PublicKeys

UNKNOWN_KEY_PAUSE = 60.0  # s; made-up key ids of callers must not cause a read each


class PublishedKeys:
    """The VerificationKeys port. An unknown ``kid`` reads the keys again, once in a minute."""

    def __init__(self, public_keys: PublicKeys, monotonic: Callable[[], float]) -> None:
        self._keys, self._monotonic = public_keys, monotonic
        self._renewed_at: float | None = None

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key with this ``kid``; None for an unknown one, and without a ``kid``."""
        if key_id is None:
            return None
        found = {key.key_id: key.jwk for key in self._keys.load().keys}
        if key_id not in found and self._may_renew():
            found = {key.key_id: key.jwk for key in self._keys.refresh().keys}
        return jwt.PyJWK(dict(found[key_id]), ALGORITHM) if key_id in found else None

    def reachable(self) -> bool:
        """Return True: a failure raises Unavailable at the look-up."""
        return True

    def _may_renew(self) -> bool:
        now = self._monotonic()
        if self._renewed_at is not None and now - self._renewed_at < UNKNOWN_KEY_PAUSE:
            return False
        self._renewed_at = now
        return True


class VerifiedTokens:
    """The AccessTokens port."""

    def __init__(self, keys: PublishedKeys, issuer: str, clock: Clock) -> None:
        self._keys, self._issuer, self._clock = keys, issuer, clock

    def request_id(self, event_id: str, token: str) -> str:
        """Return the request id of a valid access token of an event."""
        decision = Verifier(Expected(event_id, self._issuer), self._keys, self._clock).check(token)
        if isinstance(decision, Accepted):
            return decision.request_id
        expired = isinstance(decision, Rejected) and decision.reason == EXPIRED
        raise SessionRefused("token_expired" if expired else "invalid_token")
