# SPDX-License-Identifier: Apache-2.0
"""Settings of the API Gateway authorizer from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.authorizer.settings import (
    KEY_CACHE_SECONDS,
    MAX_KEY_CACHE_SECONDS,
    MAX_REVOCATION_CACHE_SECONDS,
    REVOCATION_CACHE_SECONDS,
    AuthorizerSettings,
)
from waiting_room.authorizer.verifier import Expected
from waiting_room.runtime.settings.environment import address, event_id, flag, number, text


def read_authorizer_settings(env: Mapping[str, str]) -> AuthorizerSettings:
    """Read the settings of an authorizer. Raises SettingsError, which names the wrong setting."""
    return AuthorizerSettings(
        expected=Expected(event_id(env, "WAITING_ROOM_EVENT_ID"), text(env, "ISSUER")),
        public_api=address(env, "PUBLIC_API_ENDPOINT"),
        revocation_check=flag(env, "REVOCATION_CHECK"),
        key_cache=number(env, "KEY_CACHE_SECONDS", KEY_CACHE_SECONDS, 1, MAX_KEY_CACHE_SECONDS),
        revocation_cache=number(
            env,
            "REVOCATION_CACHE_SECONDS",
            REVOCATION_CACHE_SECONDS,
            1,
            MAX_REVOCATION_CACHE_SECONDS,
        ),
    )
