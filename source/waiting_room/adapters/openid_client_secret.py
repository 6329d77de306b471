# SPDX-License-Identifier: Apache-2.0
"""The secrets of the OpenID client, kept by a warm function for a limited time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waiting_room.adapters.secrets_manager import secret_text
from waiting_room.domain.errors import Unavailable
from waiting_room.openid.settings import ClientSecrets


class SecretsClient:
    """Reads the secret again after ``keep`` seconds, so that a rotated one is taken up."""

    def __init__(
        self, client: Any, secret_id: str, monotonic: Callable[[], float], keep: float
    ) -> None:
        self._client, self._secret_id, self._monotonic = client, secret_id, monotonic
        self._keep = keep
        self._secrets: ClientSecrets | None = None
        self._read_at = 0.0

    def load(self) -> ClientSecrets:
        """The secrets; the last good ones serve on while the store cannot be read."""
        if self._secrets is None or self._monotonic() - self._read_at >= self._keep:
            try:
                self._secrets = ClientSecrets.from_json(secret_text(self._client, self._secret_id))
            except Unavailable:
                if self._secrets is None:
                    raise
            self._read_at = self._monotonic()
        return self._secrets
