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

from infrastructure.parameters.optional_stacks import AUTHORIZER, CORE, INLET, OPENID, SAMPLE
from infrastructure.parameters.without_cdk import FIXED_VALUES
from infrastructure.stacks.room import EXPORTS
from infrastructure.templates.__main__ import fixed, save
from infrastructure.templates.assets import pack
from infrastructure.templates.inputs import STACK_SAMPLE, DistError
from infrastructure.templates.plans import (
    CORE_NAME,
    GETTING_STARTED,
    SERVERLESS,
    content,
    getting_started,
    plans,
)
from infrastructure.templates.synthesis import BUCKET_SAMPLE, PREFIX_SAMPLE, Stack, synthesize
from infrastructure.templates.template import ASSETS as OF_ASSETS
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
    "StackName": ("Room-2", "A"),
    "AdmissionAlarmName": ("site is slow", "a/b"),
    "RedisNodeType": ("cache.r7g.large", "cache.t4g.medium"),
    "AlarmEmail": ("operators@shop.example", "me@b.example"),
    "TargetPerMinute": ("1500", "1200"),
    "MinPerMinute": ("15", "30"),
    "RequestRateLimitPerIp": ("90000", "100000"),
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
    "APIRegion": ("eu-west-1", "us-gov-east-1"),
    "OpenIdRedirectUris": ("https://shop.example/callback?a=b",
                           "https://a.example,https://b.example:8443/c"),
    "OpenIdRestartUrl": ("https://shop.example/login", "https://a.example:8443/b?c"),
    "OpenIdWaitingRoomUrl": ("https://queue.example/wait", "https://queue.example"),
    "CoreApiRegion": ("eu-west-1", "us-gov-east-1"),
    "PrivateCoreApiEndpoint": ("https://a1.execute-api.eu-west-1.amazonaws.com/api",
                               "https://private.example"),
    "CloudWatchAlarmName": ("site is slow", "a/b"),
    "StartTime": ("1800000000", "5"),
    "EndTime": ("1900000000", "1800000001"),
}  # fmt: skip
QUOTA = {"AccountApiRate": "1000000", "AccountApiBurst": "1000000"}
STACKS = (CORE, AUTHORIZER, SAMPLE)
# The templates of core take minutes: CI leaves them out, and `make matrix` has all (decision 0154).
MATRIX = os.environ.get("MATRIX") == "all"
SMALL = (AUTHORIZER, SAMPLE, OPENID, INLET)
NAMES = (CORE, SERVERLESS, *SMALL) if MATRIX else SMALL
SHARES = {"all": 1.1, "half": 0.5, "few": 0.2}  # of the parameters that get a value
with_core = pytest.mark.skipif(not MATRIX, reason="make matrix derives the templates of core")


def values(written: Written, share: str) -> dict[str, str]:
    """Values of a share of the parameters, and of those without a default."""
    chance = random.Random(f"{written.name} {share}")
    found = {}
    for name, declared in written.template["Parameters"].items():
        if name in ASSETS or ("Default" in declared and chance.random() > SHARES[share]):
            continue
        if name in VALUES:
            found[name] = chance.choice(VALUES[name])
        elif "AllowedValues" in declared:
            found[name] = str(chance.choice(declared["AllowedValues"]))
        elif declared["Type"] == "Number":
            low, high = declared["MinValue"], declared["MaxValue"]
            found[name] = str(chance.randint(low, min(high, 3 * int(declared["Default"]) + 40)))
    if "MinPerMinute" in found:
        found.pop("TargetPerMinute", None)
    if "JoinRateLimitPerIp" in found:
        found["RequestRateLimitPerIp"] = "90000"
    if "OpenIdWaitingRoomUrl" not in found:
        found.pop("OpenIdRequestIdCodes", None)
    return found


def construct_of(name: str) -> str:
    """The construct id of the stack of a template."""
    (construct,) = (plan.stack for plan in plans() if plan.name == name)
    return construct


def same(written: Written, given: Mapping[str, str], wanted: Stack, room: str) -> None:
    """Fail unless the template makes of the values the stack that CDK makes of them."""
    construct = construct_of(written.name)
    name = room if construct == "Core" else f"{room}-{construct}"
    found, expected = of_dist(written, {**ASSETS, **given}, name), of_cdk(wanted, name)
    assert set(found["Resources"]) == set(expected["Resources"])
    for key, resource in expected["Resources"].items():
        assert found["Resources"][key] == resource, key
    assert found["Outputs"] == expected["Outputs"]


def required(written: Written) -> dict[str, str]:
    """The samples of the parameters without a default, and the name of the room."""
    (plan,) = (plan for plan in plans() if plan.name == written.name)
    return {
        one.name: one.sample
        for one in plan.inputs
        if one.name == "StackName" or "Default" not in one.declaration
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_the_stack_of_cdk(dist: Mapping[str, Written], name: str) -> None:
    same(dist[name], required(dist[name]), dist[name].plain, STACK_SAMPLE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", SHARES)
def test_values_of_parameters_are_the_stack_of_cdk(
    dist: Mapping[str, Written], name: str, share: str
) -> None:
    given = values(dist[name], share)
    stack, _, profile = name.partition("-")
    context = {**QUOTA, **given, "Stacks": stack, "plainCode": True}
    if profile:
        context["Profile"] = profile
    wanted = synthesize(context)[construct_of(name)]
    same(dist[name], given, wanted, given.get("StackName", "WaitingRoom"))


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_have_the_names_of_the_solution(
    dist: Mapping[str, Written], name: str
) -> None:
    declared = dist[name].template["Parameters"]
    without = {SERVERLESS: {"RedisPort"}, OPENID: {"PrivateAPIEndpoint"}}.get(name, set())
    assert set(PARAMETERS[name.partition("-")[0]]) - without <= set(declared)
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
    for core in cores(dist):
        nesting, _ = getting_started(dist, core)
        assert lint(Synthesized("getting-started", nesting)) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"EventId": "a b"}, "EventId .*: must be 1 to 64 letters"),
        ({"ValidityPeriod": "0"}, "ValidityPeriod .* between 1 and 86400"),
        ({"LogRetentionDays": "8"}, "LogRetentionDays"),
        ({"KeyRotationDays": "1"}, "KeyRotationDays .* 0, or between 2 and 365"),
        ({"EnableWaf": "yes"}, "EnableWaf"),
        ({"Profile": "serverless"}, "Profile"),
        ({"EventID": "x"}, "EventID.* do not exist"),
    ],
)
def test_a_value_that_cannot_work_is_refused(given: dict[str, str], sentence: str) -> None:
    (core,) = (plan for plan in plans() if plan.name == CORE)
    declared = {one.name: one.declaration for one in core.inputs} | dict(OF_ASSETS)
    template = {"Parameters": declared, "Resources": {}}
    Resolver(template, ASSETS, "WaitingRoom")
    with pytest.raises(InvalidParameter, match=sentence):
        Resolver(template, {**ASSETS, **given}, "WaitingRoom")


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        (INLET, {"CoreApiRegion": "eu-west-1"}, "must be in the region of core"),
        (OPENID, {"APIRegion": "eu-west-1"}, "must be in the region of core"),
        (OPENID, {"OpenIdRequestIdCodes": "true"}, "OpenIdRequestIdCodes needs OpenIdWaitingRoom"),
        (OPENID, {"OpenIdRedirectUris": "http://127.0.0.1/"}, "OpenIdRedirectUris .* https addr"),
        (OPENID, {"OpenIdRedirectUris": ""}, "OpenIdRedirectUris .* https addr"),
        (INLET, {"StackName": "L" * 44}, "StackName .* at most 43 characters"),
    ],
)
def test_a_template_refuses_what_cannot_work_beside_core(
    dist: Mapping[str, Written], name: str, given: dict[str, str], sentence: str
) -> None:
    template = dist[name].template
    regions = {"APIRegion", "CoreApiRegion"} & set(template["Parameters"])
    known = {**ASSETS, **required(dist[name]), **dict.fromkeys(regions, "eu-central-1")}
    Resolver(template, known, "Beside", "eu-central-1")
    with pytest.raises(InvalidParameter, match=sentence):
        Resolver(template, {**known, **given}, "Beside", "eu-central-1")


def test_openid_and_inlet_import_what_core_always_exports(dist: Mapping[str, Written]) -> None:
    imported = {
        found
        for name in (OPENID, INLET)
        for found in re.findall(r":(ExportsOutput\w+)", json.dumps(dist[name].template))
    }
    assert imported == set(EXPORTS)
    for core in cores(dist):
        template = dist[core].template
        resolver = Resolver(template, ASSETS, "Room")
        always = {
            resolver.of(output["Export"]["Name"])
            for output in template["Outputs"].values()
            if "Export" in output and "Condition" not in output
        }
        assert {f"Room:{name}" for name in EXPORTS} <= always


def test_a_custom_domain_of_the_openid_page_leaves_a_page_elsewhere_out() -> None:
    (plan,) = (plan for plan in plans({"OpenIdPageDomain": "login.example"}) if plan.name == OPENID)
    declared = {one.name for one in plan.inputs}
    assert not declared & {"OpenIdWaitingRoomUrl", "OpenIdRequestIdCodes"}
    assert "OpenIdRestartUrl" in declared


def cores(dist: Mapping[str, Written]) -> list[str]:
    """The names of the templates of core that were made."""
    return [core for core in GETTING_STARTED.values() if core in dist]


@with_core
def test_the_getting_started_stack_gives_each_nested_stack_what_it_requires(
    dist: Mapping[str, Written],
) -> None:
    for core in cores(dist):
        nesting, files = getting_started(dist, core)
        for stack in STACKS:
            one = dist[core if stack == CORE else stack]
            nested = nesting["Resources"][stack.capitalize()]["Properties"]
            declared: dict[str, Any] = one.template["Parameters"]
            given = nested["Parameters"]
            assert set(given) <= set(declared)
            assert {key for key, part in declared.items() if "Default" not in part} <= set(given)
            key = nested["TemplateURL"]["Fn::Join"][1][-1]
            assert files[key] == content(one.template)
            for value in given.values():
                if isinstance(value, dict) and "Fn::GetAtt" in value:
                    of, output = value["Fn::GetAtt"]
                    source = dist[core if of == "Core" else of.lower()].template["Outputs"]
                    assert "Condition" not in source[output.removeprefix("Outputs.")]
        assert nesting["Outputs"].pop("CoreStackName") == {"Value": CORE_NAME}
        for output, shown in nesting["Outputs"].items():
            of, _ = shown["Value"]["Fn::GetAtt"]
            there = dist[core if of == "Core" else of.lower()].template["Outputs"][output]
            assert there.get("Condition") == shown.get("Condition")
        conditions = nesting.get("Conditions", {})
        assert {one["Condition"] for one in nesting["Outputs"].values() if "Condition" in one} <= (
            set(conditions)
        )
        text = json.dumps(conditions)
        assert set(re.findall(r'"Ref": "(\w+)"', text)) <= set(nesting["Parameters"])
        assert set(re.findall(r'"Condition": "(\w+)"', text)) <= set(conditions)
        assert "FindInMap" not in text, "the stack has no mappings"


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
        save(dist, tmp_path / folder, {})
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
    save(dist, tmp_path, {"SnapStart": "true"})
    assert json.loads((tmp_path / FIXED_VALUES).read_text()) == {"SnapStart": "true"}
    there = {path.name for path in (tmp_path / "assets").iterdir()}
    texts = [path.read_text() for path in (tmp_path / "templates").iterdir()]
    named = {key for text in texts for key in re.findall(r"[0-9a-f]{64}\.\w+", text)}
    for core in cores(dist):
        named |= set(getting_started(dist, core)[1])
    assert named == there


def small_plans() -> dict[str, Plan]:
    """The plans of templates that are made twice; others are made by the same code."""
    return {plan.name: plan for plan in plans() if plan.name in (AUTHORIZER, SAMPLE)}
