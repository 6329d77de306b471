# SPDX-License-Identifier: Apache-2.0
"""moto's queues with a crowd: slow by themselves, quick with many messages when mended."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.support.local_stack import paths
from tests.support.servers import ROOT, moto_server

SCRIPT = """
import json, sys
from collections import Counter
import boto3, moto
from moto.sqs import models
if sys.argv[1] == "mended":
    from deployment.local.moto import speedups
    speedups.apply()
    speedups.apply()
looks = Counter()
visible = models.Message.visible.fget
models.Message.visible = property(lambda one: looks.update(n=1) or visible(one))
said = {}
with moto.mock_aws():
    sqs = boto3.client("sqs", region_name="eu-central-1")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for _ in range(50):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    said["looks while sending"] = looks["n"]
    first = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    said["there"] = attributes["ApproximateNumberOfMessages"]
    said["under way"] = attributes["ApproximateNumberOfMessagesNotVisible"]
    one = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    said["one"] = one["Attributes"]
    try:
        sqs.delete_message(QueueUrl=url, ReceiptHandle="junk")
    except sqs.exceptions.ClientError as error:
        said["junk"] = error.response["Error"]["Code"]
    fifo = sqs.create_queue(
        QueueName="q.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g")
    said["fifo"] = len(sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"])
print(json.dumps(said))
"""


def said(which: str) -> dict[str, object]:
    import os

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, which],
        cwd=ROOT,
        env={**os.environ, **paths(), "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_plain_moto_looks_at_every_message_for_each_one_that_is_sent() -> None:
    """Once this fails moto is mended: then ``speedups.py`` goes."""
    looks = said("plain")["looks while sending"]
    assert isinstance(looks, int)
    assert looks > 1_000


def test_the_fixed_version_scans_no_message_and_returns_the_same() -> None:
    mended, plain = said("mended"), said("plain")
    assert mended.pop("looks while sending") == 0
    plain.pop("looks while sending")
    assert mended == plain


@pytest.mark.server
def test_the_emulator_answers_many_requests_on_one_connection() -> None:
    with moto_server() as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        scope = "a/20260101/eu-central-1/dynamodb/aws4_request"
        headers = {
            "X-Amz-Target": "DynamoDB_20120810.ListTables",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
        }
        connection.connect()
        opened = connection.sock
        for _ in range(3):
            connection.request("POST", "/", body="{}", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200
            assert json.loads(answer.read()) == {"TableNames": []}
            assert connection.sock is opened
        connection.request("GET", "/moto-api/", headers={"Connection": "close"})
        assert connection.getresponse().status == 200
        connection.close()
