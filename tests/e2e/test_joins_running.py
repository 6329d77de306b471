# SPDX-License-Identifier: Apache-2.0
"""Joins of the running room: ids, junk in the queue, dead letters, a redrive."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session

from deployment.local.config import DEAD_LETTERS, QUEUE
from deployment.redrive import Queues, queues_here, redrive
from tests.support.local_stack import FAST, RunningRoom, running_room

pytestmark = pytest.mark.server
SECONDS = 30  # for what takes one


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    with running_room(tmp_path_factory.mktemp("room"), **FAST) as made:
        yield made


@pytest.fixture(scope="module")
def sqs(room: RunningRoom) -> Any:
    """SQS as somebody of the account sees it who is not the redrive."""
    where = {"endpoint_url": room.endpoints["aws_endpoint_url"]}
    return Session().create_client(
        "sqs",
        region_name=room.endpoints["region"],
        aws_access_key_id="SOMEBODY",
        aws_secret_access_key="x",
        **where,
    )


def url_of(sqs: Any, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])


def number_of(room: RunningRoom, request_id: str) -> int:
    """The place of a visitor, when there is one."""
    end = time.monotonic() + SECONDS
    while (answer := room.ask("/queue_num", request_id)).status_code == 202:
        assert time.monotonic() < end, "no place"
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["queue_number"])


def dead_letters(sqs: Any, count: int) -> list[dict[str, Any]]:
    """That many dead letters; they leave the queue."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + SECONDS
    while len(found) < count:
        assert time.monotonic() < end, f"{len(found)} of {count} dead letters"
        more = sqs.receive_message(
            QueueUrl=url_of(sqs, DEAD_LETTERS), MaxNumberOfMessages=10, WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        ).get("Messages", [])  # fmt: skip
        for one in more:
            sqs.delete_message(
                QueueUrl=url_of(sqs, DEAD_LETTERS), ReceiptHandle=one["ReceiptHandle"]
            )
        found += more
    return found


def test_a_header_of_the_caller_is_no_request_id(room: RunningRoom) -> None:
    chosen = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"
    answers = [
        room.public(
            "POST", "/assign_queue_num", json={"event_id": room.event_id},
            headers={"x-amzn-RequestId": chosen},
        )
        for _ in range(2)
    ]  # fmt: skip
    ids = {answer.json()["api_request_id"] for answer in answers}
    assert len(ids) == 2
    assert chosen not in ids
    assert len({number_of(room, one) for one in ids}) == 2
    assert room.ask("/queue_num", chosen).status_code == 202


def test_invalid_and_forged_messages_are_dead_letters_and_get_no_position(
    room: RunningRoom, sqs: Any
) -> None:
    before = number_of(room, room.join())
    join = json.dumps({"event_id": room.event_id})
    forged = {
        "first_request_id": {"DataType": "String", "StringValue": room.join()},
        "first_sent_at_ms": {"DataType": "Number", "StringValue": "1"},
    }
    queue = url_of(sqs, QUEUE)
    sqs.send_message(QueueUrl=queue, MessageBody=join, MessageAttributes=forged)
    for body in ("junk", "[]", '{"event_id": "-Other"}'):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    found = dead_letters(sqs, 4)
    reasons = {one["Body"]: one["MessageAttributes"]["reason"]["StringValue"] for one in found}
    assert "accepted from RedriveRole only" in reasons[join]
    assert reasons["junk"] == "the join is not valid JSON"
    assert number_of(room, room.join()) == before + 2, "the joins alone took numbers"


def test_a_redriven_join_gets_its_position(room: RunningRoom, sqs: Any) -> None:
    join = json.dumps({"event_id": room.event_id})
    dead = sqs.send_message(QueueUrl=url_of(sqs, DEAD_LETTERS), MessageBody=join)["MessageId"]
    queues: Queues = queues_here(room.folder / "endpoints.json")
    assert redrive(queues, event_id=room.event_id).sent == 1
    assert number_of(room, dead) > 0
