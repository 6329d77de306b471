# SPDX-License-Identifier: Apache-2.0
"""Access to the private API: four managed policies, each with an IAM group, and two for a site.

*Watching* only reads. *Steering* also controls a running event. *Administrators* may do everything.
*Operators* have the permissions of the AWS solution's one group: steering, reset and redrives.
A site that reports its health has one route, and a gate outside CloudFront another one, which
returns secrets. Both belong to no group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from aws_cdk import Stack, aws_apigateway, aws_iam, aws_sqs
from constructs import Construct

from infrastructure.blueprint.permissions import (
    ADMINISTRATORS,
    DENIED,
    GATE,
    OPERATORS,
    SITE,
    STEERING,
    WATCHING,
)


class OperatorRole(Construct):
    """A managed ``policy`` for roles, and a ``group`` with that policy for people."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        description: str,
        statements: Sequence[aws_iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, name)
        self.policy = aws_iam.ManagedPolicy(
            self, "Policy", description=description, statements=list(statements)
        )
        self.group = aws_iam.Group(self, "Group", managed_policies=[self.policy])


class OperatorAccess(Construct):
    """Add people to ``group`` or attach ``policy`` to roles: the private API, and redrives.

    Each policy lists its routes: ``watching`` and ``steering`` have fewer, ``administrators`` has
    all. ``site`` and ``gate`` are for roles of a site. A redrive assumes ``redrive_role``; no
    policy here may write to the join queue.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        private_api: aws_apigateway.RestApi,
        dead_letters: aws_sqs.IQueue,
        redrive_role: aws_iam.IRole,
    ) -> None:
        super().__init__(scope, name)
        # CloudFormation replaces a managed policy whose description changes.
        self.policy = aws_iam.ManagedPolicy(
            self,
            "Policy",
            description="Operate the waiting room: call its private API, redrive dead letters",
            statements=[
                *_routes(private_api, OPERATORS),
                aws_iam.PolicyStatement(
                    actions=["sqs:GetQueueAttributes"], resources=[dead_letters.queue_arn]
                ),
                aws_iam.PolicyStatement(
                    actions=["sts:AssumeRole"], resources=[redrive_role.role_arn]
                ),
                aws_iam.PolicyStatement(
                    actions=["cloudformation:DescribeStacks"], resources=[Stack.of(self).stack_id]
                ),
            ],
        )
        self.group = aws_iam.Group(self, "Group", managed_policies=[self.policy])
        self.watching = OperatorRole(
            self,
            "Watching",
            description="Watch the waiting room: the GET routes of its private API",
            statements=_routes(private_api, WATCHING),
        )
        self.steering = OperatorRole(
            self,
            "Steering",
            description="Watch and steer the waiting room: its private API but reset and keys",
            statements=_routes(private_api, STEERING),
        )
        self.administrators = OperatorRole(
            self,
            "Administrators",
            description="Watch, steer and reset the waiting room, and rotate its signing keys",
            statements=_routes(private_api, ADMINISTRATORS),
        )
        self.site = aws_iam.ManagedPolicy(
            self,
            "Site",
            description="Report the health of a site to the waiting room",
            statements=list(_routes(private_api, SITE)[:1]),
        )
        self.gate = aws_iam.ManagedPolicy(
            self,
            "Gate",
            description="Read the configuration and the keys of the gate of each event",
            statements=list(_routes(private_api, GATE)[:1]),
        )


def route_statements(
    arn_of: Callable[[str, str], str], routes: Sequence[str]
) -> tuple[aws_iam.PolicyStatement, ...]:
    """Return the statements that allow routes, and those that deny DENIED.

    ``arn_of`` returns the ARN of a method and a path. Each route is given as "METHOD /path"; its
    ARN allows any value of path parameters.
    """

    def arns(listed: Sequence[str]) -> list[str]:
        calls = (re.sub(r"{\w+}", "*", route).split(" ") for route in listed)
        return [arn_of(method, path) for method, path in calls]

    return (
        aws_iam.PolicyStatement(actions=["execute-api:Invoke"], resources=arns(routes)),
        aws_iam.PolicyStatement(
            effect=aws_iam.Effect.DENY,
            actions=["execute-api:Invoke"],
            resources=arns(DENIED),
        ),
    )


def _routes(
    api: aws_apigateway.RestApi, routes: Sequence[str]
) -> tuple[aws_iam.PolicyStatement, ...]:
    stage = api.deployment_stage.stage_name
    return route_statements(
        lambda method, path: api.arn_for_execute_api(method, path, stage), routes
    )
