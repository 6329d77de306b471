# SPDX-License-Identifier: Apache-2.0
"""The order in which the one-machine queue delivers the joins of several events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.sqs import models

from deployment.local.moto import fair_queue, persistence, speedups
from deployment.local.moto.fair_queue import (
    NOISY_MESSAGES,
    NOISY_SHARE,
    QUIET_AFTER,
    fair_order,
    noisy_groups,
)
from deployment.local.workers import event_sources
from deployment.local.workers.event_sources import QueueBatches
from infrastructure.blueprint.resources import ASSIGN
from tests.support.servers import FAKE_CREDENTIALS

REGION = "eu-central-1"
START = 4_000_000_000.0  # later than the clock of this machine: no message is too old
BUSY, QUIET = "busy", "quiet"
CROWD = 2_000  # joins of the busy event
RECEIVE = 0.004  # s that one call of SQS takes in the simulated time
PER_JOIN = 0.0013  # s that the worker takes for one join: a batch of 1,000 in docs/performance.md
GROUPS = st.sampled_from(["a", "b", "c", "d", None])


class Clock:
    """A simulated clock, in seconds, for the queue and its consumer."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(models, "unix_time", made)
    monkeypatch.setattr(models, "unix_time_millis", lambda: made() * 1000)
    monkeypatch.setattr(event_sources.time, "monotonic", made)
    monkeypatch.setattr(event_sources.time, "sleep", made.advance)
    return made


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Any]:
    """A client of moto in this process, with fair queues until the test ends."""
    for kind, name in (
        (models.Queue, "messages"),
        (models.Queue, "attributes"),
        (models.Queue, "delete_message"),
        (models.SQSBackend, "get_queue_attributes"),
        (models.SQSBackend, "is_message_valid_based_on_retention_period"),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    monkeypatch.setattr(models.Queue, "fair", False, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    speedups._count_on_demand()
    models.Queue.delete_message = speedups._delete_message
    models.SQSBackend.is_message_valid_based_on_retention_period = speedups._is_kept
    with mock_aws():
        fair_queue.apply()
        fair_queue.apply()
        yield Session().create_client("sqs", region_name=REGION, **FAKE_CREDENTIALS)


def queue(sqs: Any) -> str:
    created = sqs.create_queue(QueueName="joins", Attributes={"VisibilityTimeout": "180"})
    return str(created["QueueUrl"])


def send(sqs: Any, url: str, group: str | None, count: int = 1, body: str = "") -> None:
    more = {"MessageGroupId": group} if group else {}
    for first in range(0, count, 10):
        entries = [
            {"Id": str(number), "MessageBody": body or group or "none", **more}
            for number in range(min(10, count - first))
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def crowd(group: str | None, count: int, body: str = BUSY) -> None:
    """Add messages to the queue without a request for each: moto counts all messages at each."""
    joins = models.sqs_backends["123456789012"][REGION].queues["joins"]
    for number in range(count):
        message = models.Message(f"{body}-{number}", body)
        message.group_id = group
        message.mark_sent()
        joins.add_message(message)


def receive(sqs: Any, url: str, calls: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(calls):
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        found += answer.get("Messages", [])
    return found


def delete(sqs: Any, url: str, messages: list[dict[str, Any]]) -> None:
    for one in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [one["Body"] for one in messages]


def test_a_quiet_event_is_received_once_the_busy_one_has_thirty_joins_in_flight(sqs: Any) -> None:
    url = queue(sqs)
    crowd(BUSY, CROWD)
    send(sqs, url, QUIET)
    received = bodies(receive(sqs, url, calls=5))
    assert received[: NOISY_MESSAGES + 1] == [BUSY] * NOISY_MESSAGES + [QUIET]
    assert set(received[NOISY_MESSAGES + 1 :]) == {BUSY}, "nothing is held back"


def test_a_group_stays_noisy_until_none_of_its_messages_waits(sqs: Any) -> None:
    url = queue(sqs)
    crowd(BUSY, 60)
    delete(sqs, url, receive(sqs, url, calls=4))
    send(sqs, url, QUIET)
    received = receive(sqs, url, calls=4)
    assert bodies(received) == [QUIET] + [BUSY] * 20, "none was in flight, and twenty waited"
    delete(sqs, url, received)
    send(sqs, url, BUSY)
    send(sqs, url, QUIET)
    assert bodies(receive(sqs, url)) == [BUSY, QUIET], "the backlog ended"


def test_a_group_is_quiet_five_minutes_after_its_last_message(sqs: Any, clock: Clock) -> None:
    url = queue(sqs)
    send(sqs, url, BUSY, 60)
    receive(sqs, url, calls=4)
    clock.advance(QUIET_AFTER / 1000 - 181)
    send(sqs, url, QUIET)
    assert bodies(receive(sqs, url))[0] == QUIET
    clock.advance(181)
    send(sqs, url, QUIET)
    assert bodies(receive(sqs, url))[0] == BUSY


def test_messages_without_a_group_are_quiet(sqs: Any) -> None:
    url = queue(sqs)
    send(sqs, url, BUSY, 60)
    receive(sqs, url, calls=3)
    send(sqs, url, None, 40)
    assert bodies(receive(sqs, url, calls=4)) == ["none"] * 40
    assert set(bodies(receive(sqs, url, calls=3))) == {BUSY}


def test_delayed_and_invisible_messages_are_not_received(sqs: Any, clock: Clock) -> None:
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="later", MessageGroupId=QUIET, DelaySeconds=5)
    send(sqs, url, BUSY)
    (held,) = receive(sqs, url)
    clock.advance(4)
    assert receive(sqs, url) == []
    clock.advance(2)
    assert bodies(receive(sqs, url)) == ["later"]
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0
    )
    clock.advance(0.001)
    assert bodies(receive(sqs, url)) == [BUSY]


def test_the_group_survives_a_restart(sqs: Any, tmp_path: Any) -> None:
    url = queue(sqs)
    send(sqs, url, BUSY)
    persistence.save(tmp_path / "state.json")
    sqs.purge_queue(QueueUrl=url)
    persistence.load(tmp_path / "state.json")
    (found,) = receive(sqs, url)
    assert found["Attributes"]["MessageGroupId"] == BUSY


def test_a_fifo_queue_keeps_its_order(sqs: Any) -> None:
    url = sqs.create_queue(
        QueueName="q.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId=BUSY)
    assert bodies(receive(sqs, url)) == ["0", "1", "2"]


# --- The consumer ---------------------------------------------------------------------------------


class Consumer:
    """The local poller of the join queue, with a worker that takes PER_JOIN for each join.

    ``during_batch`` is called once, when the worker starts its first batch.
    """

    def __init__(self, sqs: Any, url: str, clock: Clock, during_batch: Callable[[], None]) -> None:
        self.clock, self._during_batch = clock, during_batch
        self.placed: list[str] = []
        sqs.meta.events.register("before-call.sqs.ReceiveMessage", self._called)
        arn = f"arn:aws:sqs:{REGION}:123456789012:joins"
        self.step = QueueBatches(sqs, url, self._assign, ASSIGN, arn)

    def _called(self, **_: Any) -> None:
        self.clock.advance(RECEIVE)

    def _assign(self, event: dict[str, Any], _context: Any) -> dict[str, Any]:
        if not self.placed:
            self._during_batch()
        self.clock.advance(PER_JOIN * len(event["Records"]))
        self.placed += [record["body"] for record in event["Records"]]
        return {"batchItemFailures": []}


def until_placed(sqs: Any, clock: Clock, busy: str | None) -> tuple[float, int]:
    """Return the simulated seconds from a quiet join until its batch is done, and its batches.

    The join comes at the worst moment: the worker starts a full batch of the busy event, and CROWD
    joins more wait.
    """
    url, joined = queue(sqs), []

    def join() -> None:
        joined.append(clock())
        send(sqs, url, QUIET)

    consumer = Consumer(sqs, url, clock, join)
    crowd(busy, ASSIGN.batch_size + CROWD)
    batches = 0
    while QUIET not in consumer.placed:
        consumer.step()
        batches += 1
    return clock() - joined[0], batches


def test_a_crowd_of_one_event_delays_the_join_of_another_by_one_batch(
    sqs: Any, clock: Clock
) -> None:
    seconds, batches = until_placed(sqs, clock, BUSY)
    alone = ASSIGN.batch_window + PER_JOIN
    assert batches == 2, "the batch that was in progress, and the next one"
    assert seconds - alone < 3


def test_without_groups_the_join_waits_for_the_whole_crowd(sqs: Any, clock: Clock) -> None:
    """The same scenario without the group of the join integration."""
    seconds, batches = until_placed(sqs, clock, None)
    assert batches == 4
    assert seconds > 5


# --- The rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "others", "noisy"),
    [
        (NOISY_MESSAGES, 0, True),
        (NOISY_MESSAGES - 1, 0, False),
        (100, 899, True),
        (100, 900, False),  # a tenth, not more
    ],
)
def test_a_group_is_noisy_above_a_tenth_and_from_thirty_messages(
    mine: int, others: int, noisy: bool
) -> None:
    in_flight = {"a": mine, None: others}
    assert (noisy_groups(frozenset(), in_flight, {"a": START}, START) == {"a"}) is noisy


def test_among_noisy_groups_the_one_with_the_fewest_messages_in_flight_is_first() -> None:
    waiting = ["a", "b", "c", "a", "b", "c"]
    in_flight = {"a": 50, "b": 40}
    ordered = fair_order(waiting, str, in_flight, frozenset({"a", "b"}))
    assert ordered == ["c", "c", "b", "b", "a", "a"]


@given(st.lists(GROUPS, max_size=60), st.lists(GROUPS, max_size=400), st.data())
def test_every_message_is_delivered_once_and_quiet_groups_come_first(
    waiting: list[str | None], flying: list[str | None], data: st.DataObject
) -> None:
    in_flight = Counter(flying)
    before = data.draw(st.frozensets(st.sampled_from(["a", "b", "c", "d"])))
    newest = dict.fromkeys(waiting, START)
    noisy = noisy_groups(before, in_flight, newest, START + QUIET_AFTER / 2)
    numbered = list(enumerate(waiting))
    ordered = fair_order(numbered, lambda one: one[1], in_flight, noisy)
    assert sorted(ordered, key=lambda one: one[0]) == numbered
    quiet = [one for one in numbered if one[1] not in noisy]
    assert ordered[: len(quiet)] == quiet
    for group in noisy:
        assert [one for one in ordered if one[1] == group] == [
            one for one in numbered if one[1] == group
        ]
        loud = in_flight[group] >= NOISY_MESSAGES
        assert group in before or (loud and in_flight[group] > NOISY_SHARE * len(flying))
    counts = [in_flight[group] for _, group in ordered[len(quiet) :]]
    assert counts == sorted(counts)
