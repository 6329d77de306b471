# SPDX-License-Identifier: Apache-2.0
"""Secrets in Secrets Manager, cached by a warm function: the signing keys, and others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Generic, TypeVar

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.domain.errors import Conflict, NoKeysYet
from waiting_room.domain.signing_keys import KeySet

WHAT = "the secret store"
CURRENT, PROPOSED = "AWSCURRENT", "PROPOSED"  # staging labels: in use, and proposed


T = TypeVar("T")


def secret_text(client: Any, secret_id: str) -> str:
    """Return the current text of a secret; raises Unavailable."""
    with translate_errors(WHAT):
        response = client.get_secret_value(SecretId=secret_id)
    return str(response["SecretString"])


class CachedSecret(Generic[T]):
    """A secret that ``parse`` reads, refreshed after ``keep`` seconds.

    After a rotation the new content is in use within that time. In an outage of the secret store
    the last content stays in use (``RefreshingValue``).
    """

    def __init__(
        self,
        client: Any,
        secret_id: str,
        parse: Callable[[str], T],
        monotonic: Callable[[], float],
        keep: float,
    ) -> None:
        self._cached = RefreshingValue(
            lambda: parse(secret_text(client, secret_id)), keep, monotonic, "the secret"
        )

    def load(self) -> T:
        """Return the content. Raises Unavailable without any, and what ``parse`` raises."""
        return self._cached.get()


class SecretsManagerKeys:
    """The KeyStore port. In an outage of the secret store the last keys stay in use."""

    def __init__(
        self, client: Any, secret_id: str, monotonic: Callable[[], float], keep: float
    ) -> None:
        self._client, self._secret_id = client, secret_id
        self._kept = RefreshingValue(self._read, keep, monotonic, "the signing keys")

    def load(self) -> KeySet:
        """Return the keys, refreshed after ``keep`` seconds."""
        keys = self._kept.get()
        if not keys.keys and not (keys := self.refresh()).keys:
            raise NoKeysYet
        return keys

    def refresh(self) -> KeySet:
        """Read the current keys; an empty set before the first."""
        return self._kept.refresh()

    def save(self, keys: KeySet, before: KeySet) -> None:
        """Replace the keys ``before``: the label moves only from their version."""
        with translate_errors(WHAT):
            made = self._client.put_secret_value(
                SecretId=self._secret_id, SecretString=keys.to_json(), VersionStages=[PROPOSED]
            )["VersionId"]
            if before.version:
                self._move(made, before.version)
        if self._read().version != made:
            raise Conflict
        self._kept.hold(replace(keys, version=made))

    def _move(self, made: str, previous: str) -> None:
        """Make a version the current one, unless another version replaced ``previous``."""
        refused = self._client.exceptions
        # ``save`` checks the current version: this call may also have been sent twice
        with suppress(refused.InvalidParameterException, refused.InvalidRequestException):
            self._client.update_secret_version_stage(
                SecretId=self._secret_id,
                VersionStage=CURRENT,
                MoveToVersionId=made,
                RemoveFromVersionId=previous,
            )

    def _read(self) -> KeySet:
        try:
            with translate_errors(WHAT):
                response = self._client.get_secret_value(
                    SecretId=self._secret_id, VersionStage=CURRENT
                )
        except self._client.exceptions.ResourceNotFoundException:
            return KeySet(())
        try:
            keys = KeySet.from_json(str(response["SecretString"]))
        except (ValueError, KeyError, TypeError):
            keys = KeySet(())  # a new secret has a random text
        return replace(keys, version=str(response["VersionId"]))
