# SPDX-License-Identifier: Apache-2.0
"""Ports of the keys that sign and verify the credentials of a gate."""

from __future__ import annotations

from typing import Protocol

from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.root_keys import RootKeys


class GateKeySource(Protocol):
    """Keys of each event, derived from the root keys of the deployment."""

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event that are valid now. Raises NoKeysYet before the set-up.

        The adapter caches the root keys for about a minute.
        """


class RootKeyStore(Protocol):
    """Root keys of the gate in a secret store of their own."""

    def refresh(self) -> RootKeys:
        """Read the current keys; no keys before the first set-up."""

    def save(self, keys: RootKeys, before: RootKeys) -> None:
        """Replace the keys ``before``; raises Conflict when they are not the current ones."""


class GateKeyStore(GateKeySource, RootKeyStore, Protocol):
    """Both ports, as the adapter and the fake implement them."""
