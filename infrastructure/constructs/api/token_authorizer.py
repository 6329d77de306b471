# SPDX-License-Identifier: Apache-2.0
"""The waiting room's authorizer, as an API of any stack, region or account attaches it."""

from __future__ import annotations

from aws_cdk import Duration, aws_apigateway, aws_iam, aws_lambda
from constructs import Construct

RESULT_TTL = 60  # seconds that API Gateway keeps an answer: so long a token may outlive its end


class WaitingRoomAuthorizer(Construct):
    """``authorizer`` guards the routes of an API in this stack.

    API Gateway calls the function with a role of this stack, so that the function's own stack
    knows nothing of the API. In another account the function's policy must allow the role, too.
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
