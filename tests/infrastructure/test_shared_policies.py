# SPDX-License-Identifier: Apache-2.0
"""Policies of CloudFront that rooms share, and how many rooms fit into the quotas of an account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.capacity.rooms import main, rows, table
from infrastructure.blueprint.edge_policies import (
    ADDRESS,
    FORWARDED,
    HEADERS,
    ROOM_FORWARDED,
    ROOM_SHARED,
    api_policy,
    cache_policies,
    policy_names,
    room_policy,
)
from infrastructure.blueprint.gate_paths import ROOM_PATHS
from infrastructure.blueprint.resources import CACHE_RULES
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.optional_stacks import StacksConfig
from infrastructure.parameters.parameter import ParameterError
from tests.support.templates.synthesized import (
    LONGEST,
    SECOND_ROOM,
    SHARED_POLICIES,
    Assembly,
    Synthesized,
)

KINDS = {
    "AWS::CloudFront::CachePolicy": "CachePolicyConfig",
    "AWS::CloudFront::OriginRequestPolicy": "OriginRequestPolicyConfig",
    "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig",
}
WITH_SAMPLE = ("Core", "Authorizer", "Sample")
ALL = (*WITH_SAMPLE, "OpenId", "Inlet", "Gate")


@pytest.fixture(scope="module")
def shared() -> Synthesized:
    """The stack of policies, with the longest name."""
    return Assembly({"Stacks": "policies", "StackName": LONGEST}).stacks["Policies"]


def configured(stack: Synthesized, kind: str) -> set[str]:
    """What the policies of a kind do, without their names."""
    found = set()
    for made in stack.of_type(kind).values():
        rules = {
            key: value for key, value in made[KINDS[kind]].items() if key not in ("Name", "Comment")
        }
        found.add(json.dumps(rules, sort_keys=True))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_shared_policies_are_those_that_a_room_makes_for_itself(
    assembly: Assembly, shared: Synthesized, kind: str
) -> None:
    own = configured(assembly.stacks["Core"], kind)
    if kind != "AWS::CloudFront::ResponseHeadersPolicy":  # the gate's are those of its page
        own |= configured(assembly.stacks["Gate"], kind)
    assert configured(shared, kind) == own
    assert len(shared.of_type(kind)) == len(own)


def test_the_output_names_each_policy(shared: Synthesized) -> None:
    separator, pairs = _pairs(shared)
    assert separator == ","
    assert tuple(pairs) == policy_names()
    for name, logical in pairs.items():
        wanted = "Keep" if name.startswith("Keep") else ""
        kind = shared.resources[logical]["Type"]
        assert (kind == "AWS::CloudFront::CachePolicy") == bool(wanted), name
    for name, rule in cache_policies().items():
        policy = shared.resources[pairs[name]]["Properties"]["CachePolicyConfig"]
        assert (policy["MinTTL"], policy["MaxTTL"]) == (rule.shortest, rule.longest), name


def _pairs(shared: Synthesized) -> tuple[str, dict[str, str]]:
    """The separator of the output, and the logical id of each name."""
    separator, parts = shared.template["Outputs"]["EdgePolicies"]["Value"]["Fn::Join"]
    pairs = {}
    for part in parts:
        empty, (name, reference) = part["Fn::Join"]
        assert (empty, name[-1]) == ("", "=")
        pairs[name[:-1]] = next(iter(reference.values()))
    return separator, pairs


def test_a_room_with_shared_policies_makes_none_of_these(second_room: Assembly) -> None:
    for name in ("Core", "Gate"):
        stack = second_room.stacks[name]
        assert not stack.of_type("AWS::CloudFront::CachePolicy")
        assert not stack.of_type("AWS::CloudFront::OriginRequestPolicy")
    assert not second_room.stacks["Core"].of_type("AWS::CloudFront::ResponseHeadersPolicy")


def behaviors(stack: Synthesized) -> dict[str, Any]:
    """The behaviours of the stack's distribution with those, by their path."""
    settings = stack.only("AWS::CloudFront::Distribution")["DistributionConfig"]
    return {"*": settings["DefaultCacheBehavior"]} | {
        one["PathPattern"]: one for one in settings["CacheBehaviors"]
    }


def test_each_path_of_the_public_api_uses_the_shared_policy_of_its_rule(
    second_room: Assembly,
) -> None:
    found = behaviors(second_room.stacks["Core"])
    for rule in CACHE_RULES:
        behavior = found[rule.path]
        assert behavior["CachePolicyId"] == SHARED_POLICIES[api_policy(rule)]
        assert behavior["OriginRequestPolicyId"] == SHARED_POLICIES[ADDRESS]
    assert found["*"]["OriginRequestPolicyId"] == SHARED_POLICIES[FORWARDED]
    assert {one["ResponseHeadersPolicyId"] for one in found.values()} == {SHARED_POLICIES[HEADERS]}


def test_each_path_of_a_protected_host_uses_the_shared_policy_of_its_rule(
    second_room: Assembly,
) -> None:
    found = behaviors(second_room.stacks["Gate"])
    for path in ROOM_PATHS:
        behavior = found[path.pattern]
        kept = ROOM_SHARED if path.longest else ROOM_FORWARDED
        assert behavior["OriginRequestPolicyId"] == SHARED_POLICIES[kept]
        if path.longest:
            assert behavior["CachePolicyId"] == SHARED_POLICIES[room_policy(path)]


def rooms(assembly: Assembly, stacks: tuple[str, ...]) -> dict[str, int]:
    """How many rooms fit, by quota; the table is printed with ``-s``."""
    found = rows(assembly.stacks[name].template for name in stacks)
    print(f"\n{', '.join(stacks)}\n{table(found)}")
    return {row.name: row.rooms for row in found}


def test_rooms_that_share_policies_fit_into_an_account_by_its_default_quotas(
    assembly: Assembly, second_room: Assembly
) -> None:
    """The pages have policies of their own, because their headers name the room's addresses."""
    alone, sharing = rooms(assembly, ALL), rooms(second_room, ALL)
    assert (alone["cache policies of CloudFront"], min(alone.values())) == (2, 2)
    assert "cache policies of CloudFront" not in sharing
    assert min(sharing.values()) == 5, "VPCs and the headers of four pages"
    small = rooms(second_room, WITH_SAMPLE)
    assert min(count for name, count in small.items() if not name.startswith("VPC")) >= 10


def test_the_command_reads_a_folder_of_templates(assembly: Assembly, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"There are no templates in .*: run make synth first"):
        main(tmp_path)
    for name in WITH_SAMPLE:
        file = tmp_path / f"{name}.template.json"
        file.write_text(json.dumps(assembly.stacks[name].template), encoding="utf-8")
    text = main(tmp_path)
    assert "| cache policies of CloudFront | 20 | 5 | 4 |" in text
    assert text.endswith("4 rooms like this fit into one account and region.")


def test_each_type_with_a_scarce_quota_is_counted(assembly: Assembly) -> None:
    """The kinds of CloudFront have small quotas: a new one needs a line in quotas.toml."""
    counted = {row.name for row in rows(s.template for s in assembly.stacks.values())}
    kinds = {
        made["Type"]
        for stack in assembly.stacks.values()
        for made in stack.resources.values()
        if made["Type"].startswith("AWS::CloudFront::")
    }
    assert len([name for name in counted if name.endswith("of CloudFront")]) == len(kinds)


GIVEN = str(SECOND_ROOM["EdgePolicies"])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Address=x", "The parameter EdgePolicies must be the output EdgePolicies of the stack"),
        (GIVEN.partition(",")[2], r"does not match this version \(Address\): deploy the stack"),
        (f"{GIVEN},New={SHARED_POLICIES[ADDRESS]}", r"does not match this version \(New\)"),
        (f"{GIVEN},{GIVEN}", r"does not match this version \(a name twice\)"),
    ],
)
def test_policies_of_another_version_are_rejected_with_the_parameters_name(
    value: str, sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        AccountConfig.from_context({"EdgePolicies": value})


def test_the_policies_are_deployed_alone() -> None:
    assert StacksConfig.from_context({"Stacks": "policies"}).names == {"policies"}
    with pytest.raises(ParameterError, match="The stack policies is deployed alone, once per"):
        StacksConfig.from_context({"Stacks": "core,policies"})
