# SPDX-License-Identifier: Apache-2.0
"""What moto keeps for ever, and what the one-machine stack keeps of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.session import Session
from moto import mock_aws
from moto.core.common_models import BaseModel
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodbstreams.models import (
    DynamoDBStreamsBackend,
    ShardIterator,
    dynamodbstreams_backends,
)
from moto.sns.models import Topic, sns_backends
from moto.sqs.models import Queue, sqs_backends

from deployment.local.moto import memory
from infrastructure.blueprint.resources import TOKENS
from tests.support.servers import FAKE_CREDENTIALS, create_table

ACCOUNT, REGION, MOST = "123456789012", "eu-central-1", 5
Make = Callable[[str], Any]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Clients of moto in this process, with small bounds until the test ends."""
    for kind, name in (
        (Queue, "__init__"),
        (Topic, "__init__"),
        (DynamoDBStreamsBackend, "__init__"),
        (DynamoDBStreamsBackend, "get_records"),
        (ShardIterator, "get"),
        (BaseModel, "__new__"),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    for bound in ("READ_RECORDS", "ITERATORS", "DELETED", "NOTIFICATIONS"):
        monkeypatch.setattr(memory, bound, MOST)
    monkeypatch.setattr(Queue, "bounded", False, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        # a backend of this region may be older than the correction
        dynamodbstreams_backends[ACCOUNT].pop(REGION, None)
        memory.apply()
        memory.apply()
        session = Session()
        yield lambda service: session.create_client(service, region_name=REGION, **FAKE_CREDENTIALS)
        dynamodbstreams_backends[ACCOUNT].pop(REGION, None)


def write(client: Any, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        row = {"shard": {"S": "a"}, "position": {"N": str(number)}}
        client.put_item(TableName="t", Item=row)


def oldest(client: Any) -> str:
    """An iterator at the oldest record of the table's stream."""
    stream = client.describe_table(TableName="t")["Table"]["LatestStreamArn"]
    shard = dynamodb_backends[ACCOUNT][REGION].tables["t"].stream_shard
    streams = dynamodbstreams_backends[ACCOUNT][REGION]
    return str(streams.get_shard_iterator(stream, shard.id, "TRIM_HORIZON").arn)


def test_no_object_of_a_model_is_remembered_for_its_own_sake(make: Make) -> None:
    client = make("dynamodb")
    create_table(client, TOKENS, "t")
    before = len(Item.instances_tracked)  # type: ignore[attr-defined]
    write(client, 10)
    client.query(
        TableName="t",
        KeyConditionExpression="#shard = :shard",
        ExpressionAttributeNames={"#shard": "shard"},
        ExpressionAttributeValues={":shard": {"S": "a"}},
    )
    assert len(Item.instances_tracked) == before  # type: ignore[attr-defined]


def test_a_queue_forgets_old_receipt_handles_and_still_takes_a_second_deletion(make: Make) -> None:
    sqs = make("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    handle = ""
    for _ in range(3 * MOST):
        sqs.send_message(QueueUrl=url, MessageBody="x")
        handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    assert len(sqs_backends[ACCOUNT][REGION].queues["q"].deleted_messages) == MOST


def test_a_topic_forgets_what_it_sent(make: Make) -> None:
    sns = make("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    for number in range(3 * MOST):
        sns.publish(TopicArn=topic, Message=json.dumps({"exited": number}))
    kept = sns_backends[ACCOUNT][REGION].topics[topic].sent_notifications
    assert [json.loads(one[1])["exited"] for one in kept] == list(range(2 * MOST, 3 * MOST))


def test_a_stream_forgets_what_its_reader_passed_and_nothing_that_it_did_not(make: Make) -> None:
    client = make("dynamodb")
    create_table(client, TOKENS, "t")
    write(client, 4 * MOST)
    streams = dynamodbstreams_backends[ACCOUNT][REGION]
    kept = dynamodb_backends[ACCOUNT][REGION].tables["t"].stream_shard
    assert len(kept.items) == 4 * MOST, "nobody has read them"
    first = iterator = oldest(client)
    seen: list[int] = []
    for turn in range(3 * MOST):
        if turn % 3 == 0:
            write(client, 2, 100 + turn)
        answer = streams.get_records(iterator, 7)
        iterator = answer["NextShardIterator"]
        seen += [int(one["dynamodb"]["Keys"]["position"]["N"]) for one in answer["Records"]]
    written = [*range(4 * MOST), *(100 + 3 * n + i for n in range(MOST) for i in (0, 1))]
    assert seen == written, "each record once, in order"
    assert len(kept.items) == MOST
    assert len(streams.shard_iterators) == MOST
    with pytest.raises(JsonRESTError, match="ExpiredIterator"):
        streams.get_records(first, 7)
    again = streams.get_records(oldest(client), 100)["Records"]
    assert [int(one["dynamodb"]["Keys"]["position"]["N"]) for one in again] == written[-MOST:]


def test_an_iterator_behind_what_is_kept_is_refused(make: Make) -> None:
    client = make("dynamodb")
    create_table(client, TOKENS, "t")
    write(client, 10)
    shard = dynamodb_backends[ACCOUNT][REGION].tables["t"].stream_shard
    behind = oldest(client)
    memory.trim(shard, shard.starting_sequence_number + 5)
    with pytest.raises(JsonRESTError, match="TrimmedDataAccess"):
        dynamodbstreams_backends[ACCOUNT][REGION].get_records(behind, 7)
