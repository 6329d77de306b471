# SPDX-License-Identifier: Apache-2.0
"""``POST /assign_queue_num`` from a caller's bytes to a place, with a real SQS server between."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from deployment.local.config import QUEUE
from deployment.local.gateway.chalice_apps import load
from deployment.local.gateway.edge_cache import EdgeCache
from deployment.local.gateway.join_integration import JoinIntegration
from deployment.local.gateway.proxy_events import Answer
from deployment.local.gateway.rest_api import RestApi
from deployment.local.workers.event_sources import sqs_record
from infrastructure.blueprint import join_integration
from tests.support.in_memory_room import EVENT
from tests.support.servers import aws_client, moto_server
from waiting_room.runtime.lambda_events import read_joins

ARN = "arn:aws:sqs:eu-central-1:123456789012:joins"
CHOSEN = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    with moto_server() as url:
        client = aws_client("sqs", url)
        client.create_queue(QueueName=QUEUE)
        yield client


@pytest.fixture
def api(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestApi]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sqs.meta.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    made = RestApi(
        "public", load("public_api"), threads=1, api_key="key",
        integrations={("POST", join_integration.PATH): JoinIntegration(EVENT)},
    )  # fmt: skip
    yield made
    made.close()
    received(sqs)


def url_of(sqs: Any) -> str:
    return str(sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])


def post(app: Any, body: bytes, headers: dict[str, str]) -> Answer:
    """What an ASGI application answers to a join."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "method": "POST", "path": f"/api{join_integration.PATH}",
        "query_string": b"",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    names = tuple((name.decode(), text.decode()) for name, text in sent[0]["headers"])
    return Answer(sent[0]["status"], names, sent[1]["body"])


def received(sqs: Any) -> list[dict[str, Any]]:
    """The queue's messages as Lambda hands them over; they leave the queue."""
    found: list[dict[str, Any]] = []
    while more := sqs.receive_message(
        QueueUrl=url_of(sqs), MaxNumberOfMessages=10, MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages", []):  # fmt: skip
        for one in more:
            sqs.delete_message(QueueUrl=url_of(sqs), ReceiptHandle=one["ReceiptHandle"])
        found += more
    return [sqs_record(one, ARN) for one in found]


def test_the_event_is_the_group_of_the_message(api: RestApi, sqs: Any) -> None:
    headers = {"content-type": "application/json", "x-api-key": "key"}
    body = json.dumps({"event_id": EVENT, "MessageGroupId": "of the caller"}).encode()
    assert post(api, body, headers).status == 200
    (record,) = received(sqs)
    assert record["attributes"]["MessageGroupId"] == EVENT
    assert "MessageDeduplicationId" not in record["attributes"], "fair queues are standard queues"


@pytest.mark.parametrize("chosen", [CHOSEN, "not-a-uuid", "", "a" * 300])
@pytest.mark.parametrize("edge", [False, True])
def test_no_header_of_a_caller_becomes_a_request_id(
    api: RestApi, sqs: Any, edge: bool, chosen: str
) -> None:
    headers = {"content-type": "application/json", "x-amzn-RequestId": chosen, "x-api-key": "key"}
    app = EdgeCache(api.answer, "key") if edge else api
    answers = [post(app, json.dumps({"event_id": EVENT}).encode(), headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    ids = {json.loads(answer.body)["api_request_id"] for answer in answers}
    assert len(ids) == 2, "each join has an id of its own"
    assert chosen not in ids
    records = received(sqs)
    assert chosen == "" or chosen not in json.dumps(records)
    joins, dead = read_joins({"Records": records}, EVENT)
    assert not dead
    assert {join.request_id for join in joins} == ids
    assert all(str(uuid.UUID(one)) == one for one in ids)
