# SPDX-License-Identifier: Apache-2.0
"""The session cookie of the gate: signed, bound to the event, and valid as long as the token."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import jwt

from waiting_room.authorizer.verifier import EXPIRED, Accepted, Expected, Rejected
from waiting_room.domain.tokens import Claims

ALGORITHM = "HS256"
USE = "gate"
MAX_COOKIE = 4096  # characters; browsers store no more
MAX_COOKIES = 4  # of one name; more are an attack
SESSION_CLAIMS = ("sub", "queue_position", "exp")


def seal(claims: Claims, expected: Expected, secret: str) -> str:
    """Return the cookie's value for ``claims``; it is valid until the token's ``exp``."""
    content = {name: claims[name] for name in SESSION_CLAIMS if name in claims}
    bound = {"aud": expected.event_id, "iss": expected.issuer, "token_use": USE}
    return jwt.encode({**content, **bound}, secret, algorithm=ALGORITHM)


def unseal(value: str, expected: Expected, secrets: Iterable[str], now: float) -> Accepted | None:
    """Read a value of ``seal`` with one of ``secrets``; None if it is invalid or expired."""
    found = read_session(value, expected, secrets, now)
    return found if isinstance(found, Accepted) else None


def read_session(
    value: str, expected: Expected, secrets: Iterable[str], now: float
) -> Accepted | Rejected | None:
    """Read as ``unseal``; Rejected for an expired session."""
    if len(value) > MAX_COOKIE:
        return None
    for secret in secrets:
        try:
            claims = jwt.decode(
                value,
                secret,
                algorithms=[ALGORITHM],
                audience=expected.event_id,
                issuer=expected.issuer,
                options={
                    "require": ["exp", "aud", "iss", "sub", "token_use"],
                    "strict_aud": True,
                    "enforce_minimum_key_length": True,
                    "verify_exp": False,  # below, by the time that the caller passes
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            continue
        if _is_session(claims, expected):
            return Accepted(claims) if now < claims["exp"] else Rejected(EXPIRED)
    return None


def values(header: str, name: str) -> Iterator[str]:
    """Return the first values of the cookies of one name in a ``Cookie`` header."""
    found = 0
    for pair in header.split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name and found < MAX_COOKIES:
            found += 1
            yield value.strip('"')


def set_cookie(name: str, value: str, max_age: int, *, secure: bool) -> str:
    """Return a ``Set-Cookie`` value; scripts cannot read it, a POST of another site lacks it."""
    return f"{name}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax" + (
        "; Secure" if secure else ""
    )


def pack(address: str) -> str:
    """Encode an address as a cookie's value: a third longer, for any characters."""
    return urlsafe_b64encode(address.encode()).decode().rstrip("=")


def unpack(value: str) -> str:
    """Decode a value of ``pack``, or a percent-encoded address of older gates; else empty."""
    if value.startswith("%2F"):
        return unquote(value)
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except ValueError:
        return ""


def _is_session(claims: Claims, expected: Expected) -> bool:
    """Return whether claims are from ``seal``: PyJWT before 2.8 accepts a list as ``aud``."""
    return (
        claims["token_use"] == USE
        and claims["aud"] == expected.event_id
        and isinstance(claims["sub"], str)
        and type(claims["exp"]) is int
    )
