# SPDX-License-Identifier: Apache-2.0
"""Outbox: functions inside the VPC write messages to a table, a function outside sends them.

The VPC has an endpoint for DynamoDB, which is free, and none for EventBridge and SQS. A message is
one row; the stream of the table starts ``send_outbox`` (decision 0152).
"""

from __future__ import annotations

import json
import logging
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.batches import batches
from waiting_room.adapters.join_queue import MOST_REASON
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt

if TYPE_CHECKING:
    from waiting_room.domain.ports.event_bus import EventBus
    from waiting_room.domain.ports.join_queue import JoinQueue

EVENTS, LETTERS, RECEIPTS, STEP = "events", "letters", "receipts", "step"  # kinds of a message
TIMES = frozenset({RECEIPTS, STEP})  # kinds with a due time
KEEP = 7 * 86_400  # s until DynamoDB deletes a row
MOST_BYTES = 350_000  # of the parts of one row; an item has at most 400 kB
MOST_BODY = 300_000  # bytes of an invalid message as JSON

logger = logging.getLogger("waiting_room")


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message: its kind, and its parts as JSON values."""

    kind: str
    parts: Any


class Outbox:
    """Writes messages as rows of a table. ``clock`` returns epoch seconds."""

    def __init__(self, client: Any, table: str, clock: Callable[[], float]) -> None:
        self._client, self._table, self.clock = client, table, clock

    def add(self, message: OutboxMessage) -> None:
        """Write a message; raises Unavailable if the table does not accept it, for any reason."""
        from botocore.exceptions import ClientError

        item = {
            "id": {"S": uuid.uuid4().hex},
            "kind": {"S": message.kind},
            "parts": {"S": json.dumps(message.parts)},
            "ttl": {"N": str(int(self.clock()) + KEEP)},
        }
        try:
            with translate_errors("the outbox"):
                self._client.put_item(TableName=self._table, Item=item)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise Unavailable(f"the outbox rejected the message: {code}") from None


class OutboxBus:
    """The EventBus port on the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def publish(self, detail_type: str, details: Sequence[Mapping[str, object]]) -> None:
        """Write bus events to the outbox; raises Unavailable."""
        for some in _chunks(list(details)):
            parts = {"detail_type": detail_type, "details": some}
            self._outbox.add(OutboxMessage(EVENTS, parts))


class OutboxJoinQueue:
    """The JoinQueue port on the outbox. Times are written as the epoch second when they are due."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Write invalid messages to the outbox; return the ids of those not accepted."""
        left: set[str] = set()
        for some in _chunks([_fitting(letter) for letter in letters]):
            try:
                self._outbox.add(OutboxMessage(LETTERS, some))
            except Unavailable as error:
                logger.warning("invalid messages stay in the join queue: %s", error)
                left |= {letter["message_id"] for letter in some}
        return frozenset(left)

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Write the receipts, each with its time, to the outbox; raises Unavailable."""
        now = self._outbox.clock()
        found = [[one.handle, one.count, now + seconds] for one, seconds in receipts.items()]
        for some in _chunks(found):
            self._outbox.add(OutboxMessage(RECEIPTS, some))

    def request_step(self, event_id: str, seconds: int) -> None:
        """Write the request for a step, with its time, to the outbox; raises Unavailable."""
        due = self._outbox.clock() + seconds
        self._outbox.add(OutboxMessage(STEP, {"event_id": event_id, "due": due}))


class OutboxSender:
    """Sends messages of the outbox to ``bus`` and ``queue``. ``clock`` returns epoch seconds."""

    def __init__(self, bus: EventBus, queue: JoinQueue, clock: Callable[[], float]) -> None:
        self._bus, self._queue, self._clock = bus, queue, clock

    def send_all(self, batch: Sequence[tuple[str, OutboxMessage]]) -> str | None:
        """Send messages; return the number of the first one to deliver again, None if all are sent.

        Each message has the number of its record. Steps and receipts are sent first, so a bus that
        is unavailable does not delay joins; a repetition has the same due time. If one fails, it is
        not sent again: ``admit`` makes the step, and the queue has a time of its own.
        """
        for _, message in batch:
            if message.kind in TIMES:
                self._send_time(message)
        for number, message in batch:
            try:
                self._send(message)
            except Unavailable as error:
                logger.error("message of the outbox not sent, the stream repeats it: %s", error)
                return number
        return None

    def _send(self, message: OutboxMessage) -> None:
        """Send bus events or invalid joins; raises Unavailable."""
        parts = message.parts
        if message.kind == EVENTS:
            self._bus.publish(parts["detail_type"], parts["details"])
        elif message.kind == LETTERS:
            letters = [DeadLetter(**one) for one in parts]
            if self._queue.send_to_dead_letters(letters):
                raise Unavailable("the join dead-letter queue did not accept every message")

    def _send_time(self, message: OutboxMessage) -> None:
        parts = message.parts
        try:
            if message.kind == STEP:
                self._queue.request_step(parts["event_id"], self._seconds_until(parts["due"]))
            else:
                self._queue.deliver_again_after(
                    {Receipt(handle, n): self._seconds_until(due) for handle, n, due in parts}
                )
        except Unavailable as error:
            logger.warning("step or receipts not sent, they are not sent again: %s", error)

    def _seconds_until(self, due: float) -> int:
        """Return whole seconds, never fewer: a step that comes early is not made."""
        return max(0, math.ceil(due - self._clock()))


def _fitting(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter that fits into one row; a long body is cut."""
    body = letter.body
    while len(json.dumps(body)) > MOST_BODY:
        body = body[: len(body) // 2]
    return asdict(replace(letter, body=body, reason=letter.reason[:MOST_REASON]))


def _chunks(parts: Sequence[Any]) -> Iterator[list[Any]]:
    """Return the parts in lists that fit into a row."""
    return batches(parts, lambda part: len(json.dumps(part)), MOST_BYTES)


def message_of_item(item: Mapping[str, Any]) -> OutboxMessage:
    """Return the message of a row in DynamoDB's format; raises KeyError or ValueError."""
    return OutboxMessage(item["kind"]["S"], json.loads(item["parts"]["S"]))
