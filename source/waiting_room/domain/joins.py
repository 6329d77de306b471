# SPDX-License-Identifier: Apache-2.0
"""Joins and positions: parse joins, order them, assign positions.

Positions are reserved as one exclusive range per batch, so a number is never handed to two
workers; the rows are written under a condition on the request id, so a request never gets two
numbers. A number that was reserved and never written is a *hole*.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from waiting_room.domain.errors import InvalidInput, WrongClientSecret
from waiting_room.domain.limits import NEW_EVENT_ID
from waiting_room.domain.parsing import json_object
from waiting_room.domain.records import EventState, Join, Position

REQUEST_ID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
SECRET_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
MAX_CLIENT_SECRET = 256
# Of a join's body, at the gateway and here: characters in all, members, characters of a value.
FIRST_AGAIN, LAST_AGAIN = 2, 180  # seconds until SQS delivers a failed join again
MAX_JOIN, MAX_MEMBERS, MAX_VALUE, MAX_EVENT_ID = 16_384, 8, 256, 64


def check_request_id(value: object) -> str:
    """The request id in lower case, if it is a UUID as a whole; raises InvalidInput otherwise."""
    if isinstance(value, str) and REQUEST_ID.fullmatch(value):
        return value.lower()
    raise InvalidInput("request_id must be the id that the join returned (a UUID)")


def parse_join(
    body: object, request_id: object, sent_at: float, message_id: str, event_id: str
) -> Join:
    """Parse a join message as the gateway writes it. Raises InvalidInput for any other message.

    The gateway lets no such message through; one that is here came another way.
    """
    content = _members_of_a_join(body)
    given = content.get("event_id")
    if given != event_id and not (isinstance(given, str) and NEW_EVENT_ID.fullmatch(given)):
        raise InvalidInput(
            "event_id must be 1 to 64 letters, digits, _, . or -, and start with a letter or digit"
        )
    secret_hash = content.get("client_secret_hash", "")
    if secret_hash != "" and not (
        isinstance(secret_hash, str) and SECRET_HASH.fullmatch(secret_hash)
    ):
        raise InvalidInput("client_secret_hash must be 64 lower-case hexadecimal digits (SHA-256)")
    return Join(check_request_id(request_id), sent_at, message_id, secret_hash, str(given))


def _members_of_a_join(body: object) -> dict[str, Any]:
    """The members of a join's body, all bounded. Raises InvalidInput."""
    if not isinstance(body, str) or len(body) > MAX_JOIN:
        raise InvalidInput(f"the join must be a text of at most {MAX_JOIN} characters")
    content = json_object(body, "the join")
    if len(content) > MAX_MEMBERS:
        raise InvalidInput(f"the join must have at most {MAX_MEMBERS} members")
    for value in content.values():
        if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > MAX_VALUE):
            raise InvalidInput(
                f"each member of the join must be a text of at most {MAX_VALUE} characters, "
                "a number, true, false or null"
            )
    return content


def seconds_until_again(received: int) -> int:
    """Return the seconds until SQS delivers a failed join again, after ``received`` deliveries.

    Short at first: what failed was most often one write. Then longer, so that an outage of hours
    does not use up the receives that the queue gives a message.
    """
    return int(min(FIRST_AGAIN * 2 ** min(received - 1, 10), LAST_AGAIN)) if received > 0 else 1


def order_by_arrival(joins: Iterable[Join]) -> list[Join]:
    """Return one join per request, earliest first; the order of equal times is deterministic."""
    first: dict[str, Join] = {}
    for join in sorted(joins, key=lambda join: (join.sent_at, join.message_id, join.request_id)):
        first.setdefault(join.request_id, join)
    return list(first.values())


def split_at_reset(joins: Sequence[Join], reset_at: float) -> tuple[list[Join], list[Join]]:
    """Split joins into those from before the last reset and those of the current generation."""
    before = [join for join in joins if join.sent_at <= reset_at]
    return before, [join for join in joins if join.sent_at > reset_at]


def assign_positions(joins: Sequence[Join], state: EventState, now: int) -> list[Position]:
    """The last ``len(joins)`` positions of the reserved range, in the order of the joins.

    ``state`` is the event as the reservation left it: its ``queue`` is the end of the range.
    """
    start = state.queue - len(joins) + 1
    return [
        Position(
            event_id=state.event_id,
            generation=state.generation,
            request_id=join.request_id,
            position=start + index,
            entry_time=now,
            client_secret_hash=join.client_secret_hash,
        )
        for index, join in enumerate(joins)
    ]


def check_client_secret(position: Position, secret: str | None, required: bool) -> None:
    """Raise WrongClientSecret when the position has a hash that ``secret`` does not match.

    A position without a hash needs the request id only, unless a secret is ``required``.
    """
    if not position.client_secret_hash:
        if required:
            raise WrongClientSecret(
                "this event requires client_secret, but the join had no client_secret_hash;"
                " join again with one"
            )
        return
    given = hashlib.sha256((secret or "").encode("utf-8", "surrogatepass")).hexdigest()
    if not hmac.compare_digest(given, position.client_secret_hash):
        raise WrongClientSecret


@dataclass(frozen=True, slots=True)
class Assignment:
    """Result of a batch: ids of the messages to deliver again, and the number of positions."""

    assigned: int = 0
    retry: frozenset[str] = field(default_factory=frozenset)
    holes: int = 0
