# SPDX-License-Identifier: Apache-2.0
"""3. The queue of joins: SQS's calls on moto, with duplicates, disorder, poison, dead letters."""

from __future__ import annotations

import json
import random
import time
import uuid
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from deployment.local.pollers import sqs_record
from deployment.redrive import Redriven, redrive
from infrastructure.resources import JOINS
from tests import servers
from tests.chaos.crowd import quick_claims
from tests.chaos.ledger import Ledger, check
from tests.chaos.places import room_at, settle
from tests.chaos.report import Result
from tests.stack import RealRoom
from waiting_room.messages import read_joins
from waiting_room.records import Join

ARN = "arn:aws:sqs:eu-central-1:123456789012:joins"
POISON = (
    "", "junk", "[]", "{}", "null", '{"event_id": "Other"}', "{" * 20_000, '{"event_id": 1}',
    "\u0000", '{"event_id": "\ud83c\udf9f"}',
)  # fmt: skip


class Queues:
    """The joins and the dead letters on an SQS endpoint; messages come again after 5 s."""

    def __init__(self, url: str) -> None:
        self.sqs = servers.aws_client("sqs", url)
        name = f"joins-{uuid.uuid4().hex[:8]}"
        self.dead = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])
        policy = {
            "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
            "maxReceiveCount": JOINS.max_receive_count,
        }
        self.joins = self.sqs.create_queue(
            QueueName=name,
            Attributes={"VisibilityTimeout": "5", "RedrivePolicy": json.dumps(policy)},
        )["QueueUrl"]

    def send(self, bodies: list[tuple[str, str]]) -> None:
        """Send bodies with their request ids, as the API's mapping template does."""
        for start in range(0, len(bodies), 10):
            entries = [
                {
                    "Id": str(index),
                    "MessageBody": body or " ",
                    "MessageAttributes": {
                        "apigw_request_id": {"DataType": "String", "StringValue": request_id}
                    },
                }
                for index, (body, request_id) in enumerate(bodies[start : start + 10])
            ]
            answer = self.sqs.send_message_batch(QueueUrl=self.joins, Entries=entries)
            assert not answer.get("Failed")

    def batch(self, most: int) -> list[dict[str, Any]]:
        """Messages, in no order; none after the queue was empty."""
        found: list[dict[str, Any]] = []
        while len(found) < most:
            more = self.sqs.receive_message(
                QueueUrl=self.joins,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            if not more:
                break
            found += more
        return found

    def delete(self, messages: list[dict[str, Any]]) -> None:
        """These are done; one that was received again meanwhile stays, and comes again."""
        for start in range(0, len(messages), 10):
            entries = [
                {"Id": str(index), "ReceiptHandle": one["ReceiptHandle"]}
                for index, one in enumerate(messages[start : start + 10])
            ]
            self.sqs.delete_message_batch(QueueUrl=self.joins, Entries=entries)

    def again(self, messages: list[dict[str, Any]]) -> None:
        """Let these come again at once."""
        for message in messages:
            with suppress(ClientError):  # it was received again already
                self.sqs.change_message_visibility(
                    QueueUrl=self.joins,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=0,
                )

    def left(self, url: str) -> int:
        """How many messages a queue holds, seen or unseen."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def work(real: RealRoom, queues: Queues, dice: random.Random, twice: float = 0.0) -> bool:
    """One batch, as the worker function does it; some messages are handed over twice."""
    messages = queues.batch(100)
    if not messages:
        return False
    given = messages + [one for one in messages if dice.random() < twice]
    dice.shuffle(given)
    joins, dead = read_joins({"Records": [sqs_record(one, ARN) for one in given]}, real.event_id)
    retry = dead | (real.room.assign(real.event_id, joins).retry if joins else frozenset())
    undeleted = {one["MessageId"] for one in messages if dice.random() < twice}
    queues.delete([one for one in messages if one["MessageId"] not in retry | undeleted])
    queues.again([one for one in messages if one["MessageId"] in dead])
    return True


def accept(real: RealRoom, seen: Ledger, count: int) -> list[tuple[str, str]]:
    """Bodies of joins with their request ids, noted in the ledger."""
    body = json.dumps({"event_id": real.event_id})
    ids = [str(uuid.uuid4()) for _ in range(count)]
    seen.accepted.update((one, Join(one, time.time(), one)) for one in ids)
    return [(body, one) for one in ids]


def run(tables_url: str, sqs_url: str, valkey: Any, *, joins: int, seed: int) -> Result:
    """Ten per cent of the messages twice, disorder, poison among them, then a redrive."""
    found = Result("queue: duplicates 10 %, disorder, poison, redrive", joins, seed=seed)
    dice, seen = random.Random(seed), Ledger()
    real, queues = room_at(tables_url, valkey), Queues(sqs_url)
    bodies = accept(real, seen, joins)
    poison = [(body, str(uuid.uuid4())) for body in POISON] + [(bodies[0][0], "no-uuid")]
    mixed = bodies[: joins // 2] + poison + bodies[joins // 2 :]
    queues.send(mixed)
    with quick_claims():
        _drain(real, queues, dice, found, twice=0.1)
        spare = queues.left(queues.dead) - len(poison)  # joins placed, and too slow to be deleted
        if spare < 0:
            found.wrong.append(f"{-spare} poison messages are no dead letters")
        late = accept(real, seen, 25)
        _die(queues, late)
        done = redrive(
            queues.sqs, queues.dead, queues.joins, event_id=real.event_id, drop_junk=True
        )
        if done != Redriven(len(late) + spare, len(poison), 0):
            found.wrong.append(f"the redrive did {done}")
        _drain(real, queues, dice, found)
    if queues.left(queues.dead):
        found.wrong.append("dead letters are left after the redrive")
    settle(real)
    found.cases = len(seen.accepted)
    check(real, seen, found)
    found.notes = f"{len(poison)} poison messages, {done.sent} joins redriven"
    return found


def _drain(
    real: RealRoom, queues: Queues, dice: random.Random, found: Result, twice: float = 0.0
) -> None:
    deadline = time.monotonic() + 120
    while queues.left(queues.joins):
        if time.monotonic() > deadline:
            found.wrong.append("the queue was never done")
            return
        if not work(real, queues, dice, twice):
            time.sleep(0.1)


def _die(queues: Queues, bodies: list[tuple[str, str]]) -> None:
    """Joins that no worker could place in ten tries."""
    queues.send(bodies)
    for _ in range(JOINS.max_receive_count):
        queues.again(queues.batch(len(bodies)))
    queues.batch(1)


def big_batch(tables_url: str, valkey: Any, *, joins: int, seed: int) -> Result:
    """One invocation with as many messages as Lambda can hand over, a tenth of them twice."""
    found = Result(f"queue: one batch of {joins:,}", joins, seed=seed)
    real, seen, dice = room_at(tables_url, valkey), Ledger(), random.Random(seed)
    batch = real.joins(joins)
    seen.accepted.update((join.request_id, join) for join in batch)
    given = batch + dice.sample(batch, joins // 10)
    dice.shuffle(given)
    started = time.monotonic()
    if real.room.assign(real.event_id, given).retry:
        found.wrong.append("a part of the batch has to come again")
    took = time.monotonic() - started
    rows = real.positions.get_many(real.event_id, [join.request_id for join in batch])
    if [rows[join.request_id].position for join in batch] != list(range(1, joins + 1)):
        found.wrong.append("places are not in the order of arrival")
    settle(real)
    check(real, seen, found)
    found.notes = f"{took:.1f} s"
    return found
