# SPDX-License-Identifier: Apache-2.0
"""API keys that CloudFront sends to the APIs of the room, so that no caller goes around it.

Keys are references to secrets. CDK's ApiKey puts them into no template.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack, aws_apigateway, aws_kms, aws_secretsmanager
from constructs import Construct

KEY_LENGTH = 40  # API Gateway accepts 20 to 128 characters


@dataclass(frozen=True, kw_only=True)
class GateKey:
    """A key of protected distributions: ``value`` for CloudFront, ``key`` for a usage plan.

    Functions read ``secret_arn`` instead of the value.
    """

    value: str
    secret_arn: str
    key: aws_apigateway.IApiKey


def usage_plan(scope: Construct, api: aws_apigateway.RestApi) -> aws_apigateway.UsagePlan:
    """Create the usage plan that lets keys call the stage of an API."""
    plan = aws_apigateway.UsagePlan(scope, "UsagePlan", description="Waiting room: the edge")
    plan.add_api_stage(stage=api.deployment_stage)
    return plan


def edge_keys(
    scope: Construct, plan: aws_apigateway.UsagePlan, number: int, key: aws_kms.IKey | None = None
) -> tuple[str, ...]:
    """Create the API key that the room's own CloudFront sends; the API accepts the first only.

    A new ``number`` creates a new key. CloudFormation deletes the previous key after CloudFront
    has the new one. The previous secret stays one number longer: AWS WAF accepts both during the
    change. ``key`` encrypts the secrets.
    """
    values = [
        str(_secret(scope, f"Key{_rank(one)}", key).secret_value.unsafe_unwrap())
        for one in (number, number - 1)
        if one > 0
    ]
    plan.add_api_key(aws_apigateway.ApiKey(scope, f"ApiKey{_rank(number)}", value=values[0]))
    return tuple(values)


def gate_keys(
    scope: Construct,
    plan: aws_apigateway.UsagePlan,
    number: int,
    encryption: aws_kms.IKey | None = None,
) -> tuple[GateKey, ...]:
    """Create the API keys that protected distributions send; none for ``number`` 0.

    They are in another stack, which is deployed later: the API accepts the previous key too. The
    key before it is accepted no longer. It exists until the next number, because the gate of the
    previous number imports it until that stack is deployed.
    """
    found = []
    for one in (number, number - 1, number - 2):
        if one > 0:
            secret = _secret(scope, f"GateKey{_rank(one)}", encryption)
            value = str(secret.secret_value.unsafe_unwrap())
            key = aws_apigateway.ApiKey(scope, f"GateApiKey{_rank(one)}", value=value)
            for used in (secret.secret_arn, key.key_id):
                Stack.of(scope).export_value(used)
            if one > number - 2:
                plan.add_api_key(key)
                found.append(GateKey(value=value, secret_arn=secret.secret_arn, key=key))
    return tuple(found)


def _secret(scope: Construct, name: str, key: aws_kms.IKey | None) -> aws_secretsmanager.Secret:
    return aws_secretsmanager.Secret(
        scope,
        name,
        description="API key that the waiting room's edge sends to its public API",
        encryption_key=key,
        generate_secret_string=aws_secretsmanager.SecretStringGenerator(
            password_length=KEY_LENGTH, exclude_punctuation=True
        ),
    )


def _rank(number: int) -> str:
    return "" if number == 1 else str(number)
