# SPDX-License-Identifier: Apache-2.0
"""Keys in a secret of Secrets Manager: read, cached, and replaced only when they are current."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.domain.errors import Conflict, NoKeysYet

if TYPE_CHECKING:
    from waiting_room.domain.gate.root_keys import RootKeys
    from waiting_room.domain.signing_keys import KeySet

WHAT = "the secret store"
CURRENT, PROPOSED = "AWSCURRENT", "PROPOSED"  # staging labels: in use, and proposed


K = TypeVar("K", "KeySet", "RootKeys")


class StoredKeys(Generic[K]):
    """Keys in a secret. In an outage of the secret store the last keys stay in use."""

    def __init__(
        self,
        client: Any,
        secret_id: str,
        monotonic: Callable[[], float],
        keep: float,
        what: str,
        empty: K,
        parse: Callable[[str], K],
    ) -> None:
        self._client, self._secret_id = client, secret_id
        self._empty: K = empty
        self._parse: Callable[[str], K] = parse
        self._kept: RefreshingValue[K] = RefreshingValue(self._read, keep, monotonic, what)

    def load(self) -> K:
        """Return the keys, refreshed after ``keep`` seconds. Raises NoKeysYet."""
        keys = self._kept.get()
        if not keys.keys and not (keys := self.refresh()).keys:
            raise NoKeysYet
        return keys

    def refresh(self) -> K:
        """Read the current keys; an empty set before the first."""
        return self._kept.refresh()

    def save(self, keys: K, before: K) -> None:
        """Replace the keys ``before``; raises Conflict if their version is not the current one."""
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

    def _read(self) -> K:
        try:
            with translate_errors(WHAT):
                response = self._client.get_secret_value(
                    SecretId=self._secret_id, VersionStage=CURRENT
                )
        except self._client.exceptions.ResourceNotFoundException:
            return self._empty
        try:
            keys = self._parse(str(response["SecretString"]))
        except (ValueError, KeyError, TypeError):
            keys = self._empty  # a new secret has a random text
        return replace(keys, version=str(response["VersionId"]))
