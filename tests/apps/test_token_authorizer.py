# SPDX-License-Identifier: Apache-2.0
"""The authorizer as API Gateway calls it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

import apps.token_authorizer.app as authorizer
from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.tokens import VISITOR, RoomOverHttp, room_over_http, signed, token
from waiting_room.authorizer.verifier import Verifier
from waiting_room.domain.errors import Unavailable

ARN = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/prod/GET/checkout"
STAGE = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/prod/*"
DENY = {
    "principalId": "unknown",
    "policyDocument": {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": [STAGE]}],
    },
    "context": {},
}


@pytest.fixture
def room_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tokens.verifier()
    monkeypatch.setattr(authorizer, "verifier", lambda: made)


def call(header: object, arn: str = ARN) -> dict[str, Any]:
    event = {"type": "TOKEN", "methodArn": arn, "authorizationToken": header}
    return authorizer.token_authorizer(event, None)


@pytest.mark.usefixtures("room_keys")
def test_a_good_token_opens_the_called_api_and_stage_and_no_more() -> None:
    answer = call(f"Bearer {token()}")
    assert answer["principalId"] == VISITOR
    assert answer["policyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [STAGE]}],
    }
    assert answer["context"]["sub"] == VISITOR
    assert answer["context"]["queue_position"] == 7
    assert all(isinstance(value, str | int) for value in answer["context"].values())


@pytest.mark.usefixtures("room_keys")
@pytest.mark.parametrize("header", ["", "Bearer ", "junk", "Basic YTpi", None, 7, "a" * 100_000])
def test_without_a_token_the_answer_is_401_and_nothing_more(header: object) -> None:  # 17
    with pytest.raises(authorizer.Unauthorized) as raised:
        call(header)
    assert str(raised.value) == "Unauthorized"


@pytest.mark.usefixtures("room_keys")
def test_an_event_without_a_token_is_401_and_not_500() -> None:  # 17
    with pytest.raises(authorizer.Unauthorized):
        authorizer.token_authorizer({"type": "TOKEN", "methodArn": ARN}, None)


@pytest.mark.usefixtures("room_keys")
def test_a_token_that_is_not_good_is_denied_with_the_reason_in_the_log_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = {
        "the token is for another event": signed({"aud": "Other"}),
        "the token is from another issuer": signed({"iss": "https://evil.example"}),
        "the token is not an access token": token(use="refresh"),
        "the token is expired": token(at=1_000_000),
        "the signature is wrong": token()[:-6] + "AAAAAA"[:5] + "A",
    }
    for reason, sent in bad.items():
        caplog.clear()
        assert call(sent) == DENY
        assert [record.getMessage() for record in caplog.records] == [f"refused: {reason}"]
        assert sent not in caplog.text


@pytest.mark.usefixtures("room_keys")
def test_the_reason_for_a_401_is_in_the_log_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(authorizer.Unauthorized):
        call("a" * 100_000)
    assert caplog.messages == ["refused: the token is too long"]
    assert caplog.records[0].levelno >= logging.WARNING  # what Lambda shows without any setting


def test_the_room_out_of_reach_at_a_cold_start_is_neither_401_nor_a_cached_deny(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cold = Verifier(tokens.EXPECTED, tokens.FakeKeys(empty=True), lambda: 0)
    monkeypatch.setattr(authorizer, "verifier", lambda: cold)
    with pytest.raises(Unavailable):
        call(token())


@pytest.mark.usefixtures("room_keys")
@pytest.mark.parametrize(
    "arn",
    [
        "", "*", "arn:aws:execute-api:eu-central-1:1:api", "arn:aws:s3:::bucket/key/GET",
        "arn:aws:execute-api:eu-central-1:1:*/prod/GET/", "arn:aws:execute-api:e:1:api/*/GET/x",
    ],
)  # fmt: skip
def test_no_policy_is_made_for_an_arn_that_names_no_stage(arn: str) -> None:
    with pytest.raises(ValueError, match="the event names"):
        call(token(), arn)


@pytest.mark.usefixtures("room_keys")
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize("path", ["", "checkout", "a/b/c", "search/with:colon"])
def test_the_policy_is_the_same_for_every_path_of_the_stage(partition: str, path: str) -> None:
    base = f"arn:{partition}:execute-api:eu-central-1:111122223333:api1/live"
    assert call(token(), f"{base}/POST/{path}")["policyDocument"]["Statement"][0]["Resource"] == [
        f"{base}/*"
    ]


@pytest.mark.usefixtures("room_keys")
@runs(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.none() | st.text() | st.binary() | st.builds(lambda end: token() + end, st.text("=.aA1")))
def test_invalid_input_is_unauthorized_or_denied_and_nothing_else(header: object) -> None:
    if header == token():
        return
    try:
        answer = call(header)
    except authorizer.Unauthorized:
        return
    assert answer == DENY


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[RoomOverHttp]:
    with room_over_http() as running:
        running.publish(tokens.keys())
        monkeypatch.setenv("WAITING_ROOM_EVENT_ID", EVENT)
        monkeypatch.setenv("PUBLIC_API_ENDPOINT", running.url)
        monkeypatch.setenv("ISSUER", ISSUER)
        authorizer.verifier.cache_clear()
        yield running
        authorizer.verifier.cache_clear()


def now_token() -> str:
    import time

    return token(at=int(time.time()) - 5)


def test_the_function_works_from_its_environment_alone(room: RoomOverHttp) -> None:
    with Client(authorizer.app) as client:
        event = {"type": "TOKEN", "methodArn": ARN, "authorizationToken": now_token()}
        for _ in range(3):
            payload = client.lambda_.invoke("token_authorizer", event).payload
            assert payload["principalId"] == VISITOR
            json.dumps(payload)
    assert room.asked == {"/.well-known/jwks.json": 1}


def test_ended_sessions_are_not_asked_for_unless_the_setting_says_so(room: RoomOverHttp) -> None:
    room.replies[f"/ended_sessions?event_id={EVENT}"] = (
        200,
        json.dumps({"request_ids": [VISITOR]}).encode(),
    )
    assert call(now_token())["principalId"] == VISITOR
    assert room.asked["/ended_sessions"] == 0


def test_an_ended_session_is_denied_where_the_setting_says_so(  # 16
    room: RoomOverHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVOCATION_CHECK", "true")
    address = f"/ended_sessions?event_id={EVENT}"
    room.replies[address] = (200, b'{"request_ids": []}')
    assert call(now_token())["principalId"] == VISITOR
    authorizer.verifier.cache_clear()
    room.replies[address] = (200, json.dumps({"request_ids": [VISITOR]}).encode())
    assert call(now_token()) == DENY


def test_a_cold_start_loads_neither_boto_nor_redis() -> None:
    code = (
        "import sys, apps.token_authorizer.app\n"
        "heavy = ('boto3', 'botocore', 'redis', 'urllib3', 'jwcrypto',"
        " 'waiting_room.use_cases.room', 'waiting_room.domain.records',"
        " 'aws_lambda_powertools', 'asyncio')\n"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    source = Path(authorizer.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_app_needs_no_setting() -> None:
    assert [function.name for function in authorizer.app.pure_lambda_functions] == [
        "token_authorizer"
    ]
