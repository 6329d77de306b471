# SPDX-License-Identifier: Apache-2.0
"""Create, publish, rotate and revoke signing keys. A public key is published before it signs.

``domain/published_keys.py`` describes why a rotation is safe.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from waiting_room.domain.actors import UNKNOWN, Actor, deployment
from waiting_room.domain.errors import (
    Conflict,
    InvalidInput,
    KeysBusy,
    TokenExpired,
    Unavailable,
    UnknownKey,
)
from waiting_room.domain.parsing import NAME
from waiting_room.domain.records import Outcome
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.signing_keys import KeySet, SigningKey
from waiting_room.use_cases import change_log

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.signing_keys import KeyStore, PublicKeys
    from waiting_room.domain.published_keys import Publication

CHANGE_TIME = 90  # s for which a rotation blocks others: longer than rotate_keys or set_up runs
MOST_KEYS = 16  # published keys; verifiers accept 32, rotations 30 days apart need 2


@dataclass(frozen=True, slots=True)
class KeyDelays:
    """Seconds between the publication of a key and its first signature.

    ``activation`` applies while another key signs. ``at_once`` applies when none may sign; it is
    the time for which the edge caches the public keys.
    """

    activation: int
    at_once: int


LONGEST_KEY_ID = 128  # characters
SET_UP = deployment("set_up")


class SigningKeys:
    """Signing keys of the deployment: private keys in the secret store, public keys published."""

    def __init__(
        self,
        settings: RoomSettings,
        keys: KeyStore,
        public_keys: PublicKeys,
        clock: Clock,
        delays: KeyDelays,
        make_key: Callable[[], dict[str, str]],
    ) -> None:
        self._settings, self._keys, self._public_keys = settings, keys, public_keys
        self._clock, self._delays, self._make_key = clock, delays, make_key

    @property
    def public_key_max_age(self) -> int:
        """Seconds for which a response with public keys may be cached."""
        return self._settings.public_key_max_age

    def current(self, now: int) -> SigningKey:
        """Return the key that signs now: the newest one whose publication this function has read.

        Raises NoKeysYet; raises Unavailable while no published key may sign.
        """
        key = self._public_keys.load().signer(self._keys.load(), now)
        return key or self._read_again(now)

    def key_for(self, outcome: Outcome) -> SigningKey:
        """Return the key of a token; raises TokenExpired after that key is retired."""
        key_id = outcome.key_id
        published = self._public_keys.load().holds(key_id)
        if not published and not self._public_keys.refresh().holds(key_id):
            raise _retired()
        key = self._keys.load().by_id(key_id) or self._keys.refresh().by_id(key_id)
        if key is None:
            raise _retired()
        return key

    def public_key(self) -> dict[str, str]:
        """Return the public JWK that verifies tokens signed now; the same for every event."""
        return self._public_keys.refresh().public_key(self._now())

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return every public key that may verify a valid token."""
        return self._public_keys.refresh().jwks()

    def set_up(self) -> None:
        """Create the first key if there is none, and publish all keys. Revokes no key.

        Raises KeysBusy while another call changes the keys and no key can sign.
        """
        published, keys = self._public_keys.refresh(), self._keys.refresh()
        if keys.keys and published.covers(keys):
            return
        now = self._now()
        if published.is_changing(now) and published.signer(keys, now):
            return  # a key can sign; the call that changes the keys also confirms them
        self._change(published, keys, None if keys.keys else self._make_key(), None, SET_UP)

    def rotate(self, revoke: str | None = None, *, actor: Actor = UNKNOWN) -> KeySet:
        """Add a key: publish it, and sign with it after its delay.

        ``revoke`` is the ``kid`` of a key to remove at once; its tokens become invalid. Raises
        UnknownKey for another ``kid``, KeysBusy while another call changes the keys.
        """
        published, keys = self._public_keys.refresh(), self._keys.refresh()
        if revoke is None and len(published.keys) >= MOST_KEYS:
            raise KeysBusy(
                f"{MOST_KEYS} keys are published, the maximum; "
                "retry when the room has removed the oldest",
                3600,
            )
        if revoke is not None and not published.holds(revoke) and not keys.by_id(revoke):
            raise UnknownKey
        self._check_no_other_change(published)
        return self._change(published, keys, self._make_key(), revoke, actor)

    def _now(self) -> int:
        return int(self._clock())

    def _read_again(self, now: int) -> SigningKey:
        """Return the key that signs now, after reading the public and private keys again."""
        published, keys = self._public_keys.refresh(), self._keys.load()
        unknown = any(key.signs(now) and not keys.by_id(key.key_id) for key in published.keys)
        if unknown and not published.signer(keys, now):
            keys = self._keys.refresh()
        key = published.signer(keys, now)
        if key is None:
            starts = published.starts(now)
            raise Unavailable("no published key signs now", 5 if starts is None else starts - now)
        return key

    def _check_no_other_change(self, published: Publication) -> None:
        """Raise KeysBusy while another call changes the keys."""
        now = self._now()
        if published.is_changing(now):
            raise KeysBusy(
                "another call is changing the keys; retry later", published.lease_until - now
            )

    def _change(
        self,
        published: Publication,
        keys: KeySet,
        added: Mapping[str, str] | None,
        revoke: str | None,
        actor: Actor,
    ) -> KeySet:
        """Announce, save, confirm. A crash at any step leaves no unpublished key that signs."""
        self._check_no_other_change(published)
        now = self._now()
        starts = self._starts(published, keys, revoke, now)
        wanted = keys.without(revoke)
        if added:
            wanted = wanted.added(added, starts)
        announced = published.announced(
            wanted, now, starts=starts, lease_id=uuid.uuid4().hex, lease_until=now + CHANGE_TIME
        )
        self._publish(announced, published)
        wanted = wanted.those(announced.holds)
        if wanted != keys:
            self._save(wanted, keys)
        self._publish(announced.confirmed(wanted, self._now(), revoke), announced)
        change_log.record("", "signing_keys", actor, _ids(keys), _ids(wanted))
        return wanted

    def _starts(self, published: Publication, keys: KeySet, revoke: str | None, now: int) -> int:
        """Return the time (epoch s) from which a key that is published now signs."""
        if not published.keys:
            return 0
        waits = revoke is None and published.signer(keys, now) is not None
        return now + (self._delays.activation if waits else self._delays.at_once)

    def _publish(self, after: Publication, before: Publication) -> None:
        try:
            self._public_keys.save(after, before)
        except Conflict:  # or this write got no response, and the client sent it again
            if self._public_keys.refresh() != after:
                raise _another() from None

    def _save(self, after: KeySet, before: KeySet) -> None:
        try:
            self._keys.save(after, before)
        except Conflict:
            raise _another() from None


def _ids(keys: KeySet) -> list[str]:
    """Return the public ids of keys."""
    return [key.key_id for key in keys.keys]


def check_rotation(content: Mapping[str, object]) -> str | None:
    """Return the ``kid`` of the key to revoke, or None; raises InvalidInput.

    Unknown members are rejected, so that a misspelt ``revoke`` is an error.
    """
    for name in content:
        if name not in ("revoke", "event_id"):
            shown = name if NAME.fullmatch(name) else "a member"
            raise InvalidInput(
                f"{shown} is not a member of this call; the optional member is revoke"
            )
    value = content.get("revoke")
    if value is None:
        return None
    if isinstance(value, str) and 0 < len(value) <= LONGEST_KEY_ID:
        return value
    raise InvalidInput(
        f"revoke must be the kid of a signing key: a text of 1 to {LONGEST_KEY_ID} characters"
    )


def _retired() -> TokenExpired:
    return TokenExpired("the key of this token has been retired; join again")


def _another() -> KeysBusy:
    return KeysBusy("another call changed the keys at the same time; retry later", CHANGE_TIME)
