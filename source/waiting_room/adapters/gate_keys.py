# SPDX-License-Identifier: Apache-2.0
"""Root keys of the gate in Secrets Manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waiting_room.adapters.stored_keys import StoredKeys
from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.root_keys import RootKeys


class SecretsManagerGateKeys(StoredKeys[RootKeys]):
    """The GateKeyStore port; ``clock`` (epoch s) decides which key signs."""

    def __init__(
        self,
        client: Any,
        secret_id: str,
        monotonic: Callable[[], float],
        keep: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(
            client, secret_id, monotonic, keep, "the keys of the gate", RootKeys(),
            RootKeys.from_json,
        )  # fmt: skip
        self._clock = clock

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event. Raises NoKeysYet before the set-up."""
        return self.load().of_event(event_id, self._clock())
