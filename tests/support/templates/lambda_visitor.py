# SPDX-License-Identifier: Apache-2.0
"""Calls of one visitor and of operators to a deployed room, function by function."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import airspeed
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment.local.gateway.join_integration import as_json, render
from infrastructure.blueprint.join_integration import FORM
from tests.support.servers import aws_client
from tests.support.templates.lambda_room import LambdaRoom


class Visitor:
    """Methods assert that the room accepts each call."""

    def __init__(self, room: LambdaRoom) -> None:
        self.room, self.request_id = room, ""

    @property
    def ids(self) -> dict[str, str]:
        """Event id and request id."""
        return {"event_id": self.room.event_id, "request_id": self.request_id}

    def public(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """The body of a public route's response, which has ``status``."""
        found, body = self.room.http("public_api", method, path, **request)
        assert found == status, (path, body)
        return body

    def private(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """The body of a private route's response, which has ``status``."""
        found, body = self.room.http("private_api", method, path, **request)
        assert found == status, (path, body)
        return body

    def join(self) -> None:
        """Send the form of the template's own mapping to the template's own queue, signed."""
        core, values = self.room.core, self.room.deployment.values
        (method,) = (
            one
            for one in core.of_type("AWS::ApiGateway::Method").values()
            if one["Integration"]["Type"] == "AWS"
        )
        template = values.of(core, method["Integration"]["RequestTemplates"]["application/json"])
        form = render(airspeed.Template(template), "{}", {"event_id": self.room.event_id})
        queue = values.of(core, method["Integration"]["Uri"]).partition(":path/")[2]
        url, headers = f"{self.room.aws_url}/{queue}", {"Content-Type": FORM}
        request = AWSRequest("POST", url, headers=headers, data=form)
        SigV4Auth(Credentials("test", "test"), "sqs", "eu-central-1").add_auth(request)
        signed = dict(request.headers.items())
        sent = urllib3.request("POST", url, body=form.encode(), headers=signed)
        assert sent.status == 200, sent.data
        response = json.loads(as_json(sent.data.decode()))["SendMessageResponse"]
        self.request_id = response["SendMessageResult"]["MessageId"]

    def assign(self) -> None:
        """Hand the queue's messages to the worker as Lambda does, twice, then delete them."""
        sqs = aws_client("sqs", self.room.aws_url)
        url = self.room.deployment.resource("Core", "AWS::SQS::Queue", "JoinQueue")
        received = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )["Messages"]
        batch = {"Records": [_record(one) for one in received]}
        for _ in range(2):  # SQS may deliver twice
            assert self.room("workers", "assign_positions", batch) == {"batchItemFailures": []}
        for one in received:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])

    def serve(self) -> None:
        """Raise the serving counter to the visitor's position."""
        position = self.public("GET", "/queue_num", query=self.ids)["queue_number"]
        event = {"event_id": self.room.event_id}
        serving = self.public("GET", "/serving_num", query=event)["serving_counter"]
        body = {**event, "increment_by": position - serving}
        self.private("POST", "/increment_serving_counter", body=body)

    def take_token(self, status: int = 200) -> Any:
        """The body of the response to a request for the token."""
        return self.public("POST", "/generate_token", status, body=self.ids)

    def check_token(self) -> None:
        """Take the token: its issuer is the template's output, its subject the request id."""
        part = self.take_token()["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        room = self.room
        assert claims["iss"] == room.deployment.values.output(room.core, "PublicTokenIssuer")
        assert claims["sub"] == self.request_id

    def publish(self) -> None:
        """Hand the rows of the token table to the readers of the stream as Lambda does."""
        table = self.room.deployment.resource("Core", "AWS::DynamoDB::Table", "TablesTokens")
        rows = aws_client("dynamodb", self.room.aws_url).scan(TableName=table)["Items"]
        records = [{"eventName": "INSERT", "dynamodb": {"NewImage": row}} for row in rows]
        for reader in self.room.stream_readers:
            assert self.room("workers", reader, {"Records": records}) == {"batchItemFailures": []}

    def run(self, before: Callable[[], None]) -> None:
        """Join, wait, take a token, end the session; ``before`` runs ahead of every call."""
        steps: tuple[Callable[[], Any], ...] = (
            self.join,
            self.assign,
            lambda: self.public("GET", "/queue_num", query=self.ids),
            lambda: self.take_token(202),
            self.serve,
            lambda: self.public("GET", "/queue_pos_expiry", query=self.ids),
            self.check_token,
            lambda: self.private("GET", "/request_status", query=self.ids),
            self._look_up_by_number,
            self.publish,
            lambda: self.private("POST", "/update_session", body={**self.ids, "status": 1}),
            lambda: self.take_token(410),
        )
        for step in steps:
            before()
            step()

    def _look_up_by_number(self) -> None:
        query = {"event_id": self.room.event_id, "queue_number": "1"}
        self.private("GET", "/request_status", query=query)


def _record(message: dict[str, Any]) -> dict[str, Any]:
    """A received SQS message as a Lambda event contains it."""
    return {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
    }
