# SPDX-License-Identifier: Apache-2.0
"""Settings of the OpenID provider from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.domain.errors import SettingsError
from waiting_room.domain.room_settings import KEY_CACHE
from waiting_room.openid.protocol import TRANSACTION_LIFE, check_redirect_uris
from waiting_room.openid.settings import RESTART_AFTER, OpenIdSettings
from waiting_room.runtime.settings.environment import (
    address,
    event_id,
    flag,
    number,
    raw,
    required,
    text,
)


def read_openid_settings(env: Mapping[str, str]) -> OpenIdSettings:
    """Read the settings of the provider. Raises SettingsError, which names the wrong setting."""
    restart = _addresses("OPENID_RESTART_URL", raw(env, "OPENID_RESTART_URL"))
    return OpenIdSettings(
        event_id=event_id(env, "EVENT_ID"),
        public_api=address(env, "PUBLIC_API_ENDPOINT"),
        issuer=address(env, "OPENID_ISSUER"),
        waiting_room_url=text(env, "WAITING_ROOM_URL"),
        client_secret_id=text(env, "OPENID_CLIENT_SECRET_ID"),
        redirect_uris=_addresses("OPENID_REDIRECT_URIS", required(env, "OPENID_REDIRECT_URIS")),
        codes_table=text(env, "OPENID_CODES_TABLE"),
        signing_secret=text(env, "SIGNING_KEYS_SECRET"),
        token_issuer=text(env, "TOKEN_ISSUER"),
        restart_url=restart[0] if restart else "",
        restart_after=number(env, "OPENID_RESTART_AFTER", RESTART_AFTER, 60, TRANSACTION_LIFE),
        signing_key_cache=number(env, "SIGNING_KEY_CACHE_SECONDS", KEY_CACHE, 1, 300),
        request_id_codes=flag(env, "OPENID_REQUEST_ID_CODES"),
    )


def _addresses(setting: str, addresses: str) -> tuple[str, ...]:
    """Split and check addresses that are separated by spaces."""
    try:
        return check_redirect_uris(addresses.split())
    except ValueError as error:
        raise SettingsError(f"The setting {setting}: {error}.") from None
