# SPDX-License-Identifier: Apache-2.0
"""The synthesized stacks deployed into an emulator, as far as it goes, and what functions get.

moto's CloudFormation makes tables, queues, topics and the bus. It knows no secrets, so these are
made here by what the template says. Everything else gets a made-up value (``Values``).
"""

from __future__ import annotations

import json
import secrets
import string
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployment.local.gateway.proxy_events import resource_of
from infrastructure.blueprint.routes import load_app, routes_of
from tests.support.servers import aws_client
from tests.support.templates.intrinsics import Values
from tests.support.templates.synthesized import Synthesized

MADE = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::EventBus")
NOT_MADE = ("DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy")  # for a later update
SECRET = "AWS::SecretsManager::Secret"
# app → its stack, and what the logical ids of its functions begin with
WHERE = {
    "public_api": ("Core", "PublicFunctions"),
    "private_api": ("Core", "PrivateFunctions"),
    "workers": ("Core", "WorkersFunctions"),
    "token_authorizer": ("Authorizer", "Authorizer"),
    "sample_store": ("Sample", "Views"),
    "openid": ("OpenId", "Views"),
    "entrance": ("Gate", "EntranceFunctions"),
}
INLETS = {
    "max_size_inlet": ("Inlet", "Inlet"),
    "periodic_inlet": ("PeriodicInlet", "Inlet"),
}


@dataclass(frozen=True)
class Deployed:
    """A function as the template has it: handler, environment, what its role allows.

    ``denials`` are the statements of queue policies that deny. ``role`` is the role's ARN.
    """

    handler: str
    environment: Mapping[str, str]
    statements: tuple[Mapping[str, Any], ...]
    role: str = ""
    denials: tuple[Mapping[str, Any], ...] = ()

    def granted(self) -> set[tuple[str, str]]:
        """Actions and resources that the role allows."""
        return {
            (action, resource)
            for one in self.statements
            for action in _list(one["Action"])
            for resource in _list(one["Resource"])
        }

    def may(self, action: str, resource: str) -> bool:
        """Return whether the role allows the call, and the policy of the resource does not deny it.

        No statement of a role has a pattern but ``*``.
        """
        granted = bool({(action, resource), (action, "*")} & self.granted())
        return granted and not any(self._denied(one, action, resource) for one in self.denials)

    def _denied(self, statement: Mapping[str, Any], action: str, resource: str) -> bool:
        """Return whether a statement denies the call, made with TLS."""
        (condition,) = statement["Condition"].items()
        if condition == ("Bool", {"aws:SecureTransport": "false"}):
            return False
        kind, values = condition
        assert kind == "ArnNotEquals", kind
        others = _list(values["aws:PrincipalArn"])
        return (
            action in _list(statement["Action"])
            and resource in _list(statement["Resource"])
            and self.role not in others
        )


class Deployment:
    """``values`` resolves the stacks' references; ``function`` returns a deployed function."""

    def __init__(self, stacks: Mapping[str, Synthesized], aws_url: str) -> None:
        self._stacks, self._aws_url = stacks, aws_url
        self._made: dict[tuple[str, ...], str] = {}
        self._suffix = uuid.uuid4().hex[:8]
        self.values = Values(stacks, self._made)
        for stack in stacks.values():
            self._make(stack)
            self._make_secrets(stack)

    def function(self, app: str, name: str) -> Deployed:
        """The function of a view of an HTTP app, or of a handler."""
        key, beginning = INLETS[name] if app == "inlet" else WHERE[app]
        if app not in ("inlet", "token_authorizer"):  # theirs is the whole beginning
            beginning += name.title().replace("_", "")
        stack = self._stacks[key]
        handler = "app" if _is_view(app, name) else name
        (made,) = (
            one
            for logical, one in stack.of_type("AWS::Lambda::Function").items()
            if logical.startswith(f"{beginning}Function")
        )
        assert made["Handler"] == f"app.{handler}"
        role = made["Role"]["Fn::GetAtt"][0]
        return Deployed(
            f"app.{handler}",
            self.values.of(stack, made.get("Environment", {}).get("Variables", {})),
            tuple(self.values.of(stack, stack.statements_of(role))),
            self.values.of(stack, {"Fn::GetAtt": [role, "Arn"]}),
            tuple(self._denials()),
        )

    def _denials(self) -> Iterator[Mapping[str, Any]]:
        for stack in self._stacks.values():
            for policy in stack.of_type("AWS::SQS::QueuePolicy").values():
                for one in self.values.of(stack, policy["PolicyDocument"]["Statement"]):
                    if one["Effect"] == "Deny":
                        yield one

    def resource(self, stack: str, kind: str, beginning: str) -> str:
        """The Ref of the one resource of a type whose logical id begins so, before CDK's hash."""
        (logical,) = (name for name in self._stacks[stack].of_type(kind) if name[:-8] == beginning)
        return self._made[self._stacks[stack].name, logical]

    def secret(self, stack: str, beginning: str) -> str:
        """The content of the one secret whose logical id begins so."""
        (arn,) = (
            value
            for key, value in self._made.items()
            if key[0] == self._stacks[stack].name and key[1].startswith(beginning)
            if ":secret:" in value
        )
        client = aws_client("secretsmanager", self._aws_url)
        return str(client.get_secret_value(SecretId=arn)["SecretString"])

    def _make(self, stack: Synthesized) -> None:
        """Let CloudFormation make what it can; remember names and ARNs.

        A template with parameters is given as it is, with their values.
        """
        source = stack.source or stack.template
        resources = {
            name: {key: part for key, part in made.items() if key not in NOT_MADE}
            for name, made in source["Resources"].items()
            if made["Type"] in MADE and name in stack.resources  # not without its condition
        }
        if not resources:
            return
        client = aws_client("cloudformation", self._aws_url)
        name = f"{stack.name}-{self._suffix}"
        outputs = {
            f"Arn{logical}": {"Value": {"Ref": logical} if _is_topic(one) else _arn(logical)}
            for logical, one in resources.items()
        }
        sections = {part: dict(source.get(part, {})) for part in ("Parameters", "Conditions")}
        sections["Parameters"].pop("BootstrapVersion", None)  # a value of SSM, for CDK only
        template = json.dumps({**sections, "Resources": resources, "Outputs": outputs})
        given = [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in stack.parameters.items()
        ]
        client.create_stack(StackName=name, TemplateBody=template, Parameters=given)
        (made,) = client.describe_stacks(StackName=name)["Stacks"]
        assert made["StackStatus"] == "CREATE_COMPLETE"
        for output in made["Outputs"]:
            logical = output["OutputKey"].removeprefix("Arn")
            self._made[stack.name, logical, "Arn"] = arn = output["OutputValue"]
            self._made[stack.name, logical, "QueueName"] = arn.rpartition(":")[2]
        for one in client.list_stack_resources(StackName=name)["StackResourceSummaries"]:
            logical, known = one["LogicalResourceId"], one.get("PhysicalResourceId")
            # moto does not return the name of a bus; its ARN ends with it
            arn = self._made[stack.name, logical, "Arn"]
            self._made[stack.name, logical] = known or arn.rpartition("/")[2]

    def _make_secrets(self, stack: Synthesized) -> None:
        client = aws_client("secretsmanager", self._aws_url)
        for logical, made in stack.of_type(SECRET).items():
            content = _generated(made["GenerateSecretString"])
            answer = client.create_secret(Name=f"{logical}-{self._suffix}", SecretString=content)
            self._made[stack.name, logical] = answer["ARN"]


def view_of(app: str, method: str, path: str) -> str:
    """Return the name of the view function of a request to an HTTP app."""
    resource = resource_for(app, path)
    (view,) = (
        route.view
        for route in routes_of(load_app(app))
        if route.path == resource and method in route.methods
    )
    return view


def resource_for(app: str, path: str) -> str:
    """Return the resource of a path, such as ``/events/{event_id}``."""
    found = resource_of(path, {route.path for route in routes_of(load_app(app))})
    assert found is not None, f"{app} has no route for {path}"
    return found


def _generated(wish: Mapping[str, Any]) -> str:
    """A secret as Secrets Manager would make it."""
    letters = string.ascii_letters + string.digits
    text = "".join(secrets.choice(letters) for _ in range(wish.get("PasswordLength", 32)))
    if "GenerateStringKey" not in wish:
        return text
    return json.dumps({**json.loads(wish["SecretStringTemplate"]), wish["GenerateStringKey"]: text})


def _is_view(app: str, name: str) -> bool:
    return any(route.view == name for route in routes_of(load_app(app)))


def _is_topic(made: Mapping[str, Any]) -> bool:
    return bool(made["Type"] == "AWS::SNS::Topic")  # its Ref is its ARN


def _arn(logical: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [logical, "Arn"]}


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
