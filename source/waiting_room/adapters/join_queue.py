# SPDX-License-Identifier: Apache-2.0
"""The queue of joins on SQS, as far as its worker talks to it: ten messages a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.dynamodb.items import map_concurrently
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import DeadLetter, Receipt

# Attributes of a message that was redriven: the id and the time (ms) that SQS gave it at first.
FIRST_ID, FIRST_SENT = "first_request_id", "first_sent_at_ms"
REASON = "reason"  # of a message in the dead-letter queue: why it is no join
BATCH = 10  # entries of one request, SQS's limit
MOST_BYTES = 200_000  # of the bodies of one request; SQS takes 262,144 with the attributes
MOST_REASON = 256  # characters
NO_BODY = "(no body)"  # SQS takes no empty message
FEW = 10  # letters of a batch that go as a message each; more go together (decision 0081)
COUNT = "message_count"  # how many invalid messages a message of the dead letters holds


class SqsJoinQueue:
    """The JoinQueue port on SQS."""

    def __init__(self, client: Any, joins: str, dead_letters: str) -> None:
        self._client, self._joins, self._dead_letters = client, joins, dead_letters

    def send_to_dead_letters(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Send messages to the dead letters; answers the ids of those that were not taken."""
        away = threading.Event()  # when it does not answer once, the others need not wait as well
        parcels = [*map(_single, letters)] if len(letters) <= FEW else list(_parcels(letters))
        left = map_concurrently(lambda batch: self._send(batch, away), list(_batches(parcels)))
        return frozenset(message_id for ids in left for message_id in ids)

    def _send(self, parcels: Sequence[_Batch], away: threading.Event) -> list[str]:
        if away.is_set():
            return _ids(parcels)
        entries = [
            {
                "Id": str(index),
                "MessageBody": parcel.body,
                "MessageAttributes": parcel.attributes,
            }
            for index, parcel in enumerate(parcels)
        ]
        try:
            with translate_errors("the dead letters"):
                answer = self._client.send_message_batch(
                    QueueUrl=self._dead_letters, Entries=entries
                )
        except (Unavailable, self._client.exceptions.ClientError):
            away.set()
            return _ids(parcels)
        taken = {one["Id"] for one in answer.get("Successful", [])}
        return _ids(parcel for index, parcel in enumerate(parcels) if str(index) not in taken)

    def deliver_again_after(self, receipts: Mapping[Receipt, int]) -> None:
        """Let messages come again after so many seconds; what fails comes when it would have."""
        due = list(receipts.items())
        for start in range(0, len(due), BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt.handle, "VisibilityTimeout": seconds}
                for index, (receipt, seconds) in enumerate(due[start : start + BATCH])
            ]
            try:
                with translate_errors("the queue of joins"):
                    self._client.change_message_visibility_batch(
                        QueueUrl=self._joins, Entries=entries
                    )
            except self._client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                raise Unavailable(f"the queue of joins refused: {code}") from None


@dataclass(frozen=True, slots=True)
class _Batch:
    """One message of the dead letters, and the ids of the messages that it stands for."""

    message_ids: tuple[str, ...]
    body: str
    attributes: dict[str, dict[str, str]]

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body.encode("utf-8", "surrogatepass"))


def _ids(parcels: Iterable[_Batch]) -> list[str]:
    return [message_id for parcel in parcels for message_id in parcel.message_ids]


def _single(letter: DeadLetter) -> _Batch:
    return _Batch((letter.message_id,), _cut(letter.body) or NO_BODY, _attributes(letter))


def _parcels(letters: Sequence[DeadLetter]) -> Iterator[_Batch]:
    """Letters that go together: a message of many costs what a message of one costs."""
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
        if len(line) > MOST_BYTES:  # of signs that JSON writes at length
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


def _together(ids: Sequence[str], lines: Sequence[str]) -> _Batch:
    told = {
        REASON: {"DataType": "String", "StringValue": "several messages, each with its reason"},
        COUNT: {"DataType": "Number", "StringValue": str(len(lines))},
    }
    return _Batch(tuple(ids), "\n".join(lines), told)


def _cut(body: str) -> str:
    """What of a body fits beside attributes; nobody needs more of what is no join."""
    return body.encode("utf-8", "surrogatepass")[:MOST_BYTES].decode("utf-8", "ignore")


def _batches(parcels: Sequence[_Batch]) -> Iterator[list[_Batch]]:
    batch: list[_Batch] = []
    size = 0
    for parcel in parcels:
        more = parcel.size
        if batch and (len(batch) == BATCH or size + more > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(parcel)
        size += more
    if batch:
        yield batch


def _attributes(letter: DeadLetter) -> dict[str, dict[str, str]]:
    told = {
        REASON: ("String", letter.reason[:MOST_REASON]),
        FIRST_ID: ("String", letter.request_id),
        FIRST_SENT: ("Number", str(letter.sent_at_ms or "")),
    }
    return {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in told.items()
        if value
    }
