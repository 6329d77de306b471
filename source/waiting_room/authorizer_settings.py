# SPDX-License-Identifier: Apache-2.0
"""What the deployment decided about a door: whose tokens open it, how fresh its knowledge is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from waiting_room.authorizer import Expected
from waiting_room.settings import SettingsError

# A new key is published 300 s before it signs. Kept 120 s here and 60 s at the edge, it is known
# everywhere in time, whatever unknown keys callers make up meanwhile.
KEY_CACHE_SECONDS, LONGEST_KEY_CACHE = 120, 180
REVOCATION_CACHE_SECONDS, LONGEST_REVOCATION_CACHE = 5, 60
LOOPBACK = ("localhost", "127.0.0.1", "::1")
FLAGS = {"": False, "false": False, "true": True}


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
        flag = env.get("REVOCATION_CHECK", "").strip().lower()
        if flag not in FLAGS:
            raise SettingsError("The setting REVOCATION_CHECK must be true or false.")
        return cls(
            expected=Expected(_text(env, "WAITING_ROOM_EVENT_ID"), _text(env, "ISSUER")),
            public_api=check_public_api(_text(env, "PUBLIC_API_ENDPOINT"), "PUBLIC_API_ENDPOINT"),
            revocation_check=FLAGS[flag],
            key_cache=_seconds(env, "KEY_CACHE_SECONDS", KEY_CACHE_SECONDS, LONGEST_KEY_CACHE),
            revocation_cache=_seconds(
                env, "REVOCATION_CACHE_SECONDS", REVOCATION_CACHE_SECONDS, LONGEST_REVOCATION_CACHE
            ),
        )


def check_public_api(address: str, setting: str) -> str:
    """The address of the room's public API; plain HTTP only on this machine.

    Raises SettingsError: keys that came over an open line prove nothing.
    """
    parts = urlsplit(address)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.hostname and (parts.scheme == "https" or plain)) or parts.query or parts.fragment:
        raise SettingsError(f"The setting {setting} must be an https address.")
    return address.rstrip("/")


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise SettingsError(f"The setting {name} is missing.")
    return value


def _seconds(env: Mapping[str, str], name: str, default: int, longest: int) -> int:
    text = env.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= longest):
        raise SettingsError(f"The setting {name} must be whole seconds from 1 to {longest}.")
    return int(text)
