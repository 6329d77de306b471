# SPDX-License-Identifier: Apache-2.0
"""Settings of an authorizer or a gate: whose tokens are valid, and how long data is cached."""

from __future__ import annotations

from dataclasses import dataclass

from waiting_room.authorizer.verifier import Expected

# A new key is public 300 s before it signs. Authorizers cache keys for 120 s and the edge for 60 s,
# so every cache holds the key in time, even while callers send made-up key ids.
KEY_CACHE_SECONDS, MAX_KEY_CACHE_SECONDS = 120, 180
REVOCATION_CACHE_SECONDS, MAX_REVOCATION_CACHE_SECONDS = 5, 60


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """Addresses without a slash at the end; times in seconds."""

    expected: Expected
    public_api: str
    revocation_check: bool = False
    key_cache: int = KEY_CACHE_SECONDS
    revocation_cache: int = REVOCATION_CACHE_SECONDS
