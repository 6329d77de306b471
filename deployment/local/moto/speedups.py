# SPDX-License-Identifier: Apache-2.0
"""Speed-ups of the server of moto under load; its responses do not change.

moto 5.2 counts all messages of a queue three times for each message that is sent or received. At
each deletion it copies the queue, and loses a message that another thread sends meanwhile. Its
dispatcher lists a folder at each request, under a lock. Its bus builds a parser for each event. A
few hundred joins a second exceed its throughput.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonpath_ng.ext
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sqs import models
from moto.sqs.exceptions import ReceiptHandleIsInvalid

ONLY_FIFO = "ContentBasedDeduplication"  # moto reads it at each message


class Attributes(Mapping[str, Any]):
    """The attributes of a queue, counted at access."""

    def __init__(self, queue: Any, count: Any) -> None:
        self._queue, self._count = queue, count

    def __getitem__(self, name: str) -> Any:
        if name == ONLY_FIFO and not self._queue.fifo_queue:
            raise KeyError(name)
        return self._count(self._queue)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._count(self._queue))

    def __len__(self) -> int:
        return len(self._count(self._queue))


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(models.Queue, "quick", False):
        return
    models.Queue.quick = True
    models.unix_time = _seconds
    models.unix_time_millis = _milliseconds
    _count_on_demand()
    models.Queue.delete_message = _delete_message
    models.SQSBackend.is_message_valid_based_on_retention_period = _is_kept
    _remember_backends()
    jsonpath_ng.ext.parse = cache(jsonpath_ng.ext.parse)


def _seconds() -> float:
    return time.time()


def _milliseconds() -> float:
    return time.time() * 1000


def _count_on_demand() -> None:
    count = models.Queue.attributes.fget
    models.Queue.attributes = property(lambda queue: Attributes(queue, count))
    answer = models.SQSBackend.get_queue_attributes

    def get_queue_attributes(
        self: Any, queue_name: str, attribute_names: list[str]
    ) -> dict[str, Any]:
        return dict(answer(self, queue_name, attribute_names))

    models.SQSBackend.get_queue_attributes = get_queue_attributes


def _delete_message(queue: Any, receipt_handle: str) -> None:
    """Remove a message in place: other threads can append meanwhile."""
    if receipt_handle in queue.deleted_messages:
        return
    for message in list(queue._messages):
        if message.had_receipt_handle(receipt_handle):
            queue.pending_messages.discard(message)
            queue.deleted_messages.update(message.all_receipt_handles)
            if message in queue._messages:
                queue._messages.remove(message)
            return
    raise ReceiptHandleIsInvalid


def _is_kept(backend: Any, queue_name: str, message: Any) -> bool:
    kept = backend.get_queue(queue_name).message_retention_period
    return bool(kept + message.sent_timestamp / 1000 > time.time())


def _remember_backends() -> None:
    find = DomainDispatcherApplication.get_backend_for_host
    known: dict[str | None, Any] = {}

    def get_backend_for_host(self: Any, host: str | None) -> Any:
        if host not in known:
            known[host] = find(self, host)
        return known[host]

    DomainDispatcherApplication.get_backend_for_host = get_backend_for_host
