# SPDX-License-Identifier: Apache-2.0
"""Settings of a gate, as a site passes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import jwt

from waiting_room.authorizer.settings import (
    KEY_CACHE_SECONDS,
    MAX_KEY_CACHE_SECONDS,
    MAX_REVOCATION_CACHE_SECONDS,
    REVOCATION_CACHE_SECONDS,
    AuthorizerSettings,
)
from waiting_room.authorizer.verifier import Expected
from waiting_room.domain.errors import SettingsError
from waiting_room.domain.limits import SHOWN
from waiting_room.domain.parsing import LOOPBACK, check_address
from waiting_room.gate.origins import is_origin, origin_of
from waiting_room.gate.path_rules import is_normalised, is_protected

MIN_SECRET = 32  # bytes: as long as the hash of HS256 (RFC 7518, 3.2)
CLOCK_SKEW, LONGEST_CLOCK_SKEW = 60, 60  # seconds that the site's clock may be behind the room's
MAX_EVENT_ID = 64  # characters; the names of the cookies contain it
MAX_ENTRANCE, MAX_ADDRESS = 256, 2_048  # characters
MIN_PYJWT = (2, 4)
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
RESERVED_HEADERS = frozenset({
    "accept", "connection", "content-length", "content-type", "cookie", "host", "origin",
    "purpose", "referer", "te", "trailer", "transfer-encoding", "upgrade", "x-moz",
    "x-requested-with",
})  # fmt: skip
RESERVED_PREFIXES = ("access-control-", "sec-")  # beginnings of names of headers
PATTERN = re.compile(r"[*\[\]{}<>|^]|/:|[$\s]\Z", re.ASCII)  # signs of patterns, not of paths


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Settings of a gate. Raises SettingsError, which names the wrong setting and the rule.

    ``include`` and ``exclude`` are paths with everything below them. The longest rule that matches
    a path decides; ``include`` wins a tie. With ``fail_open``, the gate allows everyone while the
    room cannot be reached; otherwise it then allows only visitors with a session. ``old_secrets``
    verify, but never sign. Pages of ``entrance_origins`` may deliver a token, as the waiting page
    does. Scripts of ``cors_origins`` may call the site from another origin. ``site_origin`` is the
    site's own origin, for checks that need it. Times are in seconds.
    """

    event_id: str
    issuer: str
    public_api: str
    waiting_room_url: str
    secret: str = field(repr=False)
    old_secrets: tuple[str, ...] = field(default=(), repr=False)
    include: tuple[str, ...] = ("/",)
    exclude: tuple[str, ...] = ()
    entrance_origins: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    site_origin: str = ""
    fail_open: bool = False
    revocation_check: bool = False
    header: str = "Authorization"
    entrance: str = "/waiting-room/enter"
    secure_cookie: bool = True
    clock_skew: int = CLOCK_SKEW
    key_cache: int = KEY_CACHE_SECONDS
    revocation_cache: int = REVOCATION_CACHE_SECONDS

    def __post_init__(self) -> None:
        _check_pyjwt(jwt.__version__)
        for name in ("event_id", "issuer", "public_api", "waiting_room_url"):
            _check_text(name, getattr(self, name))
        if len(self.event_id) > MAX_EVENT_ID:
            raise SettingsError(
                f"The setting event_id must have at most {MAX_EVENT_ID} characters."
            )
        for name in ("fail_open", "revocation_check", "secure_cookie"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"The setting {name} must be True or False.")
        for name, least, most in (
            ("clock_skew", 0, LONGEST_CLOCK_SKEW),
            ("key_cache", 1, MAX_KEY_CACHE_SECONDS),
            ("revocation_cache", 1, MAX_REVOCATION_CACHE_SECONDS),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise SettingsError(
                    f"The setting {name} must be whole seconds from {least} to {most}."
                )
        for name in ("old_secrets", "include", "exclude", "entrance_origins", "cors_origins"):
            values = getattr(self, name)
            if not isinstance(values, tuple | list) or not all(
                isinstance(value, str) for value in values
            ):
                raise SettingsError(f"The setting {name} must be a list of texts.")
            object.__setattr__(self, name, tuple(values))  # immutable after the checks
        _check_public_api(self.public_api)
        _check_secret("secret", self.secret)
        for secret in self.old_secrets:
            _check_secret("old_secrets", secret)
        self._check_origins()
        self._check_paths()
        if not isinstance(self.header, str) or not HEADER_NAME.fullmatch(self.header):
            raise SettingsError("The setting header must be the name of a header.")
        if self.header.lower() in RESERVED_HEADERS or self.header.lower().startswith(
            RESERVED_PREFIXES
        ):
            raise SettingsError(
                "The setting header must not be a header that HTTP or browsers use, such as Cookie"
                " or Origin: use a name of your own."
            )

    @classmethod
    def from_mapping(cls, members: Mapping[str, Any]) -> Self:
        """Read a configuration file's members. Raises SettingsError, also for unknown members."""
        known = {member.name: member for member in fields(cls)}
        for name in members:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise SettingsError(f"There is no setting {str(name)[:SHOWN]!r}.{hint}")
        for name, member in known.items():
            if member.default is MISSING and name not in members:
                raise SettingsError(f"The setting {name} is missing.")
        return cls(**members)

    def _check_origins(self) -> None:
        for name in ("entrance_origins", "cors_origins"):
            if not all(is_origin(value) for value in getattr(self, name)):
                raise SettingsError(
                    f"The setting {name} must be origins such as https://shop.example."
                )
        site = self.site_origin
        if site != "" and not (isinstance(site, str) and is_origin(site)):
            raise SettingsError(
                "The setting site_origin must be an origin such as https://shop.example."
            )
        if site.startswith("http:") and self.secure_cookie:
            raise SettingsError(
                "The setting secure_cookie must be False for a site_origin with http: browsers"
                " store Secure cookies over https only."
            )
        for name, addresses in (
            ("waiting_room_url", (self.waiting_room_url,)),
            ("entrance_origins", self.entrance_origins),
        ):
            if self.secure_cookie and any(_is_plain_http(address) for address in addresses):
                raise SettingsError(
                    f"The setting {name} must use https: tokens sent over http can be intercepted."
                )

    def _check_paths(self) -> None:
        if not self.include:
            raise SettingsError("The setting include must name at least one path.")
        for name in ("include", "exclude"):
            if not all(_is_rule(rule) for rule in getattr(self, name)):
                raise SettingsError(
                    f"The setting {name} must be percent-decoded, normalised paths that start with "
                    "a slash, without a wildcard, a pattern, a query or a fragment."
                )
        entrance = self.entrance
        if not isinstance(entrance, str) or len(entrance) == 1 or not _is_rule(entrance):
            raise SettingsError(
                "The setting entrance must be a path that starts with a slash, without a query."
            )
        if len(entrance) > MAX_ENTRANCE:
            raise SettingsError(
                f"The setting entrance must have at most {MAX_ENTRANCE} characters."
            )
        address = self.waiting_room_url
        own = address.startswith("/") and not address.startswith("//")
        if "\\" in address or len(address) > MAX_ADDRESS or not (own or origin_of(address)):
            raise SettingsError(
                "The setting waiting_room_url must be an http or https address, or a path of the"
                f" site, of at most {MAX_ADDRESS} characters without a backslash."
            )
        page = unquote(urlsplit(address).path if not own else re.split("[?#]", address)[0]) or "/"
        if (own or origin_of(address) == self.site_origin) and (
            is_protected(page, self.include, self.exclude) or page == entrance
        ):
            raise SettingsError(
                "The setting waiting_room_url is a path behind the gate: exclude that path."
            )

    @property
    def authorizer(self) -> AuthorizerSettings:
        """Convert to the settings of the verifier."""
        return AuthorizerSettings(
            expected=Expected(self.event_id, self.issuer, self.clock_skew),
            public_api=self.public_api.rstrip("/"),
            revocation_check=self.revocation_check,
            key_cache=self.key_cache,
            revocation_cache=self.revocation_cache,
        )

    @property
    def cookie_name(self) -> str:
        """Name of the event's session cookie; its prefix binds it to this host on HTTPS."""
        return f"{self._prefix}waiting-room-{quote(self.event_id, safe='')}"

    @property
    def return_cookie_name(self) -> str:
        """Name of the cookie with the return address; no session cookie has this name."""
        return f"{self._prefix}waiting-room_return-{quote(self.event_id, safe='')}"

    @property
    def _prefix(self) -> str:
        return "__Host-" if self.secure_cookie else ""


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(f"The setting {name} is missing.")
    if not value.isprintable() or value != value.strip():
        raise SettingsError(
            f"The setting {name} must be printable text without spaces at its ends."
        )
    if name not in ("event_id", "issuer") and not value.isascii():
        raise SettingsError(f"The setting {name} must be ASCII.")


def _is_rule(path: str) -> bool:
    """Return whether a text is one path in its shortest spelling, and no pattern."""
    return is_normalised(path) and not PATTERN.search(path)


def _is_plain_http(address: str) -> bool:
    """Return whether an address is plain http of another machine."""
    origin = origin_of(address) or ""
    return origin.startswith("http:") and urlsplit(origin).hostname not in LOOPBACK


def _check_secret(name: str, secret: object) -> None:
    try:
        long_enough = isinstance(secret, str) and len(secret.encode()) >= MIN_SECRET
    except UnicodeEncodeError:
        long_enough = False
    if not long_enough:
        raise SettingsError(f"The setting {name} must have at least {MIN_SECRET} bytes of text.")


def _check_public_api(address: str) -> None:
    unfit = SettingsError(
        "The setting public_api must be an https address, or an http address of this machine, with "
        "a port up to 65535."
    )
    try:
        check_address(address, "public_api")
    except ValueError as error:  # an invalid host or port
        raise unfit from error
    if origin_of(address) is None:
        raise unfit


def _check_pyjwt(version: str) -> None:
    """Raise SettingsError for a PyJWT that is too old."""
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    if numbers and tuple(map(int, numbers.groups())) < MIN_PYJWT:
        raise SettingsError("The gate needs PyJWT 2.4 or newer.")
