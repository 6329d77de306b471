# SPDX-License-Identifier: Apache-2.0
"""The signing keys in use: the secret half signs, the public half is published before it does.

``domain/published_keys.py`` describes why a change of the keys is safe.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
from waiting_room.domain.ports.clock import Clock
from waiting_room.domain.ports.signing_keys import KeyStore, PublicKeys
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.records import Outcome
from waiting_room.domain.room_settings import RoomSettings
from waiting_room.domain.signing_keys import KeySet, SigningKey
from waiting_room.use_cases import change_log

CHANGE_TIME = 90  # seconds until a change is given up: longer than rotate_keys and set_up may run
MOST_KEYS = 16  # published at once: verifiers take 32; thirty days apart there are two


@dataclass(frozen=True, slots=True)
class KeyDelays:
    """Seconds between the publication of a key and its first signature.

    ``activation`` while another key signs; ``at_once`` when none may, which is as long as an edge
    keeps the public keys.
    """

    activation: int
    at_once: int


LONGEST_KEY_ID = 128  # characters
SET_UP = deployment("set_up")


class SigningKeys:
    """The keys of the deployment, in the secret store and published."""

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
        """The key that signs now: the youngest one whose publication this function has read.

        Raises NoKeysYet, and Unavailable while no published key may sign.
        """
        key = self._public_keys.load().signer(self._keys.load(), now)
        return key or self._looked_up(now)

    def key_for(self, outcome: Outcome) -> SigningKey:
        """The key that a token is signed with; raises TokenExpired once it is retired."""
        key_id = outcome.key_id
        published = self._public_keys.load().holds(key_id)
        if not published and not self._public_keys.refresh().holds(key_id):
            raise _retired()
        key = self._keys.load().by_id(key_id) or self._keys.refresh().by_id(key_id)
        if key is None:
            raise _retired()
        return key

    def public_key(self, event_id: str) -> dict[str, str]:
        """Return the public JWK that verifies tokens signed now; the same for every event."""
        self._settings.event(event_id)
        return self._public_keys.refresh().public_key(self._now())

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return every public key that may verify a valid token."""
        return self._public_keys.refresh().jwks()

    def set_up(self) -> None:
        """Make the first key where there is none, and publish what there is. Withdraws no key.

        Raises KeysBusy when a change of the keys is under way that the room has to wait for.
        """
        published, keys = self._public_keys.refresh(), self._keys.refresh()
        if keys.keys and published.covers(keys):
            return
        now = self._now()
        if published.is_changing(now) and published.signer(keys, now):
            return  # the room can sign; whoever changes the keys also confirms them
        self._change(published, keys, None if keys.keys else self._make_key(), None, SET_UP)

    def rotate(self, revoke: str | None = None, *, actor: Actor = UNKNOWN) -> KeySet:
        """Add a key that signs after its delay; it is published before it is used.

        ``revoke`` is the ``kid`` of a key that leaves secret and publication: its tokens are void.
        Raises UnknownKey when the room has no such key, KeysBusy during another change.
        """
        published, keys = self._public_keys.refresh(), self._keys.refresh()
        if revoke is None and len(published.keys) >= MOST_KEYS:
            raise KeysBusy(f"{MOST_KEYS} keys are published: wait until old ones leave", 3600)
        if revoke is not None and not published.holds(revoke) and not keys.by_id(revoke):
            raise UnknownKey
        self._refuse_second(published)
        return self._change(published, keys, self._make_key(), revoke, actor)

    def _now(self) -> int:
        return int(self._clock())

    def _looked_up(self, now: int) -> SigningKey:
        """Return the key that signs now, after both halves of the keys are read again."""
        published, keys = self._public_keys.refresh(), self._keys.load()
        unknown = any(key.signs(now) and not keys.by_id(key.key_id) for key in published.keys)
        if unknown and not published.signer(keys, now):
            keys = self._keys.refresh()
        key = published.signer(keys, now)
        if key is None:
            starts = published.starts(now)
            raise Unavailable("no published key signs now", 5 if starts is None else starts - now)
        return key

    def _refuse_second(self, published: Publication) -> None:
        now = self._now()
        if published.is_changing(now):
            raise KeysBusy(
                "the keys are being changed by another call", published.lease_until - now
            )

    def _change(
        self,
        published: Publication,
        keys: KeySet,
        added: Mapping[str, str] | None,
        revoke: str | None,
        actor: Actor,
    ) -> KeySet:
        """Announce, save, confirm. Ended anywhere, no key signs that is not published."""
        self._refuse_second(published)
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
        except Conflict:  # or the answer to this very write was lost, and it was sent again
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
    """The ``kid`` of the key that a call revokes, None when it names none; raises InvalidInput.

    Unknown members are rejected, so that a misspelt ``revoke`` is an error.
    """
    for name in content:
        if name not in ("revoke", "event_id"):
            shown = name if NAME.fullmatch(name) else "a member"
            raise InvalidInput(f"{shown} is not expected; revoke is")
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
    return KeysBusy("the keys were changed by another call meanwhile", CHANGE_TIME)
