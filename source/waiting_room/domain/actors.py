# SPDX-License-Identifier: Apache-2.0
"""Actors: authors of changes, from server-side identity only, never from the request body."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waiting_room.domain.errors import InvalidInput

LONGEST_WHO = 600  # characters; an IAM ARN with the longest path, and an identity's id
LONGEST_SHORT = 160  # characters stored in a row: two names of 64 characters, and their kind
MOVE_MARK = 16  # hexadecimal digits; the state row contains the marks of several moves
CALL_ID = re.compile(r"[A-Za-z0-9_.:#-]{1,64}")


class ActorKind(StrEnum):
    """Kind of the caller that made a change."""

    PERSON = "person"
    INLET = "inlet"
    SCHEDULE = "schedule"
    ADMISSION = "admission"  # the automatic admission of an event
    DEPLOYMENT = "deployment"
    UNKNOWN = "unknown"  # no server-side identity


@dataclass(frozen=True, slots=True)
class Actor:
    """Author of a change; ``who`` is an ARN, or the name of one of the room's own functions."""

    kind: ActorKind
    who: str

    @property
    def short(self) -> str:
        """Kind and name, short enough for a row that is read often.

        An ARN is shortened to its resource. A long name keeps its end, which names the person.
        """
        parts = self.who.split(":", 5)
        name = parts[5] if len(parts) == 6 and parts[0] == "arn" else self.who
        return f"{self.kind} {name[-LONGEST_SHORT:]}"

    def mark(self, call_id: str = "") -> str:
        """Return the mark of a call: equal if this actor repeats ``call_id``, otherwise unique."""
        if not call_id:
            return secrets.token_hex(16)
        text = f"{self.kind}\n{self.who}\n{call_id}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def move_mark(self, call_id: str = "") -> str:
        """Return the mark of a call for a move: the first half of ``mark``, so that it is short."""
        return self.mark(call_id)[:MOVE_MARK]


UNKNOWN = Actor(ActorKind.UNKNOWN, "unknown")


def scheduled(function: str) -> Actor:
    """Return the actor for one of the room's own functions, started by a schedule."""
    return Actor(ActorKind.SCHEDULE, function)


def admission(function: str) -> Actor:
    """Return the actor for the automatic admission of events, which this function runs."""
    return Actor(ActorKind.ADMISSION, function)


def deployment(function: str) -> Actor:
    """Return the actor for one of the room's own functions, which a deployment runs."""
    return Actor(ActorKind.DEPLOYMENT, function)


def caller(identity: Mapping[str, Any] | None, inlet_role: str = "") -> Actor:
    """Return the signer of a call, from API Gateway's ``requestContext.identity``.

    ``inlet_role`` is the name of the IAM role of the room's inlet; a caller that has assumed
    exactly that role is the inlet. The id in the user pool distinguishes people who share a role
    through an identity pool.
    """
    said = identity or {}
    arn = said.get("userArn")
    if not isinstance(arn, str) or not arn:
        return UNKNOWN
    if inlet_role and _assumed_role(arn) == inlet_role:
        return Actor(ActorKind.INLET, _bounded(arn))
    provider = _text(said.get("cognitoAuthenticationProvider"))
    _, found, subject = provider.rpartition(":CognitoSignIn:")
    if not found:
        subject = _text(said.get("cognitoIdentityId"))
    return Actor(ActorKind.PERSON, _bounded(f"{arn}/{subject}" if subject else arn))


def check_call_id(value: object) -> str:
    """Return the caller's id of a call, empty without one; raises InvalidInput."""
    if value is None:
        return ""
    if isinstance(value, str) and CALL_ID.fullmatch(value):
        return value
    raise InvalidInput("call_id must be 1 to 64 letters, digits and signs of _.:#-")


def _assumed_role(arn: str) -> str:
    """Return the role name in the ARN of an assumed role; empty for every other ARN."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "sts":
        return ""
    kind, _, rest = parts[5].partition("/")
    return rest.partition("/")[0] if kind == "assumed-role" else ""


def _text(value: object) -> str:
    return _bounded(value) if isinstance(value, str) else ""


def _bounded(text: str) -> str:
    """Replace unprintable characters, and keep the end of a long text, which contains the name."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[-LONGEST_WHO:]
