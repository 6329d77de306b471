# SPDX-License-Identifier: Apache-2.0
"""The API key that CloudFront sends to an API of the room, so that no caller goes around it."""

from __future__ import annotations

from aws_cdk import aws_apigateway, aws_secretsmanager
from constructs import Construct

KEY_LENGTH = 40  # API Gateway accepts 20 to 128 characters


def edge_keys(scope: Construct, api: aws_apigateway.RestApi, number: int = 1) -> tuple[str, ...]:
    """Create the API key that CloudFront sends; return references to secrets, not keys.

    A new ``number`` creates a new key. CloudFormation deletes the previous key after CloudFront
    has the new one. The previous secret stays one number longer: AWS WAF accepts both during the
    change. The API accepts the current key only.
    """
    values = [_secret(scope, one) for one in (number, number - 1) if one > 0]
    key = aws_apigateway.ApiKey(scope, f"ApiKey{_rank(number)}", value=values[0])
    plan = aws_apigateway.UsagePlan(scope, "UsagePlan", description="Waiting room: the edge")
    plan.add_api_stage(stage=api.deployment_stage)
    plan.add_api_key(key)
    return tuple(values)


def _secret(scope: Construct, number: int) -> str:
    secret = aws_secretsmanager.Secret(
        scope,
        f"Key{_rank(number)}",
        description="API key that the waiting room's edge sends to its public API",
        generate_secret_string=aws_secretsmanager.SecretStringGenerator(
            password_length=KEY_LENGTH, exclude_punctuation=True
        ),
    )
    return str(secret.secret_value.unsafe_unwrap())


def _rank(number: int) -> str:
    return "" if number == 1 else str(number)
