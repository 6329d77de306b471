# SPDX-License-Identifier: Apache-2.0
"""Who makes a change: decided by what the servers know of a call, never by what it contains."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waiting_room.domain.errors import InvalidInput

LONGEST_WHO = 600  # characters; an ARN of IAM with the longest path, and an identity's id
LONGEST_SHORT = 160  # of them that a row keeps: two names of 64 characters, and their kind
CALL_ID = re.compile(r"[A-Za-z0-9_.:#-]{1,64}")


class ActorKind(StrEnum):
    """What kind of caller made a change."""

    PERSON = "person"
    INLET = "inlet"
    SCHEDULE = "schedule"
    DEPLOYMENT = "deployment"
    UNKNOWN = "unknown"  # no server said who it was


@dataclass(frozen=True, slots=True)
class Actor:
    """The maker of a change; ``who`` is an ARN, or the name of one of the room's own functions."""

    kind: ActorKind
    who: str

    @property
    def short(self) -> str:
        """Kind and name, short enough for a row that is read often.

        An ARN is without its account; of a long one the end stays, which has the person's name.
        """
        parts = self.who.split(":", 5)
        name = parts[5] if len(parts) == 6 and parts[0] == "arn" else self.who
        return f"{self.kind} {name[-LONGEST_SHORT:]}"

    def mark(self, call_id: str = "") -> str:
        """The mark of a call: the same when this actor repeats ``call_id``, else like no other."""
        if not call_id:
            return secrets.token_hex(16)
        text = f"{self.kind}\n{self.who}\n{call_id}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


UNKNOWN = Actor(ActorKind.UNKNOWN, "unknown")


def scheduled(function: str) -> Actor:
    """One of the room's own functions, started by a schedule."""
    return Actor(ActorKind.SCHEDULE, function)


def deployment(function: str) -> Actor:
    """One of the room's own functions, which the stack runs when it is deployed."""
    return Actor(ActorKind.DEPLOYMENT, function)


def caller(identity: Mapping[str, Any] | None, inlet_role: str = "") -> Actor:
    """Who signed a call, from API Gateway's ``requestContext.identity``.

    ``inlet_role`` is the name of the role that the room's inlet runs in; who has assumed exactly
    that role is the inlet. People who share a role by way of an identity pool are told apart by
    their id in the user pool.
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
    """A caller's own id of a call, empty without one; raises InvalidInput."""
    if value is None:
        return ""
    if isinstance(value, str) and CALL_ID.fullmatch(value):
        return value
    raise InvalidInput("call_id must be 1 to 64 letters, digits and signs of _.:#-")


def _assumed_role(arn: str) -> str:
    """The name of the role in the ARN of a role that was assumed; empty in every other ARN."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "sts":
        return ""
    kind, _, rest = parts[5].partition("/")
    return rest.partition("/")[0] if kind == "assumed-role" else ""


def _text(value: object) -> str:
    return _bounded(value) if isinstance(value, str) else ""


def _bounded(text: str) -> str:
    """One line of printable text; the end of a long one, which has the name."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[-LONGEST_WHO:]
