# SPDX-License-Identifier: Apache-2.0
"""The templates of `make dist` deploy the stacks of CDK, by their parameters alone."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infrastructure.templates.__main__ import fixed, save
from infrastructure.templates.assets import pack
from infrastructure.templates.inputs import DistError
from infrastructure.templates.plans import GETTING_STARTED, content, getting_started, plans
from infrastructure.templates.synthesis import BUCKET_SAMPLE, PREFIX_SAMPLE, synthesize
from infrastructure.templates.template import Plan, Written, write
from tests.infrastructure.test_migrating import PARAMETERS
from tests.infrastructure.test_templates import MOST_BYTES, MOST_RESOURCES, lint
from tests.support.templates.comparable import of_cdk, of_dist
from tests.support.templates.parameters import InvalidParameter, Resolver
from tests.support.templates.synthesized import Synthesized

ASSETS = {"AssetsBucket": BUCKET_SAMPLE, "AssetsPrefix": PREFIX_SAMPLE}
# Values of texts, and of numbers that depend on one another. Others are random.
VALUES: Mapping[str, tuple[str, str]] = {
    "EventId": ("Summer_Sale", "x"),
    "AdmissionAlarmName": ("site is slow", "a/b"),
    "RedisNodeType": ("cache.r7g.large", "cache.t4g.medium"),
    "VpcId": ("vpc-0123456789abcdef0", "vpc-01234567"),
    "SubnetIds": ("subnet-01234567,subnet-89abcdef", "subnet-1a1a1a1a,subnet-2a2a2a2a"),
    "AlarmEmail": ("operators@shop.example", "me@b.example"),
    "TargetPerMinute": ("1500", "1200"),
    "MinPerMinute": ("15", "30"),
    "AssignConcurrency": ("40", "60"),
    "WorkerReservedConcurrency": ("44", "600"),
    "RequestRateLimitPerIp": ("90000", "100000"),
    "WarmWriteUnits": ("4001", "77000"),
    "KeyRotationDays": ("30", "2"),
    "LogRetentionDays": ("90", "365"),
    "PublicAPIEndpoint": ("https://d1.cloudfront.net", "https://rooms.example/a/b"),
    "PrivateAPIEndpoint": ("https://a1.execute-api.eu-west-1.amazonaws.com/api",
                           "https://private.example"),
    "IssuerURI": ("https://a2.execute-api.eu-west-1.amazonaws.com/api", "https://issuer.example"),
    "WaitingRoomEventID": ("Sale", "y"),
    "EventID": ("Sale", "y"),
    "APIGatewayRegion": ("eu-west-1", "us-gov-east-1"),
    "AuthorizerARN": ("arn:aws:lambda:eu-west-1:123456789012:function:authorizer",
                      "arn:aws-cn:lambda:cn-north-1:210987654321:function:other"),
}  # fmt: skip
REQUIRED = {name: both[0] for name, both in VALUES.items()}
QUOTA = {"AccountApiRate": "1000000", "AccountApiBurst": "1000000", "AccountConcurrency": "1000000"}
STACKS = ("core", "core-serverless", "authorizer", "sample")


def values(written: Written, seed: int, share: float) -> dict[str, str]:
    """Values of a share of the parameters, and of those without a default."""
    chance = random.Random(f"{written.name}{seed}")
    found = {}
    for name, declared in written.template["Parameters"].items():
        if name in ASSETS or ("Default" in declared and chance.random() > share):
            continue
        if name in VALUES:
            found[name] = chance.choice(VALUES[name])
        elif "AllowedValues" in declared:
            found[name] = str(chance.choice(declared["AllowedValues"]))
        elif declared["Type"] == "Number":
            low, high = declared["MinValue"], declared["MaxValue"]
            found[name] = str(chance.randint(low, min(high, 3 * int(declared["Default"]) + 40)))
    if ("VpcId" in found) != ("SubnetIds" in found):
        for name in ("VpcId", "SubnetIds"):
            found.pop(name, None)
    if "WorkerReservedConcurrency" in found:
        found["AssignConcurrency"] = "44"
    if "MinPerMinute" in found:
        found.pop("TargetPerMinute", None)
    if "JoinRateLimitPerIp" in found:
        found["RequestRateLimitPerIp"] = "90000"
    return found


def same(written: Written, given: Mapping[str, str]) -> None:
    """Fail unless the template and CDK make the same stack of the values."""
    stack, _, profile = written.name.partition("-")
    construct = stack.capitalize()
    name = "WaitingRoom" if stack == "core" else f"WaitingRoom-{construct}"
    context = {**QUOTA, **given, "Stacks": stack, "plainCode": True}
    if profile:
        context["Profile"] = profile
    wanted = of_cdk(synthesize(context)[construct], name)
    found = of_dist(written, {**ASSETS, **given}, name)
    assert set(found["Resources"]) == set(wanted["Resources"])
    for key, resource in wanted["Resources"].items():
        assert found["Resources"][key] == resource, key
    assert found["Outputs"] == wanted["Outputs"]


def required(written: Written) -> dict[str, str]:
    return values(written, 0, share=-1)


@pytest.mark.parametrize("stack", STACKS)
def test_the_defaults_are_the_stack_of_cdk(dist: Mapping[str, Written], stack: str) -> None:
    same(dist[stack], required(dist[stack]))


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("seed", "share"), [(1, 1.1), (2, 0.5)])
def test_values_of_parameters_are_the_stack_of_cdk(
    dist: Mapping[str, Written], stack: str, seed: int, share: float
) -> None:
    same(dist[stack], values(dist[stack], seed, share))


@pytest.mark.parametrize("stack", STACKS)
def test_the_parameters_have_the_names_of_the_solution(
    dist: Mapping[str, Written], stack: str
) -> None:
    declared = dist[stack].template["Parameters"]
    without = {"RedisPort"} if stack == "core-serverless" else set()
    assert set(PARAMETERS[stack.partition("-")[0]]) - without <= set(declared)
    assert all(one["Description"] for one in declared.values())


def test_nothing_of_a_bootstrap_is_needed(dist: Mapping[str, Written]) -> None:
    for one in dist.values():
        text = json.dumps(one.template)
        assert "cdk-hnb659fds" not in text
        assert "BootstrapVersion" not in text
        assert not re.search("qz", text, re.IGNORECASE)  # no sample is left


def test_the_templates_are_valid_and_small(dist: Mapping[str, Written]) -> None:
    for name, one in dist.items():
        assert len(content(one.template)) < MOST_BYTES
        assert len(one.template["Resources"]) < MOST_RESOURCES
        assert lint(Synthesized(name, one.template)) == []
    for core in GETTING_STARTED.values():
        nesting, _ = getting_started(dist, core)
        assert lint(Synthesized("getting-started", nesting)) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"EventId": "a b"}, "EventId .*: must be 1 to 64 letters"),
        ({"ValidityPeriod": "0"}, "ValidityPeriod .* between 1 and 86400"),
        ({"LogRetentionDays": "8"}, "LogRetentionDays"),
        ({"KeyRotationDays": "1"}, "KeyRotationDays .* 0, or between 2 and 365"),
        ({"WarmWriteUnits": "4000"}, "WarmWriteUnits .* 0, or between 4001 and"),
        ({"EnableWaf": "yes"}, "EnableWaf"),
        ({"VpcId": "vpc-01234567"}, "VpcId and SubnetIds belong together"),
        ({"SubnetIds": "subnet-01234567"}, "VpcId and SubnetIds belong together"),
        ({"EventID": "x"}, "EventID.* do not exist"),
    ],
)
def test_a_value_that_cannot_work_is_refused(
    dist: Mapping[str, Written], given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidParameter, match=sentence):
        Resolver(dist["core"].template, {**ASSETS, **given}, "WaitingRoom")


@pytest.mark.parametrize("core", GETTING_STARTED.values())
def test_the_getting_started_stack_gives_each_nested_stack_what_it_requires(
    dist: Mapping[str, Written], core: str
) -> None:
    nesting, files = getting_started(dist, core)
    for name, one in {**dist, "core": dist[core]}.items():
        if name == "core-serverless":
            continue
        nested = nesting["Resources"][name.capitalize()]["Properties"]
        declared: dict[str, Any] = one.template["Parameters"]
        given = nested["Parameters"]
        assert set(given) <= set(declared)
        assert {key for key, part in declared.items() if "Default" not in part} <= set(given)
        key = nested["TemplateURL"]["Fn::Join"][1][-1]
        assert files[key] == content(one.template)
        for value in given.values():
            if isinstance(value, dict) and "Fn::GetAtt" in value:
                stack, output = value["Fn::GetAtt"]
                assert output.removeprefix("Outputs.") in dist[stack.lower()].template["Outputs"]
    for shown in nesting["Outputs"].values():
        stack, output = shown["Value"]["Fn::GetAtt"]
        assert output.removeprefix("Outputs.") in dist[stack.lower()].template["Outputs"]


def test_a_parameter_of_the_deployment_cannot_be_fixed() -> None:
    assert fixed(["EdgeApiKeyVersion=2"]) == {"EdgeApiKeyVersion": "2"}
    with pytest.raises(DistError, match=r"'EventId=x' cannot be fixed"):
        fixed(["EventId=x"])


def test_the_assets_and_templates_are_the_same_bytes_each_time(
    dist: Mapping[str, Written], tmp_path: Path
) -> None:
    """The order of a folder's files, and the time of a build, change nothing."""
    again = {name: write(plan, {"plainCode": True}) for name, plan in small_plans().items()}
    assert {name: dist[name].template for name in again} == {
        name: one.template for name, one in again.items()
    }
    for folder in ("one", "other"):
        save(dist, tmp_path / folder)
        for path in (tmp_path / folder / "assets").iterdir():
            os.utime(path, (0, 0))
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).rglob("*") if path.is_file()}
        for folder in ("one", "other")
    )
    assert one == other
    for key, asset in again["authorizer"].assets.items():
        pack(asset, tmp_path / key)
        assert (tmp_path / key).read_bytes() == one[key]


def test_each_asset_of_the_templates_is_in_the_folder_and_no_other(
    dist: Mapping[str, Written], tmp_path: Path
) -> None:
    save(dist, tmp_path)
    there = {path.name for path in (tmp_path / "assets").iterdir()}
    texts = [path.read_text() for path in (tmp_path / "templates").iterdir()]
    named = {key for text in texts for key in re.findall(r"[0-9a-f]{64}\.\w+", text)}
    for core in GETTING_STARTED.values():
        named |= set(getting_started(dist, core)[1])
    assert named == there


def small_plans() -> dict[str, Plan]:
    """The plans whose syntheses take a moment only."""
    return {plan.name: plan for plan in plans() if plan.stack != "Core"}
