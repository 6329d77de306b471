# SPDX-License-Identifier: Apache-2.0
"""The room of a command: addresses, credentials, and calls that get no response."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from botocore.exceptions import ClientError, EndpointConnectionError

from apps.command_line.connection import ENDPOINTS
from deployment.doctor.__main__ import AwsAccount
from deployment.local.gateway.sigv4 import Signatures
from tests.support.fakes.events_api import Call
from tests.unit.command_line.conftest import ADDRESSES, CommandLine, assert_one_line
from waiting_room.adapters import operator_access
from waiting_room.adapters.operator_access import open_session, region_of

AWS = "https://abc123.execute-api.eu-west-3.amazonaws.com/api"


@pytest.fixture(autouse=True)
def no_aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """An environment without credentials, profiles and region."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
                 "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CLOUDKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "cloud-secret")


def scope(call: Call) -> str:
    """The key and scope with which a call is signed."""
    return call.headers["Authorization"].split("Credential=")[1].split(",")[0]


def outputs(monkeypatch: pytest.MonkeyPatch, found: dict[str, str] | Exception) -> list[str]:
    """Replace CloudFormation; return the names of the stacks that are read."""
    asked: list[str] = []

    class CloudFormation:
        def describe_stacks(self, StackName: str) -> Any:
            asked.append(StackName)
            if isinstance(found, Exception):
                raise found
            pairs = [{"OutputKey": name, "OutputValue": value} for name, value in found.items()]
            return {"Stacks": [{"Outputs": pairs}]}

    from botocore.session import Session

    def create_client(_: Any, service: str, **__: Any) -> CloudFormation:
        assert service == "cloudformation"
        return CloudFormation()

    monkeypatch.setattr(Session, "create_client", create_client)
    return asked


def test_without_options_the_room_of_this_machine_is_called(cli: CommandLine) -> None:
    """The gateway of that room accepts the signature."""
    urls: list[str] = []
    cli.api.before = lambda call: urls.append(call.path)  # type: ignore[func-returns-value]
    assert cli.run("events", "list").exit_code == 0
    (call,) = cli.api.calls
    assert scope(call).startswith("LOCALKEY/")
    headers = {name.lower(): value for name, value in call.headers.items()}
    headers["host"] = urlsplit(ADDRESSES["private_api"]).netloc
    signatures = Signatures("LOCALKEY", "local-secret", "eu-central-1")
    now = datetime.now(UTC)
    assert signatures.refusal("GET", call.path, "", headers, b"", now) == ""


def test_no_room_on_this_machine(cli: CommandLine) -> None:
    (cli.folder / ENDPOINTS).unlink()
    assert_one_line(cli.run("events", "list"), 2, "make run", "--api", "--stack")


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", json.dumps({**ADDRESSES, "private_api": "x"})]
)
def test_an_invalid_file_of_addresses(cli: CommandLine, content: str) -> None:
    (cli.folder / ENDPOINTS).write_text(content)
    assert_one_line(cli.run("events", "list"), 2)


@pytest.mark.usefixtures("keys")
def test_api_names_the_address_and_its_region(cli: CommandLine) -> None:
    assert cli.run("events", "list", "--api", AWS).exit_code == 0
    (call,) = cli.api.calls
    assert scope(call).startswith("CLOUDKEY/")
    assert "/eu-west-3/execute-api/" in scope(call)


@pytest.mark.usefixtures("keys")
def test_the_region_of_another_host_is_an_option(cli: CommandLine) -> None:
    address = ("--api", "https://api.example.com/api/")
    assert_one_line(cli.run("events", "list", *address), 2, "--region")
    assert cli.run("events", "list", *address, "--region", "eu-west-1").exit_code == 0
    assert "/eu-west-1/" in scope(cli.api.calls[0])


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    "address", ["ftp://x", "http://example.com/api", "x", "https://[", "https://a/?b"]
)
def test_an_invalid_address(cli: CommandLine, address: str) -> None:
    result = cli.run("events", "list", "--api", address, "--region", "eu-west-1")
    assert_one_line(result, 2, "--api must be an https address")


def test_no_credentials_are_not_permitted(cli: CommandLine) -> None:
    assert_one_line(cli.run("events", "list", "--api", AWS), 5, "no AWS credentials", "--profile")
    assert not cli.api.calls


def test_a_profile_has_credentials_and_region(cli: CommandLine) -> None:
    (cli.folder / "config").write_text("[profile ops]\nregion = eu-north-1\n")
    (cli.folder / "credentials").write_text(
        "[ops]\naws_access_key_id = OPSKEY\naws_secret_access_key = x\n"
    )
    where = ("--api", "https://api.example.com/api", "--profile")
    assert cli.run("events", "list", *where, "ops").exit_code == 0
    assert scope(cli.api.calls[0]).startswith("OPSKEY/")
    assert "/eu-north-1/" in scope(cli.api.calls[0])
    assert_one_line(cli.run("events", "list", *where, "other"), 2, "other")


def test_an_expired_login_is_not_permitted(cli: CommandLine) -> None:
    (cli.folder / "config").write_text(
        "[profile sso]\nsso_start_url = https://sso.example.com\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = operator\nregion = eu-west-1\n"
    )
    result = cli.run("events", "list", "--api", AWS, "--profile", "sso")
    assert_one_line(result, 5, "SSO")


@pytest.mark.usefixtures("keys")
def test_stack_reads_both_addresses(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    public = "https://d1.cloudfront.net"
    asked = outputs(monkeypatch, {"PrivateApiInvokeURL": AWS, "PublicApiInvokeURL": public})
    cli.event("Sale")
    assert cli.run("status", "Sale", "--stack", "WaitingRoom").exit_code == 0
    assert asked == ["WaitingRoom"]
    assert cli.addresses == [f"{public}/status?event_id=Sale"]
    assert "/eu-west-3/execute-api/" in scope(cli.api.calls[0])


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "text"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },  # type: ignore[typeddict-item]
        "DescribeStacks",
    )


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("found", "code", "text"),
    [
        ({}, 2, "no output PrivateApiInvokeURL: name the core stack"),
        (refusal("ValidationError"), 2, "CloudFormation: text"),
        (refusal("AccessDenied", 403), 5, "AccessDenied"),
        (refusal("ExpiredToken"), 5, "ExpiredToken"),
        (refusal("Throttling"), 4, "busy"),
        (refusal("Whatever", 500), 4, "busy"),
        (EndpointConnectionError(endpoint_url="x"), 4, "did not respond"),
    ],
)
def test_a_stack_that_cannot_be_read(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, found: Any, code: int, text: str
) -> None:
    outputs(monkeypatch, found)
    assert_one_line(cli.run("events", "list", "--stack", "Other"), code, text)


@pytest.mark.usefixtures("keys")
def test_stack_needs_a_region(cli: CommandLine) -> None:
    assert_one_line(cli.run("events", "list", "--stack", "Room"), 2, "the AWS region is not set")


def lost(_: Call) -> Any:
    raise urllib3.exceptions.ProtocolError("lost")


def not_connected(_: Call) -> Any:
    raise urllib3.exceptions.ConnectTimeoutError("x")


def test_a_read_is_repeated_and_a_lost_change_is_not(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.api.before = lost
    assert_one_line(cli.run("events", "list"), 4, "did not respond")
    assert len(cli.api.calls) == 4
    cli.api.calls.clear()
    assert_one_line(cli.run("pause", "Sale"), 4, "The change may have been made")
    assert len(cli.api.calls) == 1


def test_a_lost_change_with_a_call_id_is_repeated(cli: CommandLine) -> None:
    """The room recognises the id, and admits once."""
    cli.event("Sale")
    cli.api.before = lambda call: lost(call) if len(cli.api.calls) == 1 else None
    assert cli.run("admit", "Sale", "5").exit_code == 0
    first, second = cli.api.calls
    assert first.content == second.content
    assert len(first.content["call_id"]) == 32


def test_a_call_that_was_not_sent_is_repeated(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.api.before = not_connected
    result = cli.run("pause", "Sale")
    assert_one_line(result, 4, "http://127.0.0.1:9001/api did not respond")
    assert "may have been made" not in result.stderr
    assert len(cli.api.calls) == 4


def test_a_large_response_is_read_whole(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.api.points = [{"at": one, "joined": one} for one in range(1440)] * 4
    assert len(cli.json("history", "Sale")["points"]) == 4 * 1440


def test_credentials_are_read_at_each_call() -> None:
    """A watch of an hour outlives the credentials of a role."""

    class Session:
        reads = 0

        def get_credentials(self) -> Any:
            return self

        def get_frozen_credentials(self) -> int:
            self.reads += 1
            return self.reads

    current = operator_access.credentials_of(Session())
    assert (current(), current()) == (1, 2)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({}, "ap-south-1"),  # of the profile
    ],
)
def test_the_region_is_that_of_the_cdk_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], region: str
) -> None:
    (tmp_path / "config").write_text("[profile shop]\nregion = ap-south-1\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert region_of(open_session("shop", None)) == region
    assert AwsAccount("shop").region == region
