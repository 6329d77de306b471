# SPDX-License-Identifier: Apache-2.0
"""The waiting room's token authorizer, attached to an API of any stack, region or account."""

from __future__ import annotations

from aws_cdk import Duration, aws_apigateway, aws_iam, aws_lambda
from constructs import Construct

RESULT_TTL = 60  # s; API Gateway caches a result so long, even past the end of a token


class WaitingRoomAuthorizer(Construct):
    """``authorizer`` protects the routes of an API in this stack.

    API Gateway invokes the function with a role of this stack, so that the function's stack does
    not depend on the API. If the function is in another account, its policy must allow the role.
    """

    def __init__(self, scope: Construct, name: str, *, authorizer_arn: str) -> None:
        super().__init__(scope, name)
        role = aws_iam.Role(
            self, "Role", assumed_by=aws_iam.ServicePrincipal("apigateway.amazonaws.com")
        )
        role.add_to_policy(
            aws_iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[authorizer_arn])
        )
        self.authorizer = aws_apigateway.TokenAuthorizer(
            self,
            "Authorizer",
            handler=aws_lambda.Function.from_function_arn(self, "Function", authorizer_arn),
            assume_role=role.without_policy_updates(),  # CDK would add all versions
            results_cache_ttl=Duration.seconds(RESULT_TTL),
        )
