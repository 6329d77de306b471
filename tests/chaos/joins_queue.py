# SPDX-License-Identifier: Apache-2.0
"""3. The join queue (SQS on moto): duplicates, reordering, invalid messages, redrive."""

from __future__ import annotations

import json
import random
import time
import uuid
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from deployment.local.workers.event_sources import sqs_record
from deployment.redrive import Redriven, as_role, redrive
from infrastructure.blueprint.resources import JOINS
from tests.chaos.observations import Observations, check
from tests.chaos.report import Result
from tests.chaos.servers import room_at, settle
from tests.chaos.traffic import short_leases
from tests.support import servers
from tests.support.real_stores import RealRoom
from waiting_room.adapters.join_queue import SqsJoinQueue
from waiting_room.domain.records import Join
from waiting_room.runtime.lambda_events import read_joins

ARN = "arn:aws:sqs:eu-central-1:123456789012:joins"
INVALID = (
    "", "junk", "[]", "{}", "null", '{"event_id": "-Other"}', "{" * 20_000, '{"event_id": 1}',
    "\u0000", '{"event_id": "\ud83c\udf9f"}',
)  # fmt: skip


class Queues:
    """Join queue and dead-letter queue on SQS; messages are delivered again after 5 s."""

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
        self.worker = SqsJoinQueue(self.sqs, self.joins, self.dead)
        where = {"endpoint_url": url, "region_name": "eu-central-1"}
        keys = servers.FAKE_CREDENTIALS
        iam = servers.aws_client("iam", url)
        role = iam.create_role(RoleName=f"{name}-redrive", AssumeRolePolicyDocument="{}")["Role"]
        self.redriver = as_role(
            Session(), role["Arn"], self.dead, self.joins, where=where, keys=keys
        )
        assert self.redriver.role_id == role["RoleId"]

    def send(self, bodies: list[str], **attributes: str) -> list[str]:
        """Send bodies; return their request ids, which are the message ids."""
        ids: list[str] = []
        more = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(index), "MessageBody": body or " ", "MessageAttributes": more}
                for index, body in enumerate(bodies[start : start + 10])
            ]
            response = self.sqs.send_message_batch(QueueUrl=self.joins, Entries=entries)
            assert not response.get("Failed")
            taken = {one["Id"]: one["MessageId"] for one in response["Successful"]}
            ids += [taken[entry["Id"]] for entry in entries]
        return ids

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

    def size(self, url: str) -> int:
        """Number of messages in a queue, visible or not; 0 only if it is empty.

        moto counts visible messages first. A message that becomes visible before the second count
        is in neither, but it is in the next response.
        """
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = []
        for _ in range(2):
            found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            counts.append(sum(int(found[name]) for name in names))
        return max(counts)


def work(real: RealRoom, queues: Queues, dice: random.Random, twice: float = 0.0) -> bool:
    """One batch, as the worker function does it; some messages are handed over twice."""
    messages = queues.batch(100)
    if not messages:
        return False
    given = messages + [one for one in messages if dice.random() < twice]
    dice.shuffle(given)
    batch = {"Records": [sqs_record(one, ARN) for one in given]}
    joins, dead = read_joins(batch, real.event_id, queues.redriver.role_id)
    retry = (
        real.room.workers.assignment.assign(real.event_id, joins).retry if joins else frozenset()
    )
    for letter in dead:  # one message per call: the run counts them at the end
        retry |= queues.worker.send_to_dead_letters([letter])
    dead_ids = {letter.message_id for letter in dead}
    undeleted = {one["MessageId"] for one in messages if dice.random() < twice} - dead_ids
    queues.delete([one for one in messages if one["MessageId"] not in retry | undeleted])
    return True


def accept(real: RealRoom, queues: Queues, seen: Observations, count: int) -> None:
    """Send joins and record them."""
    ids = queues.send([json.dumps({"event_id": real.event_id})] * count)
    seen.accepted.update((one, Join(one, time.time(), one)) for one in ids)


def run(tables_url: str, sqs_url: str, valkey: Any, *, joins: int, seed: int) -> Result:
    """Deliver 10 % of the messages twice and out of order, some invalid; then redrive."""
    found = Result(
        "queue: duplicates 10 %, reordering, messages that always fail, redrive", joins, seed=seed
    )
    dice, seen = random.Random(seed), Observations()
    real, queues = room_at(tables_url, valkey), Queues(sqs_url)
    accept(real, queues, seen, joins // 2)
    queues.send(list(INVALID))
    # a sender other than the redrive forges the id of a join and an earlier time
    forged = {"first_request_id": next(iter(seen.accepted)), "first_sent_at_ms": "1"}
    queues.send([json.dumps({"event_id": real.event_id})], **forged)
    accept(real, queues, seen, joins - joins // 2)
    invalid = len(INVALID) + 1
    with short_leases():
        _drain(real, queues, dice, found, twice=0.1)
        spare = queues.size(queues.dead) - invalid  # assigned joins, not deleted in time
        if spare < 0:
            found.wrong.append(f"{-spare} invalid messages are not in the dead-letter queue")
        late = 25
        accept(real, queues, seen, late)
        _exhaust_receives(queues, late)
        done = redrive(queues.redriver, event_id=real.event_id, drop_invalid=True)
        if done != Redriven(late + spare, invalid, 0):
            found.wrong.append(f"the redrive did {done}")
        _drain(real, queues, dice, found)
    if queues.size(queues.dead):
        found.wrong.append("the dead-letter queue is not empty after the redrive")
    settle(real)
    found.cases = len(seen.accepted)
    check(real, seen, found)
    found.notes = f"{invalid} messages that always fail, {done.sent} joins redriven"
    return found


def _drain(
    real: RealRoom, queues: Queues, dice: random.Random, found: Result, twice: float = 0.0
) -> None:
    deadline = time.monotonic() + 120
    while queues.size(queues.joins):
        if time.monotonic() > deadline:
            found.wrong.append("the queue was never done")
            return
        if not work(real, queues, dice, twice):
            time.sleep(0.1)


def _exhaust_receives(queues: Queues, count: int) -> None:
    """Receive joins, without assigning them, until SQS moves them to the dead-letter queue."""
    for _ in range(JOINS.max_receive_count):
        queues.again(queues.batch(count))
    queues.batch(1)


def big_batch(tables_url: str, valkey: Any, *, joins: int, seed: int) -> Result:
    """One invocation with as many messages as Lambda can hand over, a tenth of them twice."""
    found = Result(f"queue: one batch of {joins:,}", joins, seed=seed)
    real, seen, dice = room_at(tables_url, valkey), Observations(), random.Random(seed)
    batch = real.joins(joins)
    seen.accepted.update((join.request_id, join) for join in batch)
    given = batch + dice.sample(batch, joins // 10)
    dice.shuffle(given)
    started = time.monotonic()
    if real.room.workers.assignment.assign(real.event_id, given).retry:
        found.wrong.append("a part of the batch has to come again")
    took = time.monotonic() - started
    rows = real.positions.get_many(real.event_id, [join.request_id for join in batch])
    if [rows[join.request_id].position for join in batch] != list(range(1, joins + 1)):
        found.wrong.append("positions are not in the order of arrival")
    settle(real)
    check(real, seen, found)
    found.notes = f"{took:.1f} s"
    return found
