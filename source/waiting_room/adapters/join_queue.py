# SPDX-License-Identifier: Apache-2.0
"""Join queue and its dead-letter queue on SQS, for the join worker; ten messages per request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.batches import batches
from waiting_room.adapters.dynamodb.items import map_concurrently
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt

# Attributes of a redriven message: its first id and time (ms) in SQS.
FIRST_ID, FIRST_SENT = "first_request_id", "first_sent_at_ms"
STEP = "admission_step"  # attribute of a message that requests a step: the event id
REASON = "reason"  # attribute of a message in the dead-letter queue: why it is not a join
BATCH = 10  # entries of one request, SQS's limit
MOST_BYTES = 200_000  # of the bodies of one request; SQS accepts 262,144 with the attributes
MOST_REASON = 256  # characters
NO_BODY = "(no body)"  # SQS rejects an empty message
FEW = 10  # up to this number, each invalid message is sent alone; more are joined (decision 0081)
COUNT = "message_count"  # attribute: number of invalid messages in one dead-letter queue message


class SqsJoinQueue:
    """The JoinQueue port on SQS."""

    def __init__(self, client: Any, joins: str, dead_letters: str) -> None:
        self._client, self._joins, self._dead_letters = client, joins, dead_letters

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Send messages to the dead-letter queue; return the ids of those not accepted."""
        failed = threading.Event()  # after one failed request the others are not sent
        entries = [*map(_single, letters)] if len(letters) <= FEW else list(_joined(letters))
        some = list(batches(entries, lambda one: one.size, MOST_BYTES, BATCH))
        unsent = map_concurrently(lambda batch: self._send(batch, failed), some)
        return frozenset(message_id for ids in unsent for message_id in ids)

    def _send(self, messages: Sequence[_Message], failed: threading.Event) -> list[str]:
        if failed.is_set():
            return _ids(messages)
        entries = [
            {
                "Id": str(index),
                "MessageBody": message.body,
                "MessageAttributes": message.attributes,
            }
            for index, message in enumerate(messages)
        ]
        try:
            with translate_errors("the join dead-letter queue"):
                response = self._client.send_message_batch(
                    QueueUrl=self._dead_letters, Entries=entries
                )
        except (Unavailable, self._client.exceptions.ClientError):
            failed.set()
            return _ids(messages)
        sent = {one["Id"] for one in response.get("Successful", [])}
        return _ids(message for index, message in enumerate(messages) if str(index) not in sent)

    def request_step(self, event_id: str, seconds: int) -> None:
        """Send a delayed message to the join queue; its worker makes the step."""
        try:
            with translate_errors("the join queue"):
                self._client.send_message(
                    QueueUrl=self._joins,
                    MessageBody=json.dumps({"event_id": event_id}),
                    MessageAttributes={STEP: {"DataType": "String", "StringValue": event_id}},
                    MessageGroupId=event_id,
                    DelaySeconds=seconds,
                )
        except self._client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            raise Unavailable(f"the join queue rejected the request: {code}") from None

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Set the seconds until SQS delivers messages again; after an error its own time holds."""
        due = list(receipts.items())
        for start in range(0, len(due), BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt.handle, "VisibilityTimeout": seconds}
                for index, (receipt, seconds) in enumerate(due[start : start + BATCH])
            ]
            try:
                with translate_errors("the join queue"):
                    self._client.change_message_visibility_batch(
                        QueueUrl=self._joins, Entries=entries
                    )
            except self._client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                raise Unavailable(f"the join queue rejected the request: {code}") from None


@dataclass(frozen=True, slots=True)
class _Message:
    """One message for the dead-letter queue, and the ids of the invalid messages in it."""

    message_ids: tuple[str, ...]
    body: str
    attributes: dict[str, dict[str, str]]

    @property
    def size(self) -> int:
        """Size of the body in bytes."""
        return len(self.body.encode("utf-8", "surrogatepass"))


def _ids(messages: Iterable[_Message]) -> list[str]:
    return [message_id for message in messages for message_id in message.message_ids]


def _single(letter: DeadLetter) -> _Message:
    return _Message((letter.message_id,), _cut(letter.body) or NO_BODY, _attributes(letter))


def _joined(letters: Sequence[DeadLetter]) -> Iterator[_Message]:
    """Join several invalid messages, one per line, into one: each message sent has a price."""
    ids: list[str] = []
    lines: list[str] = []
    size = 0
    for letter in letters:
        line = json.dumps(
            {
                REASON: letter.reason[:MOST_REASON],
                FIRST_ID: letter.request_id,
                FIRST_SENT: letter.sent_at_ms,
                "body": _cut(letter.body),
            }
        )
        if len(line) > MOST_BYTES:  # JSON escapes make a text longer
            yield _single(letter)
            continue
        if lines and size + len(line) > MOST_BYTES:
            yield _together(ids, lines)
            ids, lines, size = [], [], 0
        ids.append(letter.message_id)
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield _together(ids, lines)


def _together(ids: Sequence[str], lines: Sequence[str]) -> _Message:
    attributes = {
        REASON: {"DataType": "String", "StringValue": "several messages, each with its reason"},
        COUNT: {"DataType": "Number", "StringValue": str(len(lines))},
    }
    return _Message(tuple(ids), "\n".join(lines), attributes)


def _cut(body: str) -> str:
    """Cut a body to the bytes that fit beside the attributes."""
    return body.encode("utf-8", "surrogatepass")[:MOST_BYTES].decode("utf-8", "ignore")


def _attributes(letter: DeadLetter) -> dict[str, dict[str, str]]:
    values = {
        REASON: ("String", letter.reason[:MOST_REASON]),
        FIRST_ID: ("String", letter.request_id),
        FIRST_SENT: ("Number", str(letter.sent_at_ms or "")),
    }
    return {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in values.items()
        if value
    }
