# SPDX-License-Identifier: Apache-2.0
"""The signing keys in Secrets Manager, kept by a warm function for a limited time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waiting_room.adapters.aws import answering
from waiting_room.errors import NoKeysYet, Unavailable
from waiting_room.settings import KEY_CACHE
from waiting_room.signing import KeySet

WHAT = "the secret store"


def secret_text(client: Any, secret_id: str) -> str:
    """The text of a secret as it stands now."""
    with answering(WHAT):
        answer = client.get_secret_value(SecretId=secret_id)
    return str(answer["SecretString"])


class SecretsKeys:
    """The KeyStore port. The last good keys serve on while the secret store cannot be read."""

    def __init__(
        self,
        client: Any,
        secret_id: str,
        monotonic: Callable[[], float],
        keep: float = KEY_CACHE,
    ) -> None:
        self._client, self._secret_id, self._monotonic = client, secret_id, monotonic
        self._keep = keep
        self._keys: KeySet | None = None
        self._read_at = 0.0

    def load(self) -> KeySet:
        """The keys, read again after ``keep`` seconds."""
        if self._keys is None or self._monotonic() - self._read_at >= self._keep:
            try:
                return self.refresh()
            except Unavailable:
                if self._keys is None:
                    raise
                self._read_at = self._monotonic()
        return self._keys

    def refresh(self) -> KeySet:
        """The keys as they stand now; raises Unavailable when none were made yet."""
        try:
            keys = KeySet.from_json(secret_text(self._client, self._secret_id))
        except (ValueError, KeyError, TypeError):
            raise NoKeysYet from None
        except self._client.exceptions.ResourceNotFoundException:
            raise NoKeysYet from None
        if not keys.keys:
            raise NoKeysYet
        self._keys, self._read_at = keys, self._monotonic()
        return keys

    def save(self, keys: KeySet) -> None:
        """Replace the keys."""
        with answering(WHAT):
            self._client.put_secret_value(SecretId=self._secret_id, SecretString=keys.to_json())
        self._keys, self._read_at = keys, self._monotonic()
