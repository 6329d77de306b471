# SPDX-License-Identifier: Apache-2.0
"""Who may operate the room: a managed policy, and a group that has it."""

from __future__ import annotations

from aws_cdk import aws_apigateway, aws_iam, aws_sqs
from constructs import Construct


class Operators(Construct):
    """Put people into ``group``, or give roles ``policy``: the private API, and redrives."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        private_api: aws_apigateway.RestApi,
        joins: aws_sqs.IQueue,
        dead_letters: aws_sqs.IQueue,
    ) -> None:
        super().__init__(scope, name)
        stage = private_api.deployment_stage.stage_name
        self.policy = aws_iam.ManagedPolicy(
            self,
            "Policy",
            description="Operate the waiting room: call its private API, redrive dead letters",
            statements=[
                aws_iam.PolicyStatement(
                    actions=["execute-api:Invoke"],
                    resources=[private_api.arn_for_execute_api("*", "/*", stage)],
                ),
                aws_iam.PolicyStatement(
                    actions=[
                        "sqs:DeleteMessage",
                        "sqs:GetQueueAttributes",
                        "sqs:ListMessageMoveTasks",
                        "sqs:ReceiveMessage",
                        "sqs:StartMessageMoveTask",
                    ],
                    resources=[dead_letters.queue_arn],
                ),
                aws_iam.PolicyStatement(
                    actions=["sqs:GetQueueAttributes", "sqs:SendMessage"],
                    resources=[joins.queue_arn],
                ),
            ],
        )
        self.group = aws_iam.Group(self, "Group", managed_policies=[self.policy])
