# SPDX-License-Identifier: Apache-2.0
"""Port of the keys that sign and verify the credentials of a gate."""

from __future__ import annotations

from typing import Protocol

from waiting_room.domain.gate.credentials import GateKeys


class GateKeySource(Protocol):
    """Keys of each event, derived from the root keys of the deployment."""

    def keys(self, event_id: str) -> GateKeys:
        """Return the keys of an event that are valid now. Raises NoKeysYet before the set-up.

        The adapter caches the root keys for about a minute.
        """
