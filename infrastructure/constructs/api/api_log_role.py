# SPDX-License-Identifier: Apache-2.0
"""The role that API Gateway writes logs with: one per account, absent in a new account."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_apigateway, aws_iam
from constructs import Construct


class ApiLogRole(Construct):
    """Creates the role and sets it for the account. It is retained: other APIs may use it."""

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
        """Make the stages of ``apis`` depend on the role: they cannot log without it."""
        for api in apis:
            api.deployment_stage.node.add_dependency(self.account)
