# SPDX-License-Identifier: Apache-2.0
"""The role that lets API Gateway write logs. An account has one, and a fresh one has none."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_apigateway, aws_iam
from constructs import Construct


class ApiLogRole(Construct):
    """Makes the role and tells the account. It stays when the stack goes: other APIs use it."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        role = aws_iam.Role(
            self,
            "Role",
            assumed_by=aws_iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[
                aws_iam.ManagedPolicy.from_aws_managed_policy_name(
                    "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
                )
            ],
        )
        role.apply_removal_policy(RemovalPolicy.RETAIN)
        self.account = aws_apigateway.CfnAccount(
            self, "Account", cloud_watch_role_arn=role.role_arn
        )
        self.account.apply_removal_policy(RemovalPolicy.RETAIN)

    def before(self, *apis: aws_apigateway.RestApi) -> None:
        """Make the stages of ``apis`` wait for the role: they cannot log without it."""
        for api in apis:
            api.deployment_stage.node.add_dependency(self.account)
