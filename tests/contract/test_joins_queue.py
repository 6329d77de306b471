# SPDX-License-Identifier: Apache-2.0
"""The queue of joins as its worker uses it, on SQS's calls; and who may say what an id was."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session

from deployment.local.workers.event_sources import sqs_record
from deployment.redrive import Queues, Redriven, as_role, message_count, redrive
from tests.support import servers
from waiting_room.adapters.join_queue import SqsJoinQueue
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt
from waiting_room.runtime.lambda_events import read_joins, read_step_requests

ARN = "arn:aws:sqs:eu-central-1:123456789012:joins"
JOIN = json.dumps({"event_id": "Sample"})


class Line:
    """A queue of joins with its dead letters, and the role that redrives."""

    def __init__(self, url: str) -> None:
        self.sqs = servers.aws_client("sqs", url)
        name = f"joins-{uuid.uuid4().hex[:8]}"
        self.dead = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        self.joins = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.worker = SqsJoinQueue(self.sqs, self.joins, self.dead)
        iam = servers.aws_client("iam", url)
        role = iam.create_role(RoleName=f"{name}-redrive", AssumeRolePolicyDocument="{}")["Role"]
        self.role_id: str = role["RoleId"]
        where = {"endpoint_url": url, "region_name": "eu-central-1"}
        self.redriver: Queues = as_role(
            Session(), role["Arn"], self.dead, self.joins,
            where=where, keys=servers.FAKE_CREDENTIALS,
        )  # fmt: skip

    def messages(self, url: str, hide: int = 0) -> list[dict[str, Any]]:
        """What can be received now."""
        found: list[dict[str, Any]] = []
        while more := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=hide or 60,
            MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"],
        ).get("Messages", []):  # fmt: skip
            found += more
        return found

    def records(self) -> list[dict[str, Any]]:
        """The messages of the queue as Lambda hands them over."""
        return [sqs_record(one, ARN) for one in self.messages(self.joins)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with servers.moto_server() as address:
        yield address


@pytest.fixture
def line(url: str) -> Line:
    return Line(url)


def test_dead_letters_keep_body_reason_id_and_time(line: Line) -> None:
    letters = [
        DeadLetter(f"id-{number}", f"junk {number}", "x" * 300, f"id-{number}", 1000 + number)
        for number in range(9)
    ]
    letters.append(DeadLetter("id-9", "", "no body", "id-9", 0))
    assert line.worker.send_to_dead_letters(letters) == frozenset()
    found = {one["MessageAttributes"]["first_request_id"]["StringValue"]: one
             for one in line.messages(line.dead)}  # fmt: skip
    assert len(found) == 10
    told = {
        name: value["StringValue"] for name, value in found["id-7"]["MessageAttributes"].items()
    }
    assert (found["id-7"]["Body"], told) == (
        "junk 7", {"reason": "x" * 256, "first_request_id": "id-7", "first_sent_at_ms": "1007"},
    )  # fmt: skip
    assert "first_sent_at_ms" not in found["id-9"]["MessageAttributes"]


def test_large_dead_letters_go_in_smaller_requests(line: Line) -> None:
    letters = [DeadLetter(f"id-{number}", "x" * 90_000, "too long") for number in range(7)]
    assert line.worker.send_to_dead_letters(letters) == frozenset()
    assert len(line.messages(line.dead)) == 7


def test_many_dead_letters_go_together_and_each_keeps_what_it_is(line: Line) -> None:
    bodies = ["junk", "", "\ud800 and \0", "x" * 300_000, "\x01" * 100_000]
    letters = [
        DeadLetter(f"id-{number}", bodies[number % 5], f"why {number}", f"id-{number}", number)
        for number in range(500)
    ]
    few = [letter for letter in letters if len(letter.body) < 1000] + letters[3:5]
    assert line.worker.send_to_dead_letters(few) == frozenset()
    found = line.messages(line.dead)
    told = [
        json.loads(one)
        for message in found if "message_count" in message["MessageAttributes"]
        for one in message["Body"].splitlines()
    ]  # fmt: skip
    assert [one["first_request_id"] for one in told] == [
        letter.message_id for letter in few[:-2]
    ], "the two that fill a message are alone"
    assert told[8] == {
        "reason": "why 12", "first_request_id": "id-12", "first_sent_at_ms": 12, "body": " and \0"
    }  # fmt: skip
    assert len(found) == 3
    assert sum(map(message_count, found)) == len(few)


def test_dead_letters_that_are_not_taken_are_named(line: Line, url: str) -> None:
    letters = [DeadLetter(f"id-{number}", "junk", "why") for number in range(250)]
    everything = frozenset(letter.message_id for letter in letters)
    nowhere = SqsJoinQueue(line.sqs, line.joins, line.dead + "-gone")
    assert nowhere.send_to_dead_letters(letters) == everything
    with servers.closed_port() as port:
        away = servers.aws_client("sqs", f"http://127.0.0.1:{port}", attempts=1)
        assert SqsJoinQueue(away, line.joins, line.dead).send_to_dead_letters(letters) == everything


def test_messages_are_delivered_again_after_their_delay(line: Line) -> None:
    for _ in range(12):
        line.sqs.send_message(QueueUrl=line.joins, MessageBody=JOIN)
    held = line.messages(line.joins)
    now, later = held[:11], held[11:]
    due = {Receipt(one["ReceiptHandle"]): 0 for one in now}
    due |= {Receipt(one["ReceiptHandle"]): 60 for one in later}
    line.worker.deliver_again_after(due)
    again = line.messages(line.joins)
    assert {one["MessageId"] for one in again} == {one["MessageId"] for one in now}
    with pytest.raises(Unavailable):
        SqsJoinQueue(line.sqs, line.joins + "-gone", line.dead).deliver_again_after(due)


def test_a_redriven_join_keeps_its_id_and_nobody_else_can_say_so(line: Line) -> None:
    sent = line.sqs.send_message(QueueUrl=line.dead, MessageBody=JOIN)["MessageId"]
    assert redrive(line.redriver) == Redriven(sent=1)
    record = line.records()[0]
    assert record["messageId"] != sent, "SQS gives it another id"
    joins, dead = read_joins({"Records": [record]}, "Sample", line.role_id)
    assert not dead
    assert joins[0].request_id == sent
    forged = {
        name: {"DataType": value["dataType"], "StringValue": value["stringValue"]}
        for name, value in record["messageAttributes"].items()
    }
    line.sqs.send_message(QueueUrl=line.joins, MessageBody=JOIN, MessageAttributes=forged)
    joins, dead = read_joins({"Records": line.records()}, "Sample", line.role_id)
    assert (joins, len(dead)) == ([], 1)


def test_a_redriven_join_has_the_group_of_its_event(line: Line) -> None:
    line.sqs.send_message(QueueUrl=line.dead, MessageBody=JOIN)
    assert redrive(line.redriver) == Redriven(sent=1)
    assert line.records()[0]["attributes"]["MessageGroupId"] == "Sample"


@pytest.mark.parametrize("event_id", [5, None, ["Sample"], "", "a b", "ä", "a" * 65])
def test_a_redrive_sends_no_join_whose_event_id_is_no_group(line: Line, event_id: object) -> None:
    line.sqs.send_message(QueueUrl=line.dead, MessageBody=json.dumps({"event_id": event_id}))
    assert redrive(line.redriver) == Redriven(invalid=1)
    assert line.records() == []


def test_a_join_that_is_redriven_twice_keeps_its_first_id(line: Line) -> None:
    sent = line.sqs.send_message(QueueUrl=line.dead, MessageBody=JOIN)["MessageId"]
    redrive(line.redriver)
    (again,) = line.messages(line.joins)
    line.redriver.sqs.send_message(  # SQS moves it to the dead letters: sender and attributes stay
        QueueUrl=line.dead,
        MessageBody=again["Body"],
        MessageAttributes={
            name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
            for name, value in again["MessageAttributes"].items()
        },
    )
    line.sqs.delete_message(QueueUrl=line.joins, ReceiptHandle=again["ReceiptHandle"])
    assert redrive(line.redriver) == Redriven(sent=1)
    joins, _ = read_joins({"Records": line.records()}, "Sample", line.role_id)
    assert joins[0].request_id == sent


def test_a_redrive_leaves_what_the_worker_refused(line: Line) -> None:
    line.worker.send_to_dead_letters([DeadLetter("id-1", JOIN, "why", "id-1", 5)])
    line.sqs.send_message(QueueUrl=line.dead, MessageBody="junk")
    assert redrive(line.redriver, dry_run=True) == Redriven(invalid=2)
    assert line.records() == []


def test_each_sender_has_an_id_of_its_own(line: Line, url: str) -> None:
    keys = {"aws_access_key_id": "SOMEBODY", "aws_secret_access_key": "x"}
    where = {"endpoint_url": url, "region_name": "eu-central-1"}
    somebody: Any = Session().create_client("sqs", **where, **keys)
    clients = [line.sqs, line.redriver.sqs, somebody]
    for number, client in enumerate(clients):
        entry = {"Id": "0", "MessageBody": str(number)}
        client.send_message(QueueUrl=line.joins, MessageBody=str(number))
        client.send_message_batch(QueueUrl=line.joins, Entries=[entry])
    senders: dict[str, set[str]] = {}
    for record in line.records():
        senders.setdefault(record["body"], set()).add(record["attributes"]["SenderId"])
    assert all(len(ids) == 1 for ids in senders.values()), senders
    assert len(set.union(*senders.values())) == 3
    assert senders["1"] == {f"{line.role_id}:redrive"}


def test_a_request_for_a_step_comes_to_the_worker_after_its_delay(url: str) -> None:
    line = Line(url)
    line.worker.request_step("onsale", 0)
    (record,) = line.records()
    found, others = read_step_requests({"Records": [record]})
    assert (list(found), others["Records"]) == (["onsale"], [])
    assert 0 <= time.time() - found["onsale"] < 60
    line.worker.request_step("onsale", 60)
    assert line.records() == []
    with pytest.raises(Unavailable):
        SqsJoinQueue(line.sqs, f"{line.joins}-missing", line.dead).request_step("onsale", 0)
