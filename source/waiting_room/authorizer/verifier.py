# SPDX-License-Identifier: Apache-2.0
"""Verification of access tokens: an ``Authorization`` header in, a decision out.

``Accepted`` has the claims. ``Rejected`` is a readable token that is not valid here. ``NoToken``
is a missing or unreadable token. The reason is for the log only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import jwt

from waiting_room.domain.parsing import UNREADABLE, is_whole

if TYPE_CHECKING:  # the ports need libraries that a site behind a gate does not have
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.tokens import Claims

ALGORITHM = "RS256"
MAX_TOKEN = 8_192  # characters; the room's tokens have about 700, API Gateway passes 10,240 bytes
CLOCK_SKEW = 2  # seconds by which this clock may be behind the room's
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)  # RFC 7515, 7.1: no padding
REQUIRED_CLAIMS = ("exp", "nbf", "aud", "iss", "sub", "token_use")
TIME_CLAIMS = ("exp", "nbf", "iat")
EXPIRED, ENDED = "the token is expired", "the session was ended"  # reasons that callers compare
CONTEXT_CLAIMS = ("aud", "sub", "queue_position", "token_use", "iat", "nbf", "exp", "iss")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The token is valid. ``claims`` is flat: texts and whole numbers."""

    claims: Claims

    @property
    def request_id(self) -> str:
        """The visitor's request id: the token's ``sub``."""
        return str(self.claims["sub"])


@dataclass(frozen=True, slots=True)
class Rejected:
    """The token can be read and is not valid here."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoToken:
    """The header has no token that can be read."""

    reason: str


Decision = Accepted | Rejected | NoToken


@dataclass(frozen=True, slots=True)
class Expected:
    """The required event (``aud``) and issuer (``iss``) of a token."""

    event_id: str
    issuer: str
    clock_skew: int = CLOCK_SKEW


class VerificationKeys(Protocol):
    """The room's public keys."""

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the RS256 key with this ``kid``; without a ``kid`` the only key; else None.

        Raises Unavailable when no keys are known and the room cannot be reached.
        """

    def reachable(self) -> bool:
        """Return whether the last request to the room succeeded."""


class EndedSessions(Protocol):
    """Sessions that were completed or abandoned before their token expires."""

    def has(self, request_id: str) -> bool:
        """Return whether this visitor's session ended. Raises Unavailable when that is unknown."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies tokens. With ``ended``, it also rejects tokens of ended sessions."""

    expected: Expected
    keys: VerificationKeys
    now: Clock
    ended: EndedSessions | None = None

    def check(self, header: object) -> Decision:
        """Decide on an ``Authorization`` header: a raw token or ``Bearer <token>``.

        Raises Unavailable when the keys or the ended sessions are unknown.
        """
        token = token_from_header(header)
        if token is None:
            return NoToken("the header holds no token")
        if len(token) > MAX_TOKEN:
            return NoToken("the token is too long")
        if not COMPACT.fullmatch(token):
            return NoToken("the token is no signed JWT")
        try:
            parts = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, *UNREADABLE):
            return NoToken("the token cannot be read")
        if parts.get("alg") != ALGORITHM:
            return Rejected("the token is not signed with RS256")
        key = self.keys.find(parts.get("kid"))
        if key is None:
            return Rejected("the token is signed with an unknown key")
        decision = verify(token, key, self.expected, self.now())
        if isinstance(decision, Accepted) and self.ended and self.ended.has(decision.request_id):
            return Rejected(ENDED)
        return decision


def token_from_header(header: object) -> str | None:
    """Return the token of a header, or None. The scheme may be in any letter case."""
    if not isinstance(header, str) or not header.isascii():
        return None
    scheme, _, rest = header.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else header.strip()
    return token if token and " " not in token else None


def verify(token: str, key: jwt.PyJWK, expected: Expected, now: float) -> Accepted | Rejected:
    """Check the signature, then the claims; every claim that is checked is required."""
    try:
        claims = jwt.decode(
            token,
            key.key,  # PyJWT before 2.9 takes no PyJWK
            algorithms=[ALGORITHM],
            audience=expected.event_id,
            issuer=expected.issuer,
            options={
                "require": list(REQUIRED_CLAIMS),
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                # `check_claims` checks the times, against the clock that it is given
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidSignatureError:
        return Rejected("the signature is wrong")
    except jwt.InvalidAudienceError:
        return Rejected("the token is for another event")
    except jwt.InvalidIssuerError:
        return Rejected("the token is from another issuer")
    except jwt.MissingRequiredClaimError as error:
        return Rejected(f"the token lacks {error.claim}")
    except (jwt.PyJWTError, *UNREADABLE) as error:
        return Rejected(f"the token does not verify: {type(error).__name__}")
    return check_claims(claims, expected, now)


def check_claims(claims: Mapping[str, Any], expected: Expected, now: float) -> Accepted | Rejected:
    """Decide on the claims of a token with a valid signature. ``now`` in epoch seconds."""
    if claims.get("aud") != expected.event_id:
        return Rejected("the token is for another event")
    if claims.get("iss") != expected.issuer:
        return Rejected("the token is from another issuer")
    if claims.get("token_use") != "access":
        return Rejected("the token is not an access token")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        return Rejected("the token names no visitor")
    if not all(is_whole(claims[name]) for name in TIME_CLAIMS if name in claims):
        return Rejected("a time of the token is not a whole number")
    if not ("nbf" in claims and claims["nbf"] <= now + expected.clock_skew):
        return Rejected("the token is not valid yet")
    if not ("exp" in claims and now < claims["exp"]):
        return Rejected(EXPIRED)
    return Accepted({name: claims[name] for name in CONTEXT_CLAIMS if _is_flat(claims.get(name))})


def _is_flat(value: object) -> bool:
    return isinstance(value, str) or is_whole(value)
