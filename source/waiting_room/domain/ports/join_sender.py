# SPDX-License-Identifier: Apache-2.0
"""Port of the joins that the entrance makes for clients without scripts."""

from __future__ import annotations

from typing import Protocol


class JoinSender(Protocol):
    """Writes a join to the join queue."""

    def send(self, event_id: str, client_secret_hash: str) -> str:
        """Send a join and return its request id; raises Unavailable."""
