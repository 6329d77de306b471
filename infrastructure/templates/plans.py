# SPDX-License-Identifier: Apache-2.0
"""The templates that `make dist` writes, and the one that nests them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from infrastructure.constructs.names import LONGEST_WITH_INLET
from infrastructure.parameters.core import REDIS_ONLY, CoreConfig
from infrastructure.parameters.optional_stacks import (
    AUTHORIZER,
    CORE,
    INLET,
    OPENID,
    SAMPLE,
    AuthorizerArn,
    AuthorizerConfig,
    InletConfig,
    InletRoomConfig,
    OpenIdConfig,
    OpenIdRoomConfig,
    SampleConfig,
)
from infrastructure.parameters.without_cdk import EXCLUDED_BY, OF_CORE, OF_INLET, OF_OPENID
from infrastructure.templates.inputs import STACK_SAMPLE, Input, inputs
from infrastructure.templates.symbols import STACK
from infrastructure.templates.template import ASSETS, Plan, Written

LIMITS = ("OtherApiRate", "OtherApiBurst")
# Parameters of core that change something in the other stacks; names are in optional_stacks.
OF_FUNCTIONS = ("RetainData", "LogRetentionDays")
OF_AUTHORIZER = ("StackName", "PublicAPIEndpoint", "WaitingRoomEventID", "IssuerURI")
OF_SAMPLE = (
    "StackName", "PublicAPIEndpoint", "PrivateAPIEndpoint", "APIGatewayRegion", "EventID",
    "AuthorizerARN", *LIMITS, "CreateApiLogRole",
)  # fmt: skip
CONSTRUCTS = {OPENID: "OpenId"}  # construct ids that are not the capitalized name of the stack
# The role of the inlet has the name of core in its own: CloudFormation cannot shorten it.
NAME_WITH_INLET = {
    "AllowedPattern": f"[A-Za-z][A-Za-z0-9-]{{0,{LONGEST_WITH_INLET - 1}}}",
    "ConstraintDescription": "must be the name of the core stack, at most "
    f"{LONGEST_WITH_INLET} characters",
}
QUOTA = {"AccountApiRate": "900001", "AccountApiBurst": "900001"}  # above the samples together
SERVERLESS = "core-serverless"
WITHOUT_REDIS = ("Profile", "RedisPort", *REDIS_ONLY)
# Each nesting template with the template of its core.
GETTING_STARTED = {"getting-started": CORE, "getting-started-serverless": SERVERLESS}
NESTED = "AWS::CloudFormation::Stack"
# The name in the ARN of the nested core stack.
CORE_NAME = {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Core"}]}]}
# Outputs of the getting-started stack: those of the AWS solution, what names the core stack, and
# the user pool in which the first operator is created.
SHOWN = {
    "Core": ("PublicApiInvokeURL", "PrivateApiInvokeURL", "PublicTokenIssuer", "PrivateTokenIssuer",
             "OperatorsGroup", "EventBus", "Dashboard"),
    "Authorizer": ("AuthorizerFunctionARN",),
    "Sample": ("WaitingRoomURL", "ControlPanelURL", "StoreApiInvokeURL", "OperatorUserPool"),
}  # fmt: skip


def plans(fixed: Mapping[str, Any] | None = None) -> list[Plan]:
    """Return the plans of the templates; each deploys one stack.

    ``fixed`` are the parameters that the templates fix.
    """
    excluded = {name for other in fixed or {} for name in EXCLUDED_BY.get(other, ())}
    openid = [name for name in OF_OPENID if name not in excluded]
    redis_less = [name for name in OF_CORE if name not in WITHOUT_REDIS]
    serverless = inputs((CoreConfig,), redis_less, ("serverless",))
    return [
        _plan(CORE, inputs((CoreConfig,), OF_CORE), QUOTA),
        replace(_plan(CORE, serverless, {**QUOTA, "Profile": "serverless"}), name=SERVERLESS),
        _plan(AUTHORIZER, inputs((AuthorizerConfig, CoreConfig), (*OF_AUTHORIZER, *OF_FUNCTIONS))),
        _plan(
            SAMPLE,
            inputs((SampleConfig, AuthorizerArn, CoreConfig), (*OF_SAMPLE, *OF_FUNCTIONS)),
            QUOTA,
        ),
        _plan(
            OPENID,
            inputs(
                (OpenIdRoomConfig, OpenIdConfig, CoreConfig),
                ("StackName", *openid, *LIMITS, *OF_FUNCTIONS),
            ),
            QUOTA,
        ),
        replace(
            _plan(
                INLET,
                _named(
                    inputs(
                        (InletRoomConfig, InletConfig, CoreConfig),
                        ("StackName", *OF_INLET, *OF_FUNCTIONS),
                    )
                ),
            ),
            description="Virtual waiting room: inlet",
        ),
    ]


def _named(found: Sequence[Input]) -> list[Input]:
    """Return the inputs with a limit on the length of the name of core."""
    return [
        replace(one, declaration={**one.declaration, **NAME_WITH_INLET})
        if one.name == "StackName"
        else one
        for one in found
    ]


def _plan(stack: str, found: Sequence[Input], context: Mapping[str, str] | None = None) -> Plan:
    construct = CONSTRUCTS.get(stack, stack.capitalize())
    suffix = "" if stack == CORE else f"-{construct}"
    name = f"{STACK_SAMPLE}{suffix}"
    return Plan(
        stack,
        construct,
        {"Stacks": stack, "StackName": STACK_SAMPLE, **(context or {})},
        found,
        {name: STACK, name.replace("-", ""): STACK},
    )


def getting_started(
    written: Mapping[str, Written], core: str = CORE
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a template that nests core, authorizer and sample, and the templates that it needs.

    ``core`` is the name of the template of the core stack, whose parameters it has. The templates
    are by their keys in S3, which contain their hashes: an update changes the nested stacks whose
    templates changed.
    """
    used = {CORE: written[core], AUTHORIZER: written[AUTHORIZER], SAMPLE: written[SAMPLE]}
    files = {one.name: content(one.template) for one in used.values()}
    keys = {
        name: f"{name}.{hashlib.sha256(text).hexdigest()[:16]}.template.json"
        for name, text in files.items()
    }
    parameters = {
        name: declared
        for one in used.values()
        for name, declared in one.template["Parameters"].items()
        if name in OF_CORE or name in ASSETS
    }
    resources = {}
    for name, given in _passed().items():
        own = used[name].template["Parameters"]
        shared = {one: {"Ref": one} for one in own if one in parameters}
        resources[name.capitalize()] = {
            "Type": NESTED,
            "Properties": {
                "TemplateURL": _address(keys[used[name].name]),
                "Parameters": {**shared, **given},
            },
            **({} if name == CORE else {"DependsOn": ["Core"]}),
        }
    shown = [
        (stack, output)
        for stack, outputs in SHOWN.items()
        for output in outputs
        if output in used[stack.lower()].template["Outputs"]  # serverless has no dashboard
    ]
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Virtual waiting room: core, authorizer and sample",
        "Parameters": parameters,
        "Resources": resources,
        "Outputs": {
            "CoreStackName": {"Value": CORE_NAME},  # the templates of openid and inlet require it
            **{
                output: {"Value": _output(stack)(output), **_condition(used[stack.lower()], output)}
                for stack, output in shown
            },
        },
    }
    conditions: dict[str, Any] = {}
    for stack, output in shown:
        of = used[stack.lower()]
        for name in _condition(of, output).values():
            conditions |= _needed(name, of.template["Conditions"])
    if conditions:
        template["Conditions"] = conditions
    return template, {keys[name]: text for name, text in files.items()}


def _condition(one: Written, output: str) -> dict[str, str]:
    """Return the condition of an output: a nested stack without the output has no value for it."""
    made = one.template["Outputs"][output]
    return {"Condition": made["Condition"]} if "Condition" in made else {}


def _needed(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition of a template with those that it refers to."""
    found = {name: known[name]}
    parts: list[Any] = [known[name]]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if set(part) == {"Condition"}:
                found |= _needed(part["Condition"], known)
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return found


def _passed() -> dict[str, dict[str, Any]]:
    """Return the values that a nested stack gets beside the parameters of core."""
    core = _output("Core")
    return {
        CORE: {},
        AUTHORIZER: {
            "StackName": CORE_NAME,
            "PublicAPIEndpoint": core("PublicApiInvokeURL"),
            "WaitingRoomEventID": {"Ref": "EventId"},
            "IssuerURI": core("PublicTokenIssuer"),
        },
        SAMPLE: {
            "StackName": CORE_NAME,
            "PublicAPIEndpoint": core("PublicApiInvokeURL"),
            "PrivateAPIEndpoint": core("PrivateApiInvokeURL"),
            "APIGatewayRegion": {"Ref": "AWS::Region"},
            "EventID": {"Ref": "EventId"},
            "AuthorizerARN": _output("Authorizer")("AuthorizerFunctionARN"),
            "CreateApiLogRole": "false",  # core created it
        },
    }


def content(template: Mapping[str, Any]) -> bytes:
    """Return a template as the bytes of its file."""
    return f"{json.dumps(template, indent=1)}\n".encode()


def _output(stack: str) -> Any:
    return lambda output: {"Fn::GetAtt": [stack, f"Outputs.{output}"]}


def _address(key: str) -> dict[str, Any]:
    bucket, prefix = ({"Ref": name} for name in ASSETS)
    host: list[Any] = ["https://", bucket, ".s3.", {"Ref": "AWS::Region"}, "."]
    return {"Fn::Join": ["", [*host, {"Ref": "AWS::URLSuffix"}, "/", prefix, key]]}
