# SPDX-License-Identifier: Apache-2.0
"""Constants and helpers of the OpenID provider's tests."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jwt

from tests.support.in_memory_room import EVENT
from tests.support.openid_room import (
    OpenId,
)

VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
JSON = "application/json"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def public_key(openid: OpenId, token: str) -> Any:
    kid = jwt.get_unverified_header(token)["kid"]
    keys = openid.get("/.well-known/jwks.json").json["keys"]
    return jwt.PyJWK(next(key for key in keys if key["kid"] == kid)).key


def claims_of(openid: OpenId, token: str, issuer: str) -> dict[str, Any]:
    """The claims of a token whose signature holds; times are the room's."""
    return jwt.decode(
        token,
        public_key(openid, token),
        algorithms=["RS256"],
        audience=EVENT,
        issuer=issuer,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
