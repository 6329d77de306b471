# SPDX-License-Identifier: Apache-2.0
"""What a site decides about its gate."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from waiting_room.authorizer import Expected
from waiting_room.authorizer_settings import (
    KEY_CACHE_SECONDS,
    REVOCATION_CACHE_SECONDS,
    AuthorizerSettings,
    check_public_api,
)
from waiting_room.settings import SettingsError

MIN_SECRET = 32  # bytes: as long as the hash of HS256 (RFC 7518, 3.2)
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Raises SettingsError with one sentence naming what is wrong.

    ``include`` and ``exclude`` are paths with everything below them; the longest rule that fits a
    path decides, and ``include`` wins a tie. ``fail_open`` lets everyone in while the room cannot
    be reached; otherwise nobody new gets in then. ``old_secrets`` still verify, but never sign.
    """

    event_id: str
    issuer: str
    public_api: str
    waiting_room_url: str
    secret: str = field(repr=False)
    old_secrets: tuple[str, ...] = field(default=(), repr=False)
    include: tuple[str, ...] = ("/",)
    exclude: tuple[str, ...] = ()
    fail_open: bool = False
    revocation_check: bool = False
    header: str = "Authorization"
    entrance: str = "/waiting-room/enter"
    secure_cookie: bool = True
    key_cache: int = KEY_CACHE_SECONDS
    revocation_cache: int = REVOCATION_CACHE_SECONDS

    def __post_init__(self) -> None:
        for name in ("event_id", "issuer", "waiting_room_url"):
            if not getattr(self, name):
                raise SettingsError(f"The setting {name} is missing.")
        if not re.fullmatch(r"(https?://|/)[\x21-\x7e]*", self.waiting_room_url):
            raise SettingsError("The setting waiting_room_url must be an address.")
        check_public_api(self.public_api, "public_api")
        for secret in (self.secret, *self.old_secrets):
            if len(secret.encode()) < MIN_SECRET:
                raise SettingsError(f"The setting secret must have at least {MIN_SECRET} bytes.")
        for name in ("include", "exclude"):
            rules = getattr(self, name)
            if isinstance(rules, str) or not all(rule.startswith("/") for rule in rules):
                raise SettingsError(f"The setting {name} must be paths that start with a slash.")
        if not (self.entrance.startswith("/") and len(self.entrance) > 1):
            raise SettingsError("The setting entrance must be a path that starts with a slash.")
        if not HEADER_NAME.fullmatch(self.header):
            raise SettingsError("The setting header must be the name of a header.")

    @property
    def authorizer(self) -> AuthorizerSettings:
        """The same, as the verifier takes it."""
        return AuthorizerSettings(
            expected=Expected(self.event_id, self.issuer),
            public_api=self.public_api.rstrip("/"),
            revocation_check=self.revocation_check,
            key_cache=self.key_cache,
            revocation_cache=self.revocation_cache,
        )

    @property
    def cookie_name(self) -> str:
        """With the prefix that keeps a cookie to this very host, which browsers want Secure."""
        return "__Host-waiting-room" if self.secure_cookie else "waiting-room"
