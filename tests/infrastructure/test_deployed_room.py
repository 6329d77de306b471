# SPDX-License-Identifier: Apache-2.0
"""The templates run: a visit, an operator's hour and the minute jobs, on what the template made."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import airspeed
import pytest
import redis
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment.local.gateway.join_integration import as_json, render
from infrastructure.blueprint.join_integration import FORM
from tests.support.lambda_proxy_events import Answer, proxy_event
from tests.support.servers import Valkey, aws_client
from tests.support.templates.deployed_room import REGION, DeployedRoom, Forbidden
from tests.support.templates.synthesized import Assembly
from waiting_room.adapters.dynamodb.inlet import DynamoInlet
from waiting_room.inlet.strategies import InletRecord, Strategy

pytestmark = pytest.mark.server
PASSWORD = "x" * 64
DATA = re.compile(
    r"dynamodb:(GetItem|PutItem|UpdateItem|Query|BatchGetItem|PartiQLInsert)|secretsmanager:.*|events:.*"
)


@pytest.fixture(scope="module")
def room(
    eventful: Assembly, moto_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeployedRoom]:
    """A deployed room whose counters ask for the password that its secret holds."""
    server = Valkey(Path(tmp_path_factory.mktemp("counters")))
    server.client().config_set("requirepass", PASSWORD)
    made = DeployedRoom(eventful.stacks["Core"], moto_url, server.port, PASSWORD)
    made.deploy("deployed-room")
    yield made
    server.kill()


@pytest.fixture
def forgotten(room: DeployedRoom) -> Callable[[], None]:
    """Empties the counters, so that the next function has to bring them back."""

    def forget() -> None:
        redis.Redis(port=room.redis_port, password=PASSWORD).flushall()

    return forget


class Visit:
    """Calls of one visitor and of operators, by the functions of the deployed room."""

    def __init__(self, room: DeployedRoom) -> None:
        self.room, self.request_id = room, ""

    def public(self, view: str, path: str, **request: Any) -> Answer:
        method = "POST" if "body" in request else "GET"
        event = proxy_event(method, path, **request)
        return Answer(self.room.call(f"PublicFunctions{view}", event))

    def _look_up_by_number(self) -> None:
        query = {"event_id": self.who["event_id"], "queue_number": "1"}
        self._expect(200, self.private("RequestStatus", "/request_status", query=query))

    def private(self, view: str, path: str, **request: Any) -> Answer:
        method = "POST" if "body" in request else "GET"
        event = proxy_event(method, path, **request)
        return Answer(self.room.call(f"PrivateFunctions{view}", event))

    def worker(self, name: str, event: dict[str, Any] | None = None) -> Any:
        return self.room.call(f"WorkersFunctions{name}", event or {})

    def join(self) -> None:
        """Send the form that the template's own mapping makes to the template's own queue."""
        (method,) = (
            one
            for one in self.room.core.of_type("AWS::ApiGateway::Method").values()
            if one["Integration"]["Type"] == "AWS"
        )
        template = method["Integration"]["RequestTemplates"]["application/json"]
        form = render(airspeed.Template(template), "{}", {"event_id": "Sample"})
        where = self.room.resolve(method["Integration"]["Uri"]).partition(":path/")[2]
        request = AWSRequest(
            "POST", f"{self.room.aws_url}/{where}", headers={"Content-Type": FORM}, data=form
        )
        SigV4Auth(Credentials("test", "test"), "sqs", REGION).add_auth(request)
        sent = urllib3.request(
            "POST", request.url, body=form.encode(), headers=dict(request.headers.items())
        )
        assert sent.status == 200, sent.data
        answer = json.loads(as_json(sent.data.decode()))["SendMessageResponse"]
        self.request_id = answer["SendMessageResult"]["MessageId"]

    def assign(self) -> None:
        """Hand what is in the queue to the worker, as Lambda does."""
        sqs = aws_client("sqs", self.room.aws_url)
        url = self.room.made[self.room.logical("AWS::SQS::Queue", "JoinQueue")]["Ref"]
        received = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )["Messages"]
        records = [
            {
                "messageId": one["MessageId"],
                "body": one["Body"],
                "attributes": one["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"]}
                    for name, value in one.get("MessageAttributes", {}).items()
                },
            }
            for one in received
        ]
        batch = {"Records": records}
        for _ in range(2):  # SQS may deliver twice
            assert self.worker("AssignPositions", batch) == {"batchItemFailures": []}
        for one in received:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])

    def changes(self) -> dict[str, Any]:
        """The rows of the token table as its stream tells of them."""
        name = self.room.made[self.room.logical("AWS::DynamoDB::Table", "TablesTokens")]["Ref"]
        rows = aws_client("dynamodb", self.room.aws_url).scan(TableName=name)["Items"]
        return {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": one}} for one in rows]}

    @property
    def who(self) -> dict[str, str]:
        return {"event_id": "Sample", "request_id": self.request_id}

    def journey(self, before: Callable[[], None]) -> None:
        """Join, wait, be let in, take a token, leave; ``before`` runs ahead of every call."""
        steps: list[Callable[[], Any]] = [
            self.join,
            self.assign,
            lambda: self._expect(200, self.public("QueueNum", "/queue_num", query=self.who)),
            lambda: self._expect(202, self.take_token()),
            self.let_in,
            lambda: self._expect(
                200, self.public("QueuePosExpiry", "/queue_pos_expiry", query=self.who)
            ),
            self._check_token,
            lambda: self._expect(
                200, self.private("RequestStatus", "/request_status", query=self.who)
            ),
            self._look_up_by_number,
            lambda: self.worker("PublishEvents", self.changes()),
            lambda: self._expect(
                200,
                self.private("UpdateSession", "/update_session", body={**self.who, "status": 1}),
            ),
            lambda: self._expect(410, self.take_token()),
        ]
        for step in steps:
            before()
            step()

    def take_token(self) -> Answer:
        return self.public("GenerateToken", "/generate_token", body=self.who)

    def let_in(self) -> None:
        place = self.public("QueueNum", "/queue_num", query=self.who).json["queue_number"]
        serving = self.public("ServingNum", "/serving_num", query={"event_id": "Sample"}).json
        by = place - serving["serving_counter"]
        self._expect(
            200,
            self.private(
                "IncrementServingCounter",
                "/increment_serving_counter",
                body={"event_id": "Sample", "increment_by": by},
            ),
        )

    def _check_token(self) -> None:
        answer = self.take_token()
        self._expect(200, answer)
        part = answer.json["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        issuer = self.room.core.template["Outputs"]["PublicTokenIssuer"]["Value"]
        assert claims["iss"] == self.room.resolve(issuer)
        assert claims["sub"] == self.request_id

    @staticmethod
    def _expect(status: int, answer: Answer) -> None:
        assert answer.status == status, answer.text


def test_a_visit_completes_on_what_the_template_made(room: DeployedRoom) -> None:
    visit = Visit(room)
    assert visit.worker("SetUp") == {"status": "ready"}
    visit.journey(lambda: None)


def test_a_visit_completes_although_the_counters_are_lost_before_every_call(
    room: DeployedRoom, forgotten: Callable[[], None]
) -> None:
    visit = Visit(room)
    visit.worker("SetUp")
    visit.journey(forgotten)


READ = {
    "Status": "/status",
    "ServingNum": "/serving_num",
    "WaitingNum": "/waiting_num",
    "EndedSessions": "/ended_sessions",
    "PublicKey": "/public_key",
    "Jwks": "/.well-known/jwks.json",
}
WATCH = {
    "Metrics": "/metrics",
    "NumActiveTokens": "/num_active_tokens",
    "ExpiredTokens": "/expired_tokens",
    "ShowInlet": "/inlet",
}


def test_every_other_function_does_its_work_within_its_permissions(
    room: DeployedRoom, forgotten: Callable[[], None]
) -> None:
    visit, event = Visit(room), {"event_id": "Sample"}
    visit.worker("SetUp")
    for _ in range(2):
        visit.join()
        visit.assign()
        visit.let_in()
    leave_inlet(room)
    for before in (lambda: None, forgotten):
        for view, path in READ.items():
            before()
            assert visit.public(view, path, query=event).status == 200, view
        for view, path in WATCH.items():
            before()
            assert visit.private(view, path, query=event).status == 200, view
        for view, path, more in (
            ("UpdateMessage", "/update_message", {"message": "soon"}),
            ("ChangeInlet", "/inlet", {"paused": True}),
            ("IncrementServingCounter", "/increment_serving_counter", {"increment_by": 1}),
            ("GenerateToken", "/generate_token", {"request_id": visit.request_id}),
            ("RotateKeys", "/rotate_keys", {}),
        ):
            before()
            assert visit.private(view, path, body={**event, **more}).status == 200, view
        for name in ("SetUp", "SweepPositions", "ReportMetrics", "RotateKeys"):
            before()
            visit.worker(name)
    # the first call of a cold function may outlast what it remembers; the third follows a warm one
    again = [proxy_event("GET", "/queue_num", query=visit.who)] * 3
    assert room.call("PublicFunctionsQueueNum", *again)["statusCode"] == 200


def test_positions_expire_and_a_reset_starts_again_within_the_permissions(
    room: DeployedRoom, forgotten: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, event = Visit(room), {"event_id": "Sample"}
    for _ in range(2):
        visit.join()
        visit.assign()
        visit.let_in()
    swept = []
    for ahead in (0, 200, 400, 2000, 4000):  # seconds: watched, settled, expired
        monkeypatch.setattr(room, "ahead", ahead)
        forgotten()
        swept.append(visit.worker("SweepPositions")["swept"])
    assert swept[0] < swept[-1]
    assert visit.take_token().status == 410
    forgotten()
    assert visit.private("ResetInitialState", "/reset_initial_state", body=event).status == 200


def leave_inlet(room: DeployedRoom) -> None:
    """What an inlet leaves behind after its first run."""
    table = room.made[room.logical("AWS::DynamoDB::Table", "TablesServingLog")]["Ref"]
    targets = {"increment_by": 10}
    DynamoInlet(aws_client("dynamodb", room.aws_url), table).write(
        None, InletRecord("Sample", Strategy.PERIODIC, targets, targets, version=1)
    )


def test_a_function_that_does_what_its_role_does_not_allow_is_noticed(room: DeployedRoom) -> None:
    logical, asked = room._find("AWS::Lambda::Function", "PublicFunctionsQueueNum")
    with room._running_as(logical, asked, {}):
        from waiting_room.adapters import aws

        with pytest.raises(Forbidden, match="may not dynamodb:DeleteItem"):
            aws.client("dynamodb").delete_item(TableName="any", Key={})


# Calls that only a race brings about: a token that comes while the sweep writes its expiry, and
# visitors who come between a reset and the moment the counters learn of it.
RACES = {
    ("WorkersFunctionsSweepPositions", "dynamodb:GetItem", "TablesTokens"),
    ("PrivateFunctionsResetInitialState", "dynamodb:Query", "TablesTokens"),
}


def test_no_function_may_do_what_it_never_does(room: DeployedRoom) -> None:
    """After the tests above, which make every other call that the functions have."""
    never = {
        (function[:-16], action, room.name_of(arn))
        for function, action, arn in room.granted() - room.used
        if DATA.fullmatch(action)
    }
    assert never == RACES
