# SPDX-License-Identifier: Apache-2.0
"""Tokens: claims and validity. The same row always gives the same token set."""

from __future__ import annotations

from waiting_room.domain.errors import InvalidInput, PositionExpired, SessionEnded, TokenExpired
from waiting_room.domain.limits import MAX_VALIDITY, MIN_VALIDITY
from waiting_room.domain.records import Outcome, OutcomeKind, Position, SessionStatus

TOKEN_USES = ("access", "refresh", "id")
MAX_ISSUER = 2048

Claims = dict[str, str | int]


def check_validity(value: object) -> int:
    """Return a validity period in seconds; raises InvalidInput unless it is from 1 s to 1 day."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput("validity_period must be a whole number of seconds")
    if not MIN_VALIDITY <= value <= MAX_VALIDITY:
        raise InvalidInput(f"validity_period must be from {MIN_VALIDITY} to {MAX_VALIDITY} seconds")
    return value


def check_issuer(value: object) -> str:
    """Return a valid issuer of a token; raises InvalidInput unless it is a short printable text."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ISSUER and value.isprintable():
        return value
    raise InvalidInput(f"issuer must be a text of 1 to {MAX_ISSUER} printable characters")


def issue(
    position: Position,
    *,
    key_id: str,
    issuer: str,
    validity: int,
    now: int,
    session_life: int = 0,
) -> Outcome:
    """Return the row of a new token, valid for ``validity`` seconds from ``now`` (epoch s).

    At an event behind a gate the session begins with the token and lasts ``session_life`` seconds.
    """
    return Outcome(
        event_id=position.event_id,
        generation=position.generation,
        position=position.position,
        request_id=position.request_id,
        kind=OutcomeKind.TOKEN,
        at=now,
        expires_at=now + validity,
        issuer=issuer,
        key_id=key_id,
        session_until=now + session_life if session_life else None,
    )


def check_usable(outcome: Outcome, now: int) -> None:
    """Raise the Gone error that applies unless this outcome has a valid token."""
    if not outcome.is_token:
        raise PositionExpired
    if outcome.status is not SessionStatus.OPEN:
        raise SessionEnded
    if now >= outcome.expires_at:
        raise TokenExpired


def claims(outcome: Outcome, token_use: str) -> Claims:
    """Return the claims of one of the three tokens of a row."""
    return {
        "aud": outcome.event_id,
        "sub": outcome.request_id,
        "queue_position": outcome.position,
        "token_use": token_use,
        "iat": outcome.at,
        "nbf": outcome.at,
        "exp": outcome.expires_at,
        "iss": outcome.issuer,
    }
