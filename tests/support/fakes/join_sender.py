# SPDX-License-Identifier: Apache-2.0
"""The JoinSender port in memory."""

from __future__ import annotations

import uuid


class MemoryJoinSender:
    """Keeps the joins that were sent: request id, event id and hash of the client secret."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    def send(self, event_id: str, client_secret_hash: str) -> str:
        """Keep a join."""
        request_id = str(uuid.uuid4())
        self.sent.append((request_id, event_id, client_secret_hash))
        return request_id
