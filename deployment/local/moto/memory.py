# SPDX-License-Identifier: Apache-2.0
"""Limits for the data that moto keeps in memory.

moto 5.2 keeps every object of its models (each message, and each copy of an item that a query
returned), every record and iterator of a stream, the handle of every deleted message, and every
notification. AWS keeps records for 24 hours and iterators for 15 minutes. It documents no time for
handles of deleted messages, and keeps no notifications.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from moto.core.common_models import BaseModel
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import StreamShard
from moto.dynamodbstreams import models as streams
from moto.sns.models import Topic
from moto.sqs.models import Queue

READ_RECORDS = 1_000  # records of a stream that are kept after they were read
ITERATORS = 1_000  # of all streams; a reader uses the newest of its shard
DELETED = 10_000  # receipt handles of a queue that can be deleted again
NOTIFICATIONS = 100  # of a topic


class Newest(OrderedDict[Any, Any]):
    """A mapping with a maximum size; it removes the oldest entries."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > self._most:
            self.popitem(last=False)


class NewestHandles(Newest):
    """The receipt handles of deleted messages."""

    def update(self, handles: Any) -> None:  # type: ignore[override]
        """Add handles."""
        for handle in handles:
            self[handle] = None


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(Queue, "bounded", False):
        return
    Queue.bounded = True
    BaseModel.__new__ = _untracked
    _after_init(Queue, lambda queue: setattr(queue, "deleted_messages", NewestHandles(DELETED)))
    _after_init(
        Topic, lambda topic: setattr(topic, "sent_notifications", deque(maxlen=NOTIFICATIONS))
    )
    _after_init(
        streams.DynamoDBStreamsBackend,
        lambda backend: setattr(backend, "shard_iterators", Newest(ITERATORS)),
    )
    streams.ShardIterator.get = _records(streams.ShardIterator.get)
    streams.DynamoDBStreamsBackend.get_records = _known(streams.DynamoDBStreamsBackend.get_records)


def _untracked(cls: Any, *_: Any, **__: Any) -> Any:
    """Return a new object of a model; moto would keep it until a backend is reset."""
    return object.__new__(cls)


def _after_init(kind: Any, then: Any) -> None:
    init = kind.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        then(self)

    kind.__init__ = __init__


def _records(get: Any) -> Any:
    """Return records; remove those that this reader passed long ago."""

    def answer(self: Any, limit: int = 1000) -> dict[str, Any]:
        shard = self.stream_shard
        if self.sequence_number < shard.starting_sequence_number:
            raise JsonRESTError(
                "TrimmedDataAccessException", "The records of this iterator are trimmed."
            )
        found: dict[str, Any] = get(self, limit)
        trim(shard, self.sequence_number - READ_RECORDS)
        return found

    return answer


def trim(shard: StreamShard, first: int) -> None:
    """Remove the records before the number ``first``."""
    gone = first - shard.starting_sequence_number
    if gone > 0:
        del shard.items[:gone]
        shard.starting_sequence_number += gone


def _known(get: Any) -> Any:
    def get_records(self: Any, iterator_arn: str, limit: int) -> dict[str, Any]:
        if iterator_arn not in self.shard_iterators:
            raise JsonRESTError("ExpiredIteratorException", "The iterator is too old.")
        found: dict[str, Any] = get(self, iterator_arn, limit)
        return found

    return get_records
