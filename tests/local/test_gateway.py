# SPDX-License-Identifier: Apache-2.0
"""The local API Gateway, event sources and schedules, part by part."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment.local.gateway.proxy_events import Call, from_lambda, proxy_event
from deployment.local.gateway.sigv4 import OPERATOR, Signatures
from deployment.local.gateway.token_authorizer import Refused, TokenAuthorizer, allows
from deployment.local.workers import runner
from deployment.local.workers.event_sources import QueueBatches, sns_event, sqs_record
from deployment.local.workers.schedules import period
from infrastructure.blueprint.resources import Function

ARN = "arn:aws:execute-api:eu-central-1:123456789012:store"
KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalr", "eu-central-1"


def policy(effect: str, resource: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"principalId": "me", "policyDocument": {"Statement": [statement]}, "context": {"n": 5}}


# --- the authorizer ---------------------------------------------------------------------------


def test_an_authorizers_answer_is_kept_by_token_for_its_time() -> None:
    asked: list[str] = []
    now = [0.0]

    def function(event: dict[str, Any], _: Any) -> dict[str, Any]:
        asked.append(event["authorizationToken"])
        return policy("Allow", f"{ARN}/api/*")

    authorizer = TokenAuthorizer(function, ARN, 300, lambda: now[0])
    for _ in range(3):
        assert authorizer.check("one", "GET", "/checkout") == {"n": "5", "principalId": "me"}
    authorizer.check("two", "GET", "/search")
    assert asked == ["one", "two"]
    now[0] = 301
    authorizer.check("one", "GET", "/checkout")
    assert asked == ["one", "two", "one"]


@pytest.mark.parametrize(
    ("raised", "status"), [(Exception("Unauthorized"), 401), (Exception("boom"), 500)]
)
def test_what_an_authorizer_raises_decides_the_status(raised: Exception, status: int) -> None:
    def function(event: dict[str, Any], _: Any) -> dict[str, Any]:
        raise raised

    with pytest.raises(Refused) as refused:
        TokenAuthorizer(function, ARN).check("token", "GET", "/checkout")
    assert refused.value.status == status


def test_without_a_token_nobody_is_asked() -> None:
    with pytest.raises(Refused) as refused:
        TokenAuthorizer(lambda *_: pytest.fail("was asked"), ARN).check("", "GET", "/checkout")
    assert (refused.value.status, refused.value.message) == (401, "Unauthorized")


def test_a_policy_allows_what_it_names_and_a_deny_wins() -> None:
    called = f"{ARN}/api/GET/checkout"
    allow, deny = policy("Allow", f"{ARN}/api/*"), policy("Deny", called)
    assert allows(allow["policyDocument"], called)
    assert not allows(allow["policyDocument"], f"{ARN}/other/GET/checkout")
    both = [*allow["policyDocument"]["Statement"], *deny["policyDocument"]["Statement"]]
    assert not allows({"Statement": both}, called)


# --- signatures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["event_id=Sample", "b=2&a=1", "event_id=a%20b%2Bc", "name=%C3%BC%E2%98%83&x=", ""]
)
def test_a_good_signature_is_good_whatever_the_query(query: str) -> None:
    url = f"http://host.example:81/api/metrics{'?' if query else ''}{query}"
    request = AWSRequest("GET", url, headers={}, data="")
    SigV4Auth(Credentials(KEY, SECRET), "execute-api", REGION).add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers["host"] = "host.example:81"
    check = Signatures(KEY, SECRET, REGION)
    assert check.refusal("GET", "/api/metrics", query, headers, b"") == ""
    assert check.refusal("GET", "/api/metrics", f"{query}&z=1", headers, b"") != ""
    late = datetime.now(UTC).replace(year=2020)
    assert "expired" in check.refusal("GET", "/api/metrics", query, headers, b"", late)
    assert Signatures(KEY, "other", REGION).refusal("GET", "/api/metrics", query, headers, b"")


def test_a_signer_is_named_as_api_gateway_does() -> None:
    role = "arn:aws:sts::123456789012:assumed-role/inlet/inlet"
    check = Signatures(KEY, SECRET, REGION)
    check.add("INLETKEY", "other", role)
    for key, secret, arn in ((KEY, SECRET, OPERATOR), ("INLETKEY", "other", role)):
        request = AWSRequest("GET", "http://host.example/api/metrics", headers={}, data="")
        SigV4Auth(Credentials(key, secret), "execute-api", REGION).add_auth(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers["host"] = "host.example"
        assert check.refusal("GET", "/api/metrics", "", headers, b"") == ""
        assert check.identity(headers)["userArn"] == arn
        assert check.identity(headers)["accessKey"] == key
    assert check.identity({}) == {}
    call = Call("GET", "/metrics", "/api/metrics", "", {}, {}, b"", "::1")
    event = proxy_event(call, "/metrics", "private", None, {"userArn": role})
    assert event["requestContext"]["identity"] == {
        "sourceIp": "::1", "userAgent": None, "userArn": role,
    }  # fmt: skip


# --- proxy events -----------------------------------------------------------------------------


def test_a_proxy_event_has_the_shape_of_api_gateways() -> None:
    call = Call(
        "GET", "/status", "/api/status", "a=1&a=2&b=", {"accept": "*/*"}, {"accept": ["*/*"]},
        b"", "198.51.100.7",
    )  # fmt: skip
    event = proxy_event(call, "/status", "public", {"sub": "me"})
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert event["requestContext"]["identity"]["sourceIp"] == "198.51.100.7"
    assert event["requestContext"]["authorizer"] == {"sub": "me"}
    bare = proxy_event(Call("GET", "/s", "/api/s", "", {}, {}, b"", "::1"), "/s", "public")
    assert bare["queryStringParameters"] is None
    assert bare["body"] is None


def test_an_answer_that_is_none_is_a_bad_gateway() -> None:
    for junk in (None, {}, {"statusCode": "x"}, "text", {"statusCode": 200, "headers": 5}):
        assert from_lambda(junk).status == 502
    assert from_lambda({"statusCode": 200, "body": "eHk=", "isBase64Encoded": True}).body == b"xy"


# --- event sources and schedules --------------------------------------------------------------


class Queue:
    """An SQS client with these messages, ten at a time."""

    def __init__(self, count: int) -> None:
        self.waiting = [self._message(index) for index in range(count)]
        self.deleted: list[str] = []

    @staticmethod
    def _message(index: int) -> dict[str, Any]:
        attribute = {"StringValue": f"r{index}", "DataType": "String"}
        return {
            "MessageId": f"m{index}",
            "ReceiptHandle": f"h{index}",
            "Body": "{}",
            "Attributes": {"SentTimestamp": "1700000000000"},
            "MessageAttributes": {"first_request_id": attribute},
        }

    def receive_message(self, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:
        taken = self.waiting[:MaxNumberOfMessages]
        self.waiting = self.waiting[MaxNumberOfMessages:]
        return {"Messages": taken} if taken else {}

    def delete_message_batch(self, Entries: list[dict[str, str]], **_: Any) -> None:
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]


def test_a_batch_is_no_larger_than_it_may_be_and_failures_stay() -> None:
    queue, seen = Queue(30), []  # type: ignore[var-annotated]

    def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        seen.append([record["messageId"] for record in event["Records"]])
        return {"batchItemFailures": [{"itemIdentifier": "m3"}]}

    function = Function("assign", 30, 512, batch_size=25, batch_window=1)
    step = QueueBatches(queue, "url", handler, function, "arn:aws:sqs:eu-central-1:1:joins")
    step()
    assert [len(batch) for batch in seen] == [25]
    assert len(queue.deleted) == 24
    assert "h3" not in queue.deleted


def test_a_batch_whose_function_fails_stays_whole() -> None:
    queue = Queue(5)

    def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        raise RuntimeError

    function = Function("assign", 30, 512, batch_size=5, batch_window=0)
    step = QueueBatches(queue, "url", handler, function, "arn:aws:sqs:eu-central-1:1:joins")
    with pytest.raises(RuntimeError):
        step()
    assert queue.deleted == []


def test_a_message_looks_as_lambda_hands_it_over() -> None:
    record = sqs_record(Queue._message(1), "arn:aws:sqs:eu-central-1:1:joins")
    assert record["messageAttributes"]["first_request_id"]["stringValue"] == "r1"
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "eu-central-1")


def test_a_message_of_a_topic_starts_the_function_as_the_topic_would() -> None:
    event = sns_event({"Records": [{"body": json.dumps({"Message": "text", "MessageId": "1"})}]})
    assert event["Records"][0]["EventSource"] == "aws:sns"
    assert event["Records"][0]["Sns"]["Message"] == "text"


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(30 days)", 30 * 86_400)],
)
def test_a_schedule_has_its_period(expression: str, seconds: int) -> None:
    assert period(expression) == seconds


@pytest.mark.parametrize(
    ("days", "schedule"), [("0", None), ("1", "rate(1 day)"), ("30", "rate(30 days)")]
)
def test_keys_rotate_by_a_schedule_where_the_setting_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, days: str, schedule: str | None
) -> None:
    from apps.workers import app

    made: dict[str, str] = {}

    def note(function: Function, handler: Any, minute: float) -> None:
        assert handler is getattr(app, function.name)
        made[function.name] = function.schedule

    monkeypatch.setattr(runner, "Schedule", note)
    monkeypatch.setenv("KEY_ROTATION_DAYS", days)
    monkeypatch.delenv("INLET_STRATEGY", raising=False)
    runner.schedules(app, 60.0)
    assert made.pop("rotate_keys", None) == schedule
    assert made.pop("check_keys") == "rate(1 hour)"
    assert made == dict.fromkeys(
        ("sweep_positions", "admit", "read_alarms", "report_metrics"), "rate(1 minute)"
    )


def test_a_schedule_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is not supported"):
        period("cron(0 * * * ? *)")
