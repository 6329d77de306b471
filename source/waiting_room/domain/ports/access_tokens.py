# SPDX-License-Identifier: Apache-2.0
"""Port of the verification of access tokens."""

from __future__ import annotations

from typing import Protocol


class AccessTokens(Protocol):
    """Verifies access tokens of the room."""

    def request_id(self, event_id: str, token: str) -> str:
        """Return the request id of a valid access token of an event.

        Raises SessionRefused for any other token, and Unavailable while no keys are known.
        """
