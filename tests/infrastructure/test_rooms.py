# SPDX-License-Identifier: Apache-2.0
"""Several rooms in one account: names of any length, none of them twice, and metrics apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infrastructure.constructs.names import (
    LONGEST_EDGE,
    account_wide_name,
    gate_join_role_name,
    inlet_role_name,
    optional_stack_name,
)
from tests.support.templates.synthesized import LONGEST, Assembly, Synthesized
from waiting_room.adapters.metric_line import NAMESPACE, STACK

REGIONS = ("ap-southeast-1", "cn-northwest-1")  # the longest of both partitions
LIMITS = {  # characters, by type and property
    "AWS::ApiGateway::RestApi/Name": 255,
    "AWS::CloudFront::CachePolicy/CachePolicyConfig/Name": 128,
    "AWS::CloudFront::Function/Name": 64,
    "AWS::CloudFront::KeyValueStore/Name": 64,
    "AWS::CloudFront::OriginAccessControl/OriginAccessControlConfig/Name": 64,
    "AWS::CloudFront::OriginRequestPolicy/OriginRequestPolicyConfig/Name": 128,
    "AWS::CloudFront::ResponseHeadersPolicy/ResponseHeadersPolicyConfig/Name": 128,
    "AWS::CloudFront::VpcOrigin/VpcOriginEndpointConfig/Name": 64,
    "AWS::Events::EventBus/Name": 256,
    "AWS::IAM::Role/RoleName": 64,
    "AWS::WAFv2::WebACL/VisibilityConfig/MetricName": 128,
}
# Names within another resource, of services, of things outside the stacks.
WITHIN = re.compile(
    r"AWS::ApiGateway::(Authorizer|Model|RequestValidator)/Name|AWS::ApiGateway::Stage/StageName"
    r"|AWS::Cognito::.*"  # names within a user pool; the domain has the id of the stack
    r"|AWS::CloudFront::Distribution/.*|AWS::CloudWatch::Alarm/.*|AWS::DynamoDB::Table/.*"
    r"|AWS::EC2::VPCEndpoint/ServiceName|AWS::IAM::(Policy/|Role/Policies/)PolicyName"
    r"|AWS::Logs::MetricFilter/.*"  # a name within its namespace, which contains the stack
    r"|AWS::Lambda::Alias/Name|AWS::Route53::RecordSetGroup/.*|AWS::WAFv2::WebACL/Rules/.*"
)


def names_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each name in a resource's properties, by its path without indexes; references are none."""
    if isinstance(value, list):
        for one in value:
            yield from names_in(one, path)
    elif isinstance(value, dict):
        for key, part in value.items():
            name = text_of(part) if key.endswith("Name") else None
            if name is None:
                yield from names_in(part, f"{path}/{key}")
            else:
                yield f"{path}/{key}", name


def text_of(value: Any) -> str | None:
    """A literal name, in the first of REGIONS; None for a reference to another resource."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"Fn::Join"}:
        glue, parts = value["Fn::Join"]
        known = [REGIONS[0] if one == {"Ref": "AWS::Region"} else one for one in parts]
        return str(glue.join(known)) if all(isinstance(one, str) for one in known) else None
    return None


def physical_names(stacks: Mapping[str, Synthesized]) -> list[tuple[str, str]]:
    """The names that must be alone of their kind in an account or region."""
    return [
        found
        for stack in stacks.values()
        for made in stack.resources.values()
        for found in names_in(made.get("Properties", {}), made["Type"])
        if not WITHIN.fullmatch(found[0])
    ]


def test_two_rooms_of_an_account_have_no_name_in_common(
    assembly: Assembly, second_room: Assembly
) -> None:
    first, second = physical_names(assembly.stacks), physical_names(second_room.stacks)
    assert not set(first) & set(second)
    for written in (first, second):
        several = sorted({one for one in written if written.count(one) > 1})
        # both inlets of the tests have the name of the one inlet of their room
        assert [kind for kind, _ in several] in ([], ["AWS::IAM::Role/RoleName"])
    assert not {one.name for one in assembly.stacks.values()} & {
        one.name for one in second_room.stacks.values()
    }


def test_every_name_is_within_the_limit_of_its_service(
    assembly: Assembly, second_room: Assembly
) -> None:
    for kind, name in physical_names(assembly.stacks) + physical_names(second_room.stacks):
        assert kind in LIMITS, f"{kind} is a name of its own: add its limit to LIMITS"
        assert len(name) <= LIMITS[kind], (kind, name)
    for stack in second_room.stacks.values():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", stack.name)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["W", "WaitingRoom", LONGEST])
def test_names_fit_for_stack_names_of_any_length_and_differ_by_each_character(
    name: str, region: str
) -> None:
    other = f"{name[:-1]}Z"
    for make in (inlet_role_name, gate_join_role_name):
        assert len(make(name, region)) <= 64
        assert len({make(name, region), make(other, region), make(name, "eu-central-1")}) == 3
    for part in ("Authorizer", "Sample", "OpenId", "Inlet", "Gate"):
        made = optional_stack_name(name, part)
        assert len(made) <= 128
        assert made.endswith(f"-{part}")
        assert made != optional_stack_name(other, part)


@pytest.mark.parametrize("longest", [LONGEST_EDGE, 128])
@pytest.mark.parametrize("name", ["W", LONGEST])
def test_names_of_the_edge_differ_by_stack_and_by_region(name: str, longest: int) -> None:
    from aws_cdk import App, Environment, Stack
    from constructs import Construct

    app = App()

    def named(stack_name: str, region: str) -> str:
        stack = Stack(
            app, f"S{len(app.node.children)}", stack_name=stack_name,
            env=Environment(account="123456789012", region=region),
        )  # fmt: skip
        return account_wide_name(Construct(stack, "Edge"), "SetAddress", longest)

    made = [named(stack, region) for stack in (name, f"{name[:-1]}Z") for region in REGIONS]
    assert len(set(made)) == len(made)
    assert max(map(len, made)) <= longest


def test_names_of_existing_stacks_stay() -> None:
    long = "L" * 100  # the longest name until now
    assert optional_stack_name("WaitingRoom", "Sample") == "WaitingRoom-Sample"
    assert optional_stack_name(long, "Authorizer") == f"{long}-Authorizer"
    assert inlet_role_name("Sale", "eu-central-1") == "Sale-inlet-eu-central-1"


def test_metrics_of_two_rooms_with_the_same_event_do_not_mix(
    assembly: Assembly, second_room: Assembly
) -> None:
    dimensions = set()
    for room in (assembly, second_room):
        core = room.stacks["Core"].name
        for stack in room.stacks.values():
            for made in stack.of_type("AWS::CloudWatch::Alarm").values():
                if made.get("Namespace") == NAMESPACE:
                    assert {"Name": STACK, "Value": core} in made["Dimensions"]
                    dimensions.add((made["MetricName"], core))
        dashboard = str(room.stacks["Core"].only("AWS::CloudWatch::Dashboard")["DashboardBody"])
        drawn = re.findall(rf'"{NAMESPACE}","(\w+)"((?:,"[^"{{]*")*)', dashboard)
        assert len(drawn) == 9
        for _, rest in drawn:
            assert f'"{STACK}","{core}"' in rest
        senders = {
            name: made["Environment"]["Variables"]["STACK_NAME"]
            for stack in room.stacks.values()
            for name, made in stack.of_type("AWS::Lambda::Function").items()
            if "STACK_NAME" in made.get("Environment", {}).get("Variables", {})
        }
        assert set(senders.values()) == {core}
        assert sorted(name[:-8] for name in senders) == [
            "PrivateFunctionsShowAlarmsFunction",
            "WatchdogFunctionsWatchRoomFunction",
            "WorkersFunctionsReportMetricsFunction",
        ]
        rules = room.stacks["Core"].only("AWS::WAFv2::WebACL")["VisibilityConfig"]["MetricName"]
        dimensions.add(("WAF", rules))
    assert len(dimensions) == 4
