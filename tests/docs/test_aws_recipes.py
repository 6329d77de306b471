# SPDX-License-Identifier: Apache-2.0
"""Recipes of the pages that need AWS: their commands by the models of the APIs, the ALB by CDK."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from aws_cdk import App, Stack, assertions, aws_ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from botocore import xform_name
from botocore.model import Shape, StringShape, StructureShape
from botocore.session import Session

from tests.support.servers import ROOT

PAGES = ("openid.md", "protect-your-api.md", "gate-edge.md", "gate-python.md")
OF_THE_CLI = {"query", "output", "region", "profile"}  # options of every command


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def commands() -> list[tuple[str, str]]:
    """Each ``aws`` command of a code block, in one line, with its page."""
    found = []
    for name in PAGES:
        for block in re.findall(r"^ *```sh\n(.+?)^ *```", page(name), re.MULTILINE | re.DOTALL):
            text = re.sub(r"\\\n\s*", " ", block)
            found += [(name, one) for one in re.findall(r"^ *(aws .+?)(?:  +#.*)?$", text, re.M)]
    return found


def members_of(text: str) -> dict[str, str]:
    """The members of the short form ``a=b,c=d``."""
    return dict(pair.split("=", 1) for pair in text.split(","))


def wrong_members(shape: Shape, values: list[str]) -> set[str]:
    """The names in the values of a parameter that its shape does not have."""
    if shape.type_name == "list":
        return set().union(*(wrong_members(shape.member, [one]) for one in values))
    if isinstance(shape, StructureShape):
        known = {xform_name(one, "") for one in shape.members} | {
            one.lower() for one in shape.members
        }
        return set(members_of(values[0])) - known
    if shape.type_name == "map":
        documented = re.findall(r"[a-z_]{3,}", shape.documentation)
        return set(members_of(values[0])) - set(documented) if "client_id" in documented else set()
    choices = shape.enum if isinstance(shape, StringShape) else []
    return set(values) - set(choices) if choices and not values[0].startswith("$") else set()


def problems(command: str) -> list[str]:
    """What the service's model does not know, or needs and does not get."""
    words = shlex.split(command)
    model = Session().get_service_model(words[1])
    by_name = {xform_name(name, "-"): name for name in model.operation_names}
    if words[2] not in by_name:
        return [f"no operation {words[2]}"]
    shape = model.operation_model(by_name[words[2]]).input_shape
    options = {xform_name(name, "-"): name for name in shape.members}
    given: dict[str, list[str]] = {}
    for word in words[3:]:
        if word.startswith("--"):
            given[word[2:]] = values = []
        else:
            values.append(word)
    found = [f"no option --{one}" for one in given if one not in options and one not in OF_THE_CLI]
    sent = {options[one] for one in given if one in options}
    found += [f"{one} is missing" for one in shape.required_members if one not in sent]
    for option, values in given.items():
        if option in options:
            wrong = wrong_members(shape.members[options[option]], values)
            found += [f"--{option} has no {one}" for one in sorted(wrong)]
    return found


@pytest.mark.parametrize(("name", "command"), commands())
def test_a_command_has_what_the_api_needs(name: str, command: str) -> None:
    assert problems(command) == [], (name, command)


def test_the_commands_of_all_recipes_are_read_and_a_wrong_one_is_found() -> None:
    named = {" ".join(shlex.split(command)[1:3]) for _, command in commands()}
    assert named >= {
        "apigateway create-authorizer", "lambda add-permission", "apigateway update-method",
        "apigateway create-deployment", "cognito-idp create-identity-provider",
    }  # fmt: skip
    start = "aws cognito-idp create-identity-provider --user-pool-id x --provider-name y"
    details = "--provider-details client_id=x"
    assert problems(f"{start} --provider-type OIDC {details}") == []
    assert problems(f"{start} --provider-type OIDCS {details}") == ["--provider-type has no OIDCS"]
    assert problems(f"{start} {details}") == ["ProviderType is missing"]
    assert problems(f"{start} --type OIDC --provider-type OIDC {details}") == ["no option --type"]
    assert problems("aws lambda add-permissions") == ["no operation add-permissions"]
    wrong = "--patch-operations operation=replace,path=/x"
    asked = f"aws apigateway update-method --rest-api-id a --resource-id b --http-method c {wrong}"
    assert problems(asked) == ["--patch-operations has no operation"]


def test_cognito_gets_each_detail_that_it_needs_of_a_provider() -> None:
    (command,) = (one for _, one in commands() if "create-identity-provider" in one)
    words = shlex.split(command)
    given = members_of(words[words.index("--provider-details") + 1])
    assert set(given) == {
        "client_id", "client_secret", "attributes_request_method", "oidc_issuer",
        "authorize_scopes",
    }  # fmt: skip
    assert given["attributes_request_method"] == "GET"


def test_the_load_balancer_of_the_page_can_be_synthesized() -> None:
    blocks = re.findall(r"```python\n(.+?)```", page("openid.md"), re.DOTALL)
    (block,) = (one for one in blocks if "authenticate_oidc" in one)
    stack = Stack(App(), "Site")
    vpc = aws_ec2.Vpc(stack, "Vpc")
    balancer = elbv2.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc, internet_facing=True)
    certificate = elbv2.ListenerCertificate.from_arn("arn:aws:acm:eu-central-1:1:certificate/x")
    listener = balancer.add_listener("Https", port=443, certificates=[certificate], open=True)
    targets = elbv2.ApplicationTargetGroup(stack, "Targets", vpc=vpc, port=80)
    issuer = "https://openid.example/api"
    names: dict[str, Any] = {
        "listener": listener, "targets": targets, "issuer": issuer, "secret_id": "client",
    }  # fmt: skip
    exec(block, names)  # noqa: S102 - of the page
    template = assertions.Template.from_stack(stack)
    (found,) = template.find_resources("AWS::ElasticLoadBalancingV2::Listener").values()
    first, second = found["Properties"]["DefaultActions"]
    config = first["AuthenticateOidcConfig"]
    assert first["Type"] == "authenticate-oidc"
    assert config.pop("ClientSecret").startswith("{{resolve:secretsmanager:client:")
    assert config == {
        "Issuer": issuer, "AuthorizationEndpoint": f"{issuer}/authorize",
        "TokenEndpoint": f"{issuer}/token", "UserInfoEndpoint": f"{issuer}/userInfo",
        "ClientId": "Sample", "Scope": "openid", "SessionTimeout": "3600",
    }  # fmt: skip
    assert (second["Type"], second["Order"] > first["Order"]) == ("forward", True)
