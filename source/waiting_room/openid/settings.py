# SPDX-License-Identifier: Apache-2.0
"""What the deployment decided about the OpenID provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import json_object
from waiting_room.domain.room_settings import (
    KEY_CACHE,
    SettingsError,
    _event_id,
    _flag,
    _number,
    _text,
    check_address,
)
from waiting_room.openid.protocol import TRANSACTION_LIFE, check_redirect_uris

RESTART_AFTER = 150  # s; shorter than any client's memory known here: WordPress has 3 minutes
WEAK_CODES = (
    "OPENID_REQUEST_ID_CODES is on: a visitor's request id is a code of the OpenID client, which "
    "works as often as anybody shows it while the token is valid. Whoever sees the address that a "
    "visitor comes back with has the visitor's place."
)
REQUIRED = (
    "EVENT_ID",
    "PUBLIC_API_ENDPOINT",
    "OPENID_ISSUER",
    "WAITING_ROOM_URL",
    "OPENID_CLIENT_SECRET_ID",
    "OPENID_REDIRECT_URIS",
    "OPENID_CODES_TABLE",
    "SIGNING_KEYS_SECRET",
    "TOKEN_ISSUER",
)


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """Names and addresses. ``issuer`` is the provider's, ``token_issuer`` the room's.

    Who waited ``restart_after`` seconds or longer is sent to ``restart_url``, where the site starts
    the login again; an empty one leaves that out. ``request_id_codes``: the waiting page of the AWS
    solution works, whose code is the visitor's request id; it works as often as anybody shows it.
    """

    event_id: str
    public_api: str
    issuer: str
    waiting_room_url: str
    client_secret_id: str
    redirect_uris: tuple[str, ...]
    codes_table: str
    signing_secret: str
    token_issuer: str
    restart_url: str = ""
    restart_after: int = RESTART_AFTER
    signing_key_cache: int = KEY_CACHE
    request_id_codes: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> OpenIdSettings:
        """Read the settings; raises SettingsError with one sentence naming what is wrong."""
        uris = env.get("OPENID_REDIRECT_URIS", "").strip()
        if not uris:
            raise SettingsError("The setting OPENID_REDIRECT_URIS is missing.")
        return cls(
            event_id=_event_id(env, "EVENT_ID"),
            public_api=_address(env, "PUBLIC_API_ENDPOINT"),
            issuer=_address(env, "OPENID_ISSUER"),
            waiting_room_url=_text(env, "WAITING_ROOM_URL"),
            client_secret_id=_text(env, "OPENID_CLIENT_SECRET_ID"),
            redirect_uris=_addresses("OPENID_REDIRECT_URIS", uris),
            codes_table=_text(env, "OPENID_CODES_TABLE"),
            signing_secret=_text(env, "SIGNING_KEYS_SECRET"),
            token_issuer=_text(env, "TOKEN_ISSUER"),
            restart_url="".join(
                _addresses("OPENID_RESTART_URL", env.get("OPENID_RESTART_URL", ""))[:1]
            ),
            restart_after=_number(env, "OPENID_RESTART_AFTER", RESTART_AFTER, 60, TRANSACTION_LIFE),
            signing_key_cache=_number(env, "SIGNING_KEY_CACHE", KEY_CACHE, 1, 300),
            request_id_codes=_flag(env, "OPENID_REQUEST_ID_CODES", False),
        )


def _address(env: Mapping[str, str], name: str) -> str:
    return check_address(_text(env, name), name)


def _addresses(setting: str, text: str) -> tuple[str, ...]:
    try:
        return check_redirect_uris(text.split())
    except ValueError as error:
        raise SettingsError(f"The setting {setting}: {error}.") from None


@dataclass(frozen=True, slots=True)
class ClientSecrets:
    """The secrets of the client and of the transactions."""

    client_secret: str = field(repr=False)
    transaction_key: str = field(repr=False)

    @classmethod
    def from_json(cls, text: str) -> ClientSecrets:
        """Read ``{"client_secret": …, "transaction_key": …}``.

        Without ``transaction_key`` the client secret serves for both (each use derives its own
        key), so that a secret store may generate the whole content. Raises SettingsError.
        """
        try:
            content = json_object(text, "the secret")
        except InvalidInput:
            content = {}
        secret = content.get("client_secret")
        key = content.get("transaction_key") or secret
        if not (isinstance(secret, str) and isinstance(key, str) and len(secret) >= 16 <= len(key)):
            raise SettingsError(
                "The secret of OPENID_CLIENT_SECRET_ID must be a JSON object with client_secret "
                "and transaction_key of 16 characters or more."
            )
        return cls(secret, key)
