# SPDX-License-Identifier: Apache-2.0
"""Claims of a token by a given clock that is far behind the real one."""

from __future__ import annotations

from typing import Any

from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.tokens import VISITOR
from waiting_room.authorizer.verifier import Expected

EXPECTED = Expected(EVENT, ISSUER)
LONG_AGO = 1_000_000  # the real clock is far behind it: only the given one may count
CLAIMS: dict[str, Any] = {
    "aud": EVENT, "sub": VISITOR, "queue_position": 7, "token_use": "access",
    "iat": LONG_AGO, "nbf": LONG_AGO, "exp": LONG_AGO + 100, "iss": ISSUER,
}  # fmt: skip
