# SPDX-License-Identifier: Apache-2.0
"""What the deployment decided about a door: whose tokens open it, how fresh its knowledge is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waiting_room.authorizer.verifier import Expected
from waiting_room.domain.room_settings import _event_id, _flag, _number, _text, check_address

# A new key is published 300 s before it signs. Kept 120 s here and 60 s at the edge, it is known
# everywhere in time, whatever unknown keys callers make up meanwhile.
KEY_CACHE_SECONDS, LONGEST_KEY_CACHE = 120, 180
REVOCATION_CACHE_SECONDS, LONGEST_REVOCATION_CACHE = 5, 60


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """Addresses without a slash at the end; times in seconds."""

    expected: Expected
    public_api: str
    revocation_check: bool = False
    key_cache: int = KEY_CACHE_SECONDS
    revocation_cache: int = REVOCATION_CACHE_SECONDS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> AuthorizerSettings:
        """Read the settings; raises SettingsError with one sentence naming what is wrong."""
        return cls(
            expected=Expected(_event_id(env, "WAITING_ROOM_EVENT_ID"), _text(env, "ISSUER")),
            public_api=check_public_api(_text(env, "PUBLIC_API_ENDPOINT"), "PUBLIC_API_ENDPOINT"),
            revocation_check=_flag(env, "REVOCATION_CHECK", False),
            key_cache=_number(env, "KEY_CACHE_SECONDS", KEY_CACHE_SECONDS, 1, LONGEST_KEY_CACHE),
            revocation_cache=_number(
                env,
                "REVOCATION_CACHE_SECONDS",
                REVOCATION_CACHE_SECONDS,
                1,
                LONGEST_REVOCATION_CACHE,
            ),
        )


def check_public_api(address: str, setting: str) -> str:
    """The address of the room's public API; plain HTTP only on this machine.

    Raises SettingsError: keys that came over an open line prove nothing.
    """
    return check_address(address, setting)
