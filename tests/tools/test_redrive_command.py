# SPDX-License-Identifier: Apache-2.0
"""The command of the redrive: errors before the first request."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment import redrive
from tests.support.servers import aws_client, moto_server


def test_a_stack_without_a_region_ends_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    assert redrive.main(["--stack", "WaitingRoom"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "--stack: the AWS region is not set: set AWS_REGION to the stack's region."
    ]


def test_a_stack_without_credentials_ends_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert redrive.main(["--stack", "WaitingRoom"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "The queues cannot be opened: Unable to locate credentials"
    ]


@pytest.mark.parametrize(
    ("stack", "words"),
    [("Other", "Other has no output JoinDeadLetterQueueUrl"), ("None", "None does not exist")],
)
def test_a_stack_that_is_not_the_core_stack_ends_with_one_clear_line(
    stack: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with moto_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        topic = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
        aws_client("cloudformation", url).create_stack(StackName="Other", TemplateBody=topic)
        assert redrive.main(["--stack", stack]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The queues cannot be opened: ")
    assert words in line
