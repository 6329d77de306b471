# SPDX-License-Identifier: Apache-2.0
"""Public keys and ended sessions of a room over HTTPS, for authorizers and gates."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import jwt

from waiting_room.adapters.http.json_get import NotFound, get_json
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.authorizer.settings import AuthorizerSettings
from waiting_room.authorizer.verifier import ALGORITHM, Verifier
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.parsing import UNREADABLE

UNKNOWN_KEY_PAUSE = 60.0  # s; made-up key ids of callers must not cause load on the room
MAX_KEYS = 32  # a day of tokens needs two; a larger set is invalid
MAX_KEY_SET_BYTES = 65_536  # bytes
MAX_ENDED_PAGE_BYTES = 131_072  # bytes; a page has 1,000 request ids at most, 40 KB
MAX_ENDED_PAGES = 200  # 200,000 ended sessions with valid tokens; beyond, checks are Unavailable
ENDED_DEADLINE = 10.0  # s for all pages: at the first read, a visitor is waiting
MAX_PAGE_TOKEN = 128  # characters of a next_token
MIN_KEY_BITS = 2048  # RFC 7518, 3.3
MAX_KEY_BITS = 8192  # a longer key makes every check slower without need

Get = Callable[[str, int], Any]
Monotonic = Callable[[], float]


class HttpsKeys:
    """The VerificationKeys port, from ``/.well-known/jwks.json``, or else ``/public_key``.

    Keys are cached for ``keep`` seconds. An unknown ``kid`` refreshes them, at most once per
    minute.
    """

    def __init__(
        self,
        public_api: str,
        event_id: str,
        keep: float,
        monotonic: Monotonic = time.monotonic,
        get: Get = get_json,
    ) -> None:
        self._jwks = f"{public_api}/.well-known/jwks.json"
        self._public_key = f"{public_api}/public_key?event_id={quote(event_id, safe='')}"
        self._get, self._monotonic = get, monotonic
        self._cached = RefreshingValue(self._load, keep, monotonic, "the room's keys")
        self._renewed_at: float | None = None

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key with this ``kid``; without a ``kid`` the only key; else None.

        Raises Unavailable when no keys are known and the room cannot be reached.
        """
        found = _choose(self._cached.get(), key_id)
        if found is None and key_id is not None:
            self._cached.renew(lambda keys: self._may_renew(keys, key_id))
            found = _choose(self._cached.get(), key_id)
        return found

    def reachable(self) -> bool:
        """Return whether the room is reachable, by the last read; reads again when due."""
        try:
            self._cached.get()
        except Unavailable:
            return False
        return self._cached.reachable

    def _may_renew(self, keys: dict[str, jwt.PyJWK], key_id: str) -> bool:
        now, last = self._monotonic(), self._renewed_at
        if key_id in keys or (last is not None and now - last < UNKNOWN_KEY_PAUSE):
            return False
        self._renewed_at = now
        return True

    def _load(self) -> dict[str, jwt.PyJWK]:
        try:
            return read_keys(self._get(self._jwks, MAX_KEY_SET_BYTES))
        except NotFound:
            return read_keys(self._get(self._public_key, MAX_KEY_SET_BYTES))


class HttpsEndedSessions:
    """The EndedSessions port, from the pages of ``/ended_sessions``, cached ``keep`` seconds."""

    def __init__(
        self,
        public_api: str,
        event_id: str,
        keep: float,
        monotonic: Monotonic = time.monotonic,
        get: Get = get_json,
    ) -> None:
        self._address = f"{public_api}/ended_sessions?event_id={quote(event_id, safe='')}"
        self._get, self._monotonic = get, monotonic
        self._cached = RefreshingValue(self._load, keep, monotonic, "the ended sessions")

    def has(self, request_id: str) -> bool:
        """Return whether this visitor's session ended. Raises Unavailable when that is unknown."""
        return request_id.lower() in self._cached.get()

    def _load(self) -> frozenset[str]:
        """Read all pages. Raises Unavailable when there are too many, or they take too long."""
        found: set[str] = set()
        address, end = self._address, self._monotonic() + ENDED_DEADLINE
        for _ in range(MAX_ENDED_PAGES):
            content = self._get(address, MAX_ENDED_PAGE_BYTES)
            ids, token = _ended_page(content)
            found.update(one.lower() for one in ids)
            if token is None:
                return frozenset(found)
            if self._monotonic() > end:
                raise Unavailable("the list of ended sessions takes too long")
            address = f"{self._address}&next_token={quote(token, safe='')}"
        raise Unavailable("the list of ended sessions has too many pages")


def _ended_page(content: Any) -> tuple[list[str], str | None]:
    """Return the request ids of a page, and the token of the next one. Raises Unavailable."""
    ids = content.get("request_ids") if isinstance(content, dict) else None
    if not isinstance(ids, list) or not all(isinstance(entry, str) for entry in ids):
        raise Unavailable("the room returned no list of ended sessions")
    token = content.get("next_token")
    if token is not None and not (isinstance(token, str) and 0 < len(token) <= MAX_PAGE_TOKEN):
        raise Unavailable("the room returned no list of ended sessions")
    return ids, token


def https_verifier(settings: AuthorizerSettings) -> Verifier:
    """Return a verifier that reads from the room; the first check makes the first request."""
    keys = HttpsKeys(settings.public_api, settings.expected.event_id, settings.key_cache)
    ended = (
        HttpsEndedSessions(
            settings.public_api, settings.expected.event_id, settings.revocation_cache
        )
        if settings.revocation_check
        else None
    )
    return Verifier(settings.expected, keys, time.time, ended)


def read_keys(content: Any) -> dict[str, jwt.PyJWK]:
    """Return the usable keys of a JWKS, or of a single JWK, by ``kid``.

    Raises Unavailable without one: invalid input never replaces known keys.
    """
    entries = content.get("keys", [content]) if isinstance(content, dict) else None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise Unavailable("the room returned no key set")
    keys = {key.key_id: key for entry in entries if (key := _read_key(entry)) and key.key_id}
    if not keys:
        raise Unavailable("the room returned no usable key")
    return keys


def _read_key(entry: Any) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA":
        return None
    if entry.get("alg", ALGORITHM) != ALGORITHM or entry.get("use", "sig") != "sig":
        return None
    public = {name: entry.get(name) for name in ("kty", "kid", "n", "e")}
    if not all(isinstance(value, str) for value in public.values()):
        return None
    try:
        key = jwt.PyJWK(public, algorithm=ALGORITHM)
    except (jwt.PyJWTError, *UNREADABLE):
        return None
    return key if MIN_KEY_BITS <= key.key.key_size <= MAX_KEY_BITS else None


def _choose(keys: dict[str, jwt.PyJWK], key_id: str | None) -> jwt.PyJWK | None:
    if key_id is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(key_id)
