# SPDX-License-Identifier: Apache-2.0
"""Lambda's event source mappings: read a queue or a stream, call a function with batches."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment.local.gateway.chalice_apps import LambdaContext
from infrastructure.blueprint.resources import Function
from waiting_room.runtime.safe_traceback import safe_traceback

RECEIVE_MOST = 10  # messages per ReceiveMessage or DeleteMessageBatch
IDLE = 0.05  # s between two reads of an empty queue
ERROR_PAUSE = 1.0  # s
logger = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any], Any], Any]


class Poller:
    """Calls ``step`` in its own thread until ``stop``; logs errors and continues."""

    def __init__(self, name: str, step: Callable[[], None]) -> None:
        self._step, self._stop = step, threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current step."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the current step."""
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except Exception as error:
                if self._stop.is_set():
                    return
                logger.warning("%s: %s", self._thread.name, safe_traceback(error))
                self._stop.wait(ERROR_PAUSE)


class QueueBatches:
    """One step of an SQS event source mapping: call the function, delete processed messages."""

    def __init__(
        self, sqs: Any, queue_url: str, handler: Handler, function: Function, arn: str
    ) -> None:
        self._sqs, self._url, self._handler = sqs, queue_url, handler
        self._function, self._arn = function, arn

    def __call__(self) -> None:
        """Receive a batch, call the function, delete the messages that did not fail."""
        messages = self._collect()
        if not messages:
            return
        event = {"Records": [sqs_record(one, self._arn) for one in messages]}
        context = LambdaContext(self._function.name, self._function.timeout)
        answer = self._handler(event, context) or {}
        failed = {one["itemIdentifier"] for one in answer.get("batchItemFailures", [])}
        self._delete([one for one in messages if one["MessageId"] not in failed])

    def _collect(self) -> list[dict[str, Any]]:
        """Receive until the batch is full or its window ends; return none after an idle second."""
        messages = self._receive(RECEIVE_MOST, wait=1)
        end = time.monotonic() + self._function.batch_window
        while messages and len(messages) < self._function.batch_size and time.monotonic() < end:
            more = self._receive(min(RECEIVE_MOST, self._function.batch_size - len(messages)))
            messages += more
            if not more:
                time.sleep(IDLE)
        return messages

    def _receive(self, most: int, wait: int = 0) -> list[dict[str, Any]]:
        found = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return list(found.get("Messages", []))

    def _delete(self, messages: list[dict[str, Any]]) -> None:
        for first in range(0, len(messages), RECEIVE_MOST):
            entries = [
                {"Id": str(index), "ReceiptHandle": one["ReceiptHandle"]}
                for index, one in enumerate(messages[first : first + RECEIVE_MOST])
            ]
            try:
                self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
            except (BotoCoreError, ClientError) as error:  # SQS delivers them again
                logger.warning(
                    "Messages were not deleted, and SQS delivers them again: %s",
                    type(error).__name__,
                )


def sqs_record(message: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """Return the Lambda record of a received message."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "dataType": value["DataType"],
                "stringListValues": [],
                "binaryListValues": [],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def sns_event(event: dict[str, Any]) -> dict[str, Any]:
    """Convert a batch of a queue that subscribes to a topic to the Lambda event of SNS."""
    return {
        "Records": [
            {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": json.loads(record["body"])}
            for record in event["Records"]
        ]
    }


class StreamBatches:
    """One step of a DynamoDB stream mapping; failed records are sent to the function again.

    Starts with the oldest record of each shard, like the mapping of the deployment.
    """

    def __init__(self, streams: Any, stream_arn: str, handler: Handler, function: Function) -> None:
        self._streams, self._arn = streams, stream_arn
        self._handler, self._function = handler, function
        self._iterators: dict[str, str] = {}

    def __call__(self) -> None:
        """Read every shard once; pause if all are empty."""
        if not self._iterators:
            self._iterators = self._open()
        found = 0
        for shard, iterator in list(self._iterators.items()):
            answer = self._streams.get_records(
                ShardIterator=iterator, Limit=self._function.batch_size
            )
            records = answer["Records"]
            if records:
                event = {"Records": [{**one, "eventSource": "aws:dynamodb"} for one in records]}
                context = LambdaContext(self._function.name, self._function.timeout)
                self._handler(event, context)
            found += len(records)
            if answer.get("NextShardIterator"):
                self._iterators[shard] = answer["NextShardIterator"]
            else:
                del self._iterators[shard]
        if not found:
            time.sleep(0.2)

    def _open(self) -> dict[str, str]:
        shards = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        return {
            shard["ShardId"]: self._streams.get_shard_iterator(
                StreamArn=self._arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            for shard in shards
        }
