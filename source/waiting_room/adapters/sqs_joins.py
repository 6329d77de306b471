# SPDX-License-Identifier: Apache-2.0
"""The queue of joins on SQS, as far as its worker talks to it: ten messages a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waiting_room.adapters.aws import answering
from waiting_room.adapters.dynamodb_items import wide
from waiting_room.errors import Unavailable
from waiting_room.messages import FIRST_ID, FIRST_SENT, REASON
from waiting_room.records import DeadLetter, Receipt

BATCH = 10  # entries of one request, SQS's limit
MOST_BYTES = 200_000  # of the bodies of one request; SQS takes 262,144 with the attributes
MOST_REASON = 256  # characters
NO_BODY = "(no body)"  # SQS takes no empty message


class SqsJoins:
    """The JoinsQueue port on SQS."""

    def __init__(self, client: Any, joins: str, dead_letters: str) -> None:
        self._client, self._joins, self._dead_letters = client, joins, dead_letters

    def bury(self, letters: Sequence[DeadLetter]) -> frozenset[str]:
        """Send messages to the dead letters; answers the ids of those that were not taken."""
        away = threading.Event()  # when it does not answer once, the others need not wait as well
        left = wide(lambda batch: self._bury(batch, away), list(_batches(letters)))
        return frozenset(message_id for ids in left for message_id in ids)

    def _bury(self, letters: Sequence[DeadLetter], away: threading.Event) -> list[str]:
        if away.is_set():
            return [letter.message_id for letter in letters]
        entries = [
            {
                "Id": str(index),
                "MessageBody": letter.body or NO_BODY,
                "MessageAttributes": _attributes(letter),
            }
            for index, letter in enumerate(letters)
        ]
        try:
            with answering("the dead letters"):
                answer = self._client.send_message_batch(
                    QueueUrl=self._dead_letters, Entries=entries
                )
        except (Unavailable, self._client.exceptions.ClientError):
            away.set()
            return [letter.message_id for letter in letters]
        taken = {one["Id"] for one in answer.get("Successful", [])}
        return [
            letter.message_id for index, letter in enumerate(letters) if str(index) not in taken
        ]

    def again(self, receipts: Mapping[Receipt, int]) -> None:
        """Let messages come again after so many seconds; what fails comes when it would have."""
        due = list(receipts.items())
        for start in range(0, len(due), BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt.handle, "VisibilityTimeout": seconds}
                for index, (receipt, seconds) in enumerate(due[start : start + BATCH])
            ]
            try:
                with answering("the queue of joins"):
                    self._client.change_message_visibility_batch(
                        QueueUrl=self._joins, Entries=entries
                    )
            except self._client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                raise Unavailable(f"the queue of joins refused: {code}") from None


def _batches(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        more = len(letter.body.encode("utf-8", "surrogatepass"))
        if batch and (len(batch) == BATCH or size + more > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(letter)
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
