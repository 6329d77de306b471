# SPDX-License-Identifier: Apache-2.0
"""Joins and positions: what a join is, and who gets which number.

Positions are reserved as one exclusive range per batch, so a number is never handed to two
workers; the rows are written under a condition on the request id, so a request never gets two
numbers. A number that was reserved and never written is a *hole*.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from waiting_room.errors import InvalidInput, WrongClientSecret
from waiting_room.records import EventState, Join, Position

REQUEST_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
SECRET_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
MAX_CLIENT_SECRET = 256


def check_request_id(value: object) -> str:
    """The request id when it is a lower-case UUID as a whole; raises InvalidInput otherwise."""
    if isinstance(value, str) and REQUEST_ID.fullmatch(value):
        return value
    raise InvalidInput("request_id must be the id that the join returned (a lower-case UUID)")


def read_join(
    body: str, request_id: object, sent_at: float, message_id: str, event_id: str
) -> Join:
    """A join message as accepted by the API. Raises InvalidInput when it cannot become a place.

    The gateway's request model has refused such a body before; a message that says otherwise did
    not come through it.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("the join is not JSON") from None
    if not isinstance(content, dict) or content.get("event_id") != event_id:
        raise InvalidInput("the join is not for this event")
    secret_hash = content.get("client_secret_hash", "")
    if secret_hash != "" and not (
        isinstance(secret_hash, str) and SECRET_HASH.fullmatch(secret_hash)
    ):
        raise InvalidInput("client_secret_hash must be 64 lower-case hexadecimal digits (SHA-256)")
    return Join(check_request_id(request_id), sent_at, message_id, secret_hash)


def in_order_of_arrival(joins: Iterable[Join]) -> list[Join]:
    """One join per request, the earliest first; equal times keep one order everywhere."""
    first: dict[str, Join] = {}
    for join in sorted(joins, key=lambda join: (join.sent_at, join.message_id, join.request_id)):
        first.setdefault(join.request_id, join)
    return list(first.values())


def split_at_reset(joins: Sequence[Join], reset_at: float) -> tuple[list[Join], list[Join]]:
    """Joins of the line that was reset, and joins of the line that stands now."""
    before = [join for join in joins if join.sent_at <= reset_at]
    return before, [join for join in joins if join.sent_at > reset_at]


def give_positions(joins: Sequence[Join], state: EventState, now: int) -> list[Position]:
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
    """Raise WrongClientSecret when the place is protected and ``secret`` does not open it.

    A place joined without a hash is open to whoever knows its request id, unless ``required``.
    """
    if not position.client_secret_hash:
        if required:
            raise WrongClientSecret(
                "this waiting room needs a client secret, and this place was taken without one"
            )
        return
    given = hashlib.sha256((secret or "").encode("utf-8", "surrogatepass")).hexdigest()
    if not hmac.compare_digest(given, position.client_secret_hash):
        raise WrongClientSecret("client_secret does not belong to this request")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What became of a batch: ids of the messages to deliver again, and how many got a place."""

    assigned: int = 0
    retry: frozenset[str] = field(default_factory=frozenset)
    holes: int = 0
