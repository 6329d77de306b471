# SPDX-License-Identifier: Apache-2.0
"""The signing keys in Secrets Manager, cached by a warm function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waiting_room.adapters.stored_keys import StoredKeys
from waiting_room.domain.signing_keys import KeySet


class SecretsManagerKeys(StoredKeys[KeySet]):
    """The KeyStore port."""

    def __init__(
        self, client: Any, secret_id: str, monotonic: Callable[[], float], keep: float
    ) -> None:
        super().__init__(
            client, secret_id, monotonic, keep, "the signing keys", KeySet(()), KeySet.from_json
        )
