# SPDX-License-Identifier: Apache-2.0
"""`make publish` uploads to a private bucket of the account only, and says how to deploy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deployment import publish
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.domains import DomainsConfig
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig
from infrastructure.parameters.optional_stacks import (
    BrandConfig,
    InletConfig,
    InletRoomConfig,
    OpenIdConfig,
    OpenIdRoomConfig,
    PageConfig,
)
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.restored import RestoredConfig
from infrastructure.parameters.without_cdk import FIXED, NO_PART, OF_CORE, OF_INLET, OF_OPENID

REGION = "eu-central-1"
BLOCKED = dict.fromkeys(publish.BLOCKS, True)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """An emulated account with a private bucket ``mine``."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        made = boto3.Session(region_name=REGION)
        bucket(made, "mine", REGION, block=BLOCKED)
        yield made


def bucket(session: boto3.Session, name: str, region: str, block: Any = None) -> None:
    s3 = session.client("s3", region_name=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    if block:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """The folder of `make dist`."""
    (tmp_path / "templates").mkdir()
    for name in ("getting-started", "getting-started-serverless"):
        text = '{"Parameters": {"EventId": {}, "MinPerMinute": {}, "ApiRate": {}}}'
        (tmp_path / "templates" / f"{name}.template.json").write_text(text)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "one.zip").write_bytes(b"one")
    (tmp_path / "assets" / "two.zip").write_bytes(b"two")
    return tmp_path


def test_files_are_uploaded_once_and_the_command_has_the_parameters(
    session: boto3.Session, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = publish.publish(session, build, "mine", "room/", REGION, "EventId=Sale")
    words = shlex.split(line)
    assert words[:3] == ["aws", "cloudformation", "deploy"]
    assert words[words.index("--parameter-overrides") + 1 :] == [
        "AssetsBucket=mine", "AssetsPrefix=room/", "EventId=Sale",
    ]  # fmt: skip
    listed = session.client("s3").list_objects_v2(Bucket="mine")["Contents"]
    assert [one["Key"] for one in listed] == ["room/one.zip", "room/two.zip"]
    (build / "assets" / "two.zip").write_bytes(b"other")
    publish.publish(session, build, "mine", "room/", REGION, "")
    assert capsys.readouterr().out.splitlines() == [
        "2 files uploaded to s3://mine/room/; 0 existed already",
        "1 files uploaded to s3://mine/room/; 1 existed already",
    ]
    got = session.client("s3").get_object(Bucket="mine", Key="room/two.zip")
    assert got["Body"].read() == b"other"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("absent", "The bucket absent cannot be used .*: create it in your account first"),
        ("far", "The bucket far is in eu-west-1, the stacks in eu-central-1"),
        ("open", "The bucket open does not block public access"),
        ("half", "The bucket half does not block public access"),
    ],
)
def test_a_bucket_that_cannot_be_used_gets_nothing(
    session: boto3.Session, build: Path, name: str, sentence: str
) -> None:
    bucket(session, "far", "eu-west-1", block=BLOCKED)
    bucket(session, "open", REGION)
    bucket(session, "half", REGION, block={**BLOCKED, "BlockPublicPolicy": False})
    with pytest.raises(publish.PublishError, match=sentence):
        publish.publish(session, build, name, "", REGION, "")
    for other in ("far", "open", "half"):
        assert session.client("s3").list_objects_v2(Bucket=other)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("EventId", "'EventId' is not Name=value"),
        ("EventID=x", "no parameter EventID. Did you mean EventId"),
        ("MinPerMinute=601", "MinPerMinute must not be above TargetPerMinute"),
        ("ApiRate=10000", r"ApiRate \(10000\), PrivateApiRate"),
    ],
)
def test_parameters_are_checked_before_anything_is_uploaded(
    session: boto3.Session, build: Path, settings: str, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        publish.publish(session, build, "mine", "", REGION, settings)
    assert session.client("s3").list_objects_v2(Bucket="mine")["KeyCount"] == 0


def test_the_profile_selects_the_template(session: boto3.Session, build: Path) -> None:
    settings = "Profile=serverless RedisPort=1785 EventId=x AccountApiRate=20000"
    line = publish.publish(session, build, "mine", "", REGION, settings)
    words = shlex.split(line)
    template = words[words.index("--template-file") + 1]
    assert template.endswith("/getting-started-serverless.template.json")
    assert words[words.index("--parameter-overrides") + 1 :] == ["AssetsBucket=mine", "EventId=x"]


def test_the_name_and_the_tags_are_options_of_the_command(
    session: boto3.Session, build: Path
) -> None:
    settings = "StackName=Room 'Tags=Team=tickets, Cost=7 1'"
    words = shlex.split(publish.publish(session, build, "mine", "", REGION, settings))
    assert words[words.index("--stack-name") + 1] == "Room"
    assert words[words.index("--tags") + 1 :] == ["Team=tickets", "Cost=7 1"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("EdgeApiKeyVersion=2", r'make dist SET="EdgeApiKeyVersion=2"'),
        ("WarmWriteUnits=5000", "WarmWriteUnits: run make warm"),
        ("InletStrategy=MaxSize", "InletStrategy: give it when you deploy the template inlet"),
        ("GateWithoutStore=open", "GateWithoutStore: it belongs to a stack that needs CDK"),
    ],
)
def test_a_parameter_that_the_templates_do_not_declare_is_refused(
    session: boto3.Session, build: Path, settings: str, sentence: str
) -> None:
    with pytest.raises(publish.PublishError, match=sentence):
        publish.publish(session, build, "mine", "", REGION, settings)
    assert session.client("s3").list_objects_v2(Bucket="mine")["KeyCount"] == 0


def test_fixed_parameters_are_checked_with_the_others(session: boto3.Session, build: Path) -> None:
    (build / publish.FIXED_VALUES).write_text('{"EdgeApiKeyVersion": "2", "VpcId": "vpc-01234567"}')
    with pytest.raises(ParameterError, match="VpcId and SubnetIds belong together"):
        publish.publish(session, build, "mine", "", REGION, "EventId=x")
    (build / publish.FIXED_VALUES).write_text('{"EdgeApiKeyVersion": "2"}')
    line = publish.publish(session, build, "mine", "", REGION, "EdgeApiKeyVersion=2")
    assert "EdgeApiKeyVersion" not in line


def test_each_parameter_of_the_templates_stacks_has_a_place() -> None:
    """A new parameter needs a place in infrastructure/parameters/without_cdk.py."""
    kinds = (
        CoreConfig, RestoredConfig, AccountConfig, DomainsConfig, PageConfig, BrandConfig,
        OperatorSignInConfig,
    )  # fmt: skip
    known = {one.name for kind in kinds for _, one in kind.known()}
    places = [set(OF_CORE), set(FIXED), set(NO_PART)]
    assert sum(len(place) for place in places) == len(set().union(*places))
    assert known == set().union(*places) - {"Stacks"}


def test_each_parameter_of_openid_and_inlet_is_declared() -> None:
    for kinds, declared in (
        ((OpenIdRoomConfig, OpenIdConfig), OF_OPENID),
        ((InletRoomConfig, InletConfig), (name for name in OF_INLET if name != "EventId")),
    ):
        assert {one.name for kind in kinds for _, one in kind.known()} == set(declared)


def test_without_templates_and_with_an_invalid_prefix_it_says_what_to_do(
    session: boto3.Session, build: Path, tmp_path: Path
) -> None:
    with pytest.raises(publish.PublishError, match="run `make dist` first"):
        publish.publish(session, tmp_path / "none", "mine", "", REGION, "")
    with pytest.raises(publish.PublishError, match="PREFIX must be empty or end with a slash"):
        publish.publish(session, build, "mine", "room", REGION, "")
