# SPDX-License-Identifier: Apache-2.0
"""What the deployment decided about the OpenID provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from waiting_room.authorizer_settings import check_public_api
from waiting_room.oidc import TRANSACTION_LIFE, check_redirect_uris
from waiting_room.settings import SettingsError

RESTART_AFTER = 150  # s; shorter than any client's memory known here: WordPress has 3 minutes
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
    the login again; an empty one leaves that out.
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

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> OpenIdSettings:
        """Read the settings; raises SettingsError with one sentence naming what is wrong."""
        values = [env.get(name, "").strip() for name in REQUIRED]
        for name, value in zip(REQUIRED, values, strict=True):
            if not value:
                raise SettingsError(f"The setting {name} is missing.")
        event_id, public_api, issuer, waiting, secret, uris, table, signing, tokens = values
        restart = env.get("OPENID_RESTART_URL", "").strip()
        after = env.get("OPENID_RESTART_AFTER", "").strip() or str(RESTART_AFTER)
        if not (after.isascii() and after.isdigit() and 60 <= int(after) <= TRANSACTION_LIFE):
            raise SettingsError(
                f"The setting OPENID_RESTART_AFTER must be from 60 to {TRANSACTION_LIFE} seconds."
            )
        return cls(
            event_id=event_id,
            public_api=check_public_api(public_api, "PUBLIC_API_ENDPOINT"),
            issuer=issuer.rstrip("/"),
            waiting_room_url=waiting,
            client_secret_id=secret,
            redirect_uris=_addresses("OPENID_REDIRECT_URIS", uris),
            codes_table=table,
            signing_secret=signing,
            token_issuer=tokens,
            restart_url="".join(_addresses("OPENID_RESTART_URL", restart)[:1]),
            restart_after=int(after),
        )


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
            content = json.loads(text)
            secret = content["client_secret"]
            key = content.get("transaction_key") or secret
        except (ValueError, KeyError, TypeError, AttributeError):
            secret = key = None
        if not (isinstance(secret, str) and isinstance(key, str) and len(secret) >= 16 <= len(key)):
            raise SettingsError(
                "The secret of OPENID_CLIENT_SECRET_ID must be a JSON object with client_secret "
                "and transaction_key of 16 characters or more."
            )
        return cls(secret, key)
