# SPDX-License-Identifier: Apache-2.0
"""The order of SQS fair queues; moto delivers all messages of a standard queue in order of arrival.

AWS documents this order for messages with a ``MessageGroupId`` on a standard queue:

- A group is *noisy* while it has more than a tenth of the queue's messages in flight, and at least
  30 of them. It stays noisy until no message of it waits, or it sent none for five minutes.
- Messages of quiet groups are received before those of noisy groups. Among noisy groups, the one
  with the fewest messages in flight is first. No message is dropped or held back.
- A message without a group is a quiet group of its own.

AWS guarantees no order: it calls these thresholds approximate, and a standard queue can deliver any
message early, late or twice. This emulator is exact. It keeps the order of arrival among the
messages of quiet groups, and within each noisy group. It does not emulate the second measure of
AWS, a group's share of the consumers' processing time, because AWS documents no period for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from moto.sqs import models

NOISY_SHARE = 0.1  # of all messages in flight
NOISY_MESSAGES = 30  # in flight
QUIET_AFTER = 300_000  # ms without a new message
Message = TypeVar("Message")


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(models.Queue, "fair", False):
        return
    models.Queue.fair = True
    in_order_of_arrival = models.Queue.messages.fget

    def messages(queue: Any) -> list[Any]:
        found: list[Any] = in_order_of_arrival(queue) if queue.fifo_queue else deliverable(queue)
        return found

    models.Queue.messages = property(messages)


def deliverable(queue: Any) -> list[Any]:
    """Return the messages of a queue that can be received, in the order of their delivery."""
    now = models.unix_time_millis()
    waiting: list[Any] = []
    in_flight: Counter[str | None] = Counter()
    newest: dict[str | None, float] = {}
    for message in list(queue._messages):
        if message.visible_at >= now:
            in_flight[message.group_id] += 1
        elif message.delayed_until <= now:
            waiting.append(message)
            newest[message.group_id] = message.sent_timestamp
    before: frozenset[str] = getattr(queue, "noisy_groups", frozenset())
    queue.noisy_groups = noisy_groups(before, in_flight, newest, now)
    return fair_order(waiting, lambda message: message.group_id, in_flight, queue.noisy_groups)


def noisy_groups(
    before: frozenset[str],
    in_flight: Mapping[str | None, int],
    newest: Mapping[str | None, float],
    now: float,
) -> frozenset[str]:
    """Return the noisy groups.

    ``before`` are the groups that were noisy. ``newest`` is the time of the newest waiting message
    of each group (ms); a group without a waiting message has no time.
    """
    total = sum(in_flight.values())
    loud = {
        group
        for group, count in in_flight.items()
        if group and count >= NOISY_MESSAGES and count > NOISY_SHARE * total
    }
    return frozenset(group for group in before | loud if newest.get(group, 0.0) > now - QUIET_AFTER)


def fair_order(
    waiting: Sequence[Message],
    group_of: Callable[[Message], str | None],
    in_flight: Mapping[str | None, int],
    noisy: frozenset[str],
) -> list[Message]:
    """Return waiting messages, given in order of arrival, in the order of their delivery."""
    quiet: list[Message] = []
    last: dict[str | None, list[Message]] = {
        group: [] for group in sorted(noisy, key=lambda one: (in_flight.get(one, 0), one))
    }
    for message in waiting:
        last.get(group_of(message), quiet).append(message)
    return [*quiet, *(message for group in last.values() for message in group)]
