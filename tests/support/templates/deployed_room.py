# SPDX-License-Identifier: Apache-2.0
"""A room deployed from its synthesized template into moto, whose functions run in this process.

moto's CloudFormation makes what it knows (tables, queues, bus, topic); secrets are made as the
template says. Each function sees the environment that the template gives it and nothing else, and
every call that it makes to AWS is held to the statements of its own role.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from tests.support.servers import FAKE_CREDENTIALS, aws_client
from tests.support.templates.synthesized import Synthesized
from waiting_room.adapters import aws
from waiting_room.runtime import wiring

KNOWN = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Events::EventBus", "AWS::SNS::Topic")
REGION, ACCOUNT = "eu-central-1", "123456789012"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
SERVERS = {"AWS_ENDPOINT_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_TLS"}  # where they really are


class Forbidden(BaseException):
    """A call that the role of the function does not allow; no handler can swallow it."""


@dataclass
class DeployedRoom:
    """``call`` runs a function by the start of its logical id. ``used`` is what each one did."""

    core: Synthesized
    aws_url: str
    redis_port: int
    redis_password: str
    made: dict[str, dict[str, str]] = field(default_factory=dict)
    used: set[tuple[str, str, str]] = field(default_factory=set)
    ahead: float = 0  # seconds that the functions' clock is ahead

    def deploy(self, name: str) -> None:
        """Make what the template describes."""
        cloudformation = aws_client("cloudformation", self.aws_url)
        resources = {
            logical: {"Type": made["Type"], "Properties": made.get("Properties", {})}
            for logical, made in self.core.resources.items()
            if made["Type"] in KNOWN
        }
        outputs = {
            f"{logical}{part}": {"Value": value}
            for logical, made in resources.items()
            for part, value in (
                ("Ref", {"Ref": logical}),
                ("Arn", _arn(logical, made["Type"])),
            )
        }
        template = {"Resources": resources, "Outputs": outputs}
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        told = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        for logical in resources:
            arn = told[f"{logical}Arn"]
            last = arn.rpartition(":")[2]  # a queue's name
            self.made[logical] = {"Ref": told[f"{logical}Ref"], "Arn": arn, "QueueName": last}
            if resources[logical]["Type"] == "AWS::Events::EventBus":  # moto knows no name here
                self.made[logical]["Ref"] = resources[logical]["Properties"]["Name"]
        self._make_secrets()

    def _make_secrets(self) -> None:
        secrets = aws_client("secretsmanager", self.aws_url)
        for logical, asked in self.core.of_type("AWS::SecretsManager::Secret").items():
            text = self.redis_password
            if not logical.startswith("CountersPassword"):
                rule = asked["GenerateSecretString"]
                text = secrets.get_random_password(
                    PasswordLength=rule.get("PasswordLength", 32),
                    ExcludePunctuation=rule.get("ExcludePunctuation", False),
                )["RandomPassword"]
            arn = secrets.create_secret(Name=f"deployed-{logical}", SecretString=text)["ARN"]
            self.made[logical] = {"Ref": arn, "Arn": arn}

    def call(self, function: str, *events: Mapping[str, Any]) -> Any:
        """What the function, freshly started, answers to the last of the events."""
        logical, asked = self._find("AWS::Lambda::Function", function)
        app = function.removesuffix("Functions").split("Functions")[0].lower()
        module = {"public": "public_api", "private": "private_api", "workers": "workers"}[app]
        handler = asked["Handler"].rpartition(".")[2]
        told = {
            name: str(self.resolve(value))
            for name, value in asked["Environment"]["Variables"].items()
        }
        with self._running_as(logical, asked, told):
            from infrastructure.blueprint.routes import load_app

            app_object = load_app(module)
            run = app_object if handler == "app" else _worker(module, handler)
            return [run(dict(event), None) for event in events][-1]

    @contextmanager
    def _running_as(
        self, logical: str, asked: Mapping[str, Any], told: Mapping[str, str]
    ) -> Iterator[None]:
        """The environment and the permissions of a function that has just started."""
        environment = {
            **told,
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": FAKE_CREDENTIALS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": FAKE_CREDENTIALS["aws_secret_access_key"],
        }
        if "REDIS_HOST" in told:
            environment |= {
                "REDIS_HOST": "127.0.0.1",
                "REDIS_PORT": str(self.redis_port),
                "REDIS_TLS": "false",
            }
        clock = SimpleNamespace(
            time=lambda: time.time() + self.ahead, monotonic=time.monotonic, sleep=time.sleep
        )
        with patch.dict(os.environ, environment, clear=True), patch.object(wiring, "time", clock):
            _cold()
            statements = self._statements(asked["Role"]["Fn::GetAtt"][0])
            aws.session().register(
                "provide-client-params.*.*",
                lambda params, model, **_: self._check(logical, statements, model, params),
            )
            yield
            _cold()

    def _check(
        self, logical: str, statements: list[Any], model: Any, params: Mapping[str, Any]
    ) -> None:
        for action, arn in calls(
            model.service_model.service_name, model.name, params, self._arn_of
        ):
            allowed = [
                one
                for one in statements
                if action in one["Action"] and any(_fits(arn, allow) for allow in one["Resource"])
            ]
            if not allowed:
                raise Forbidden(f"{logical} may not {action} on {arn}")
            self.used.add((logical, action, arn))

    def _statements(self, role: str) -> list[dict[str, Any]]:
        found = []
        for policy in self.core.of_type("AWS::IAM::Policy").values():
            if {"Ref": role} in policy["Roles"]:
                found += [
                    {part: self._many(one[part]) for part in ("Action", "Resource")}
                    for one in policy["PolicyDocument"]["Statement"]
                    if one["Effect"] == "Allow"
                ]
        return found

    def granted(self) -> set[tuple[str, str, str]]:
        """Every data call that a function of the template may make."""
        return {
            (logical, action, arn)
            for logical, asked in self.core.of_type("AWS::Lambda::Function").items()
            if "Environment" in asked
            for one in self._statements(asked["Role"]["Fn::GetAtt"][0])
            for action in one["Action"]
            for arn in one["Resource"]
        }

    def _many(self, value: Any) -> list[str]:
        return [self.resolve(one) for one in (value if isinstance(value, list) else [value])]

    def _arn_of(self, name: str) -> str:
        """The ARN of something by its name, its address or its ARN."""
        return next((one["Arn"] for one in self.made.values() if name in one.values()), name)

    def name_of(self, arn: str) -> str:
        """The logical id, without CDK's hash, of something by its ARN."""
        found = (name for name, one in self.made.items() if arn.startswith(one["Arn"]))
        return next((name[:-8] for name in found), arn)

    def resolve(self, value: Any) -> Any:
        """A value of the template, as the deployed stack has it."""
        if not isinstance(value, dict):
            return value
        ((function, argument),) = value.items()
        if function == "Ref":
            return PSEUDO.get(argument) or self.made.get(argument, {}).get("Ref", argument)
        if function == "Fn::GetAtt":
            logical, part = argument
            return self.made.get(logical, {}).get(part, f"{logical}.{part}")
        if function == "Fn::Join":
            return argument[0].join(str(self.resolve(part)) for part in argument[1])
        raise NotImplementedError(function)

    def logical(self, kind: str, start: str) -> str:
        """The logical id of a resource."""
        return self._find(kind, start)[0]

    def _find(self, kind: str, start: str) -> tuple[str, Any]:
        pattern = re.compile(rf"{start}(Function)?[0-9A-F]{{8}}")
        (found,) = (
            (name, asked)
            for name, asked in self.core.of_type(kind).items()
            if pattern.fullmatch(name)
        )
        return found


def calls(service: str, operation: str, params: Mapping[str, Any], arn_of: Any) -> list[Any]:
    """The IAM actions of an API call, each with the ARN that it is about."""
    if operation == "BatchGetItem":
        return [("dynamodb:BatchGetItem", arn_of(table)) for table in params["RequestItems"]]
    if operation == "BatchExecuteStatement":
        tables = {re.search(r'"([^"]+)"', one["Statement"])[1] for one in params["Statements"]}  # type: ignore[index]
        assert all(one["Statement"].startswith("INSERT") for one in params["Statements"])
        return [("dynamodb:PartiQLInsert", arn_of(table)) for table in tables]
    if service == "dynamodb":
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        return [(f"dynamodb:{operation}", arn_of(params["TableName"]) + index)]
    if service == "events":
        return [("events:PutEvents", arn_of(one["EventBusName"])) for one in params["Entries"]]
    return [(f"{service}:{operation}", arn_of(params["SecretId"]))]


def _arn(logical: str, kind: str) -> dict[str, Any]:
    return {"Ref": logical} if kind == "AWS::SNS::Topic" else {"Fn::GetAtt": [logical, "Arn"]}


def _fits(arn: str, allowed: str) -> bool:
    return allowed == "*" or allowed == arn


def _worker(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(f"apps.{module}.app"), name)


def _cold() -> None:
    """Forget what a warm function keeps."""
    for kept in (wiring.settings, wiring.room, aws.client, aws.session):
        kept.cache_clear()
