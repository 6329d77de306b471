# SPDX-License-Identifier: Apache-2.0
"""The light AWS client: signed as botocore signs, limited and failing as botocore does."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from tests import servers
from waiting_room.adapters import aws
from waiting_room.adapters.aws import answering
from waiting_room.adapters.aws_json import JsonClient, ServiceError
from waiting_room.adapters.sigv4 import Credentials, Signer
from waiting_room.errors import Unavailable
from waiting_room.settings import SettingsError

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


class Service:
    """An AWS service that answers what it is told to: (status, body) or None to hang up."""

    def __init__(self) -> None:
        self.plan: list[tuple[int, Any] | None] = []
        self.got: list[tuple[dict[str, str], Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                planned = outer.plan.pop(0) if outer.plan else (200, {})
                if planned is None:
                    self.close_connection = True
                    return
                status, content = planned
                sent = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, args=(0.01,))
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


def client_of(url: str, attempts: int = 3, name: str = "dynamodb") -> JsonClient:
    return JsonClient(
        name,
        url,
        "eu-central-1",
        lambda: Credentials("AK", "secret"),
        timeout=urllib3.Timeout(connect=1, read=0.3),
        attempts=attempts,
        pause=lambda _: None,
    )


def failure(code: str, status: int = 400, **extra: Any) -> tuple[int, Any]:
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **extra}


@given(body=st.binary(max_size=200), key=TEXT, secret=TEXT, token=st.none() | TEXT, day=st.dates())
def test_a_request_is_signed_as_botocore_signs_it(
    body: bytes, key: str, secret: str, token: str | None, day: Any
) -> None:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB.GetItem"}
    now = (day - type(day)(1970, 1, 1)).days * 86_400 + 12_345.678
    signer = Signer("dynamodb", "eu-central-1", "dynamodb.eu-central-1.amazonaws.com")
    mine = signer.headers(headers, body, Credentials(key, secret, token), now)
    request = AWSRequest("POST", "https://dynamodb.eu-central-1.amazonaws.com/", headers, body)
    theirs = SigV4Auth(BotoCredentials(key, secret, token), "dynamodb", "eu-central-1")
    request.context["timestamp"] = mine["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Date"] = mine["x-amz-date"]
    canonical = theirs.canonical_request(request)
    signature = theirs.signature(theirs.string_to_sign(request, canonical), request)
    assert mine["authorization"].endswith(f"Signature={signature}")
    assert f"Credential={theirs.scope(request)}, " in mine["authorization"]


def test_a_call_carries_its_target_its_type_and_its_members(service: Service) -> None:
    service.plan = [(200, {"Item": {"id": {"S": "é"}}})]
    answer = client_of(service.url).batch_get_item(TableName="T", Key={"id": {"S": "é"}})
    assert answer == {"Item": {"id": {"S": "é"}}}
    headers, body = service.got[0]
    assert headers["x-amz-target"] == "DynamoDB_20120810.BatchGetItem"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert json.loads(body) == {"TableName": "T", "Key": {"id": {"S": "é"}}}


def test_binary_attributes_travel_as_base64(service: Service) -> None:
    service.plan = [(200, {"Item": {"bits": {"B": "AAH/"}, "B": {"S": "B"}}})]
    answer = client_of(service.url).put_item(Item={"bits": {"B": b"\x00\x01\xff"}})
    assert answer == {"Item": {"bits": {"B": b"\x00\x01\xff"}, "B": {"S": "B"}}}
    assert json.loads(service.got[0][1]) == {"Item": {"bits": {"B": "AAH/"}}}


def test_a_condition_that_does_not_hold_is_its_own_error_with_what_stands(service: Service) -> None:
    service.plan = [failure("ConditionalCheckFailedException", Item={"at": {"N": "1"}})]
    client = client_of(service.url)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as error:
        client.put_item()
    assert error.value.response["Item"] == {"at": {"N": "1"}}
    assert error.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert len(service.got) == 1


@pytest.mark.parametrize(
    "trouble",
    [None, failure("ThrottlingException"), failure("Any", 500), (503, b"<html>")],
    ids=["no answer", "throttled", "the service's fault", "no JSON"],
)
def test_what_may_pass_is_tried_three_times_and_then_unavailable(
    service: Service, trouble: Any
) -> None:
    service.plan = [trouble, trouble, (200, {"Ok": True})]
    assert client_of(service.url).get_item() == {"Ok": True}
    service.plan = [trouble] * 3
    with pytest.raises(Unavailable), answering("the table"):
        client_of(service.url).get_item()
    assert len(service.got) == 6


def test_a_client_of_one_attempt_never_sends_twice(service: Service) -> None:
    service.plan = [None]
    with pytest.raises(Unavailable), answering("the table"):
        client_of(service.url, attempts=1).update_item()
    assert len(service.got) == 1


def test_a_refusal_is_not_repeated_and_stays_a_fault(service: Service) -> None:
    service.plan = [failure("ValidationException", message="no such member")]
    with pytest.raises(ServiceError, match="ValidationException"), answering("the table"):
        client_of(service.url).get_item()
    assert len(service.got) == 1


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable), answering("the table"):
        client_of(f"http://127.0.0.1:{servers.free_port()}").get_item()


@pytest.mark.parametrize(
    ("env", "service", "address"),
    [
        ({}, "dynamodb", "https://dynamodb.eu-west-1.amazonaws.com"),
        ({}, "secretsmanager", "https://secretsmanager.eu-west-1.amazonaws.com"),
        ({"AWS_REGION": "cn-north-1"}, "events", "https://events.cn-north-1.amazonaws.com.cn"),
        ({"AWS_ENDPOINT_URL": "http://h:1"}, "events", "http://h:1"),
        (
            {"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://s:2"},
            "secretsmanager",
            "http://s:2",
        ),
    ],
)
def test_addresses_are_those_of_every_aws_client(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], service: str, address: str
) -> None:
    import botocore.session

    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    region = aws._region()
    assert aws._endpoint(service, region) == address
    theirs = botocore.session.Session().create_client(service, region_name=region)
    assert theirs.meta.endpoint_url == address


def test_credentials_come_from_the_environment_or_else_from_where_botocore_finds_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "T")
    assert aws.credentials() == Credentials("AK", "SK", "T")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = FK\naws_secret_access_key = FS\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    aws._session.cache_clear()
    assert aws.credentials() == Credentials("FK", "FS")
    file.unlink()
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    aws._session.cache_clear()
    with pytest.raises(SettingsError, match="no AWS credentials"):
        aws.credentials()
    aws._session.cache_clear()


def test_no_secret_shows_when_credentials_are_printed() -> None:
    assert "secret" not in repr(Credentials("AK", "a-secret-key", "a-secret-token"))
