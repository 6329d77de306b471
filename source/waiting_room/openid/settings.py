# SPDX-License-Identifier: Apache-2.0
"""Settings of the OpenID provider, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from waiting_room.domain.errors import InvalidInput, SettingsError
from waiting_room.domain.parsing import json_object
from waiting_room.domain.room_settings import KEY_CACHE

RESTART_AFTER = 150  # s; shorter than the login timeout of known clients: WordPress has 3 minutes
REQUEST_ID_CODES_WARNING = (
    "OPENID_REQUEST_ID_CODES is on: a visitor's request id is a code of the OpenID client, which "
    "can be used repeatedly while the token is valid. Anyone who sees the address with which a "
    "visitor returns can use the visitor's position."
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

    Visitors who waited ``restart_after`` seconds or longer are redirected to ``restart_url``, where
    the site restarts the login; an empty one turns this off. ``request_id_codes`` supports the
    waiting page of the AWS solution. Its code is the visitor's request id, which is not used up.
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


@dataclass(frozen=True, slots=True)
class ClientSecrets:
    """The secrets of the client and of the transactions."""

    client_secret: str = field(repr=False)
    transaction_key: str = field(repr=False)

    @classmethod
    def from_json(cls, text: str) -> ClientSecrets:
        """Read ``{"client_secret": …, "transaction_key": …}``.

        Without ``transaction_key`` the client secret is used for both; each use derives its own
        key. So a secret store may generate the whole content. Raises SettingsError.
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
