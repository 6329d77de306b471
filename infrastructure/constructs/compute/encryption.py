# SPDX-License-Identifier: Apache-2.0
"""Encryption by a customer-managed key, or by the keys of AWS without one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import (
    Annotations,
    Aws,
    Duration,
    RemovalPolicy,
    aws_dynamodb,
    aws_iam,
    aws_kms,
    aws_s3,
    aws_sqs,
)
from constructs import Construct

from infrastructure.blueprint.key_policy import actions_by_service, service_statements

DATA_KEY_REUSE = Duration.hours(24)  # the longest of SQS: fewer calls of the key


def room_key(scope: Construct, name: str, arn: str, *, new: bool) -> aws_kms.IKey | None:
    """Return the key of ``arn``, or a ``new`` one, or None for the keys of AWS.

    A new key is retained: logs and backups of a removed room stay readable.
    """
    if arn:
        return aws_kms.Key.from_key_arn(scope, name, arn)
    if not new:
        return None
    key = aws_kms.Key(
        scope,
        name,
        description="Waiting room: tables, secrets, queues, topics, logs and pages",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    for statement in service_statements(
        partition=Aws.PARTITION, region=Aws.REGION, account=Aws.ACCOUNT_ID, suffix=Aws.URL_SUFFIX
    ):
        key.add_to_resource_policy(aws_iam.PolicyStatement.from_json(statement))
    # The statement for distributions names those of the account: the key is older than they are.
    Annotations.of(scope).acknowledge_warning(
        "@aws-cdk/aws-cloudfront-origins:wildcardKeyPolicyForOac"
    )
    return key


def key_statements(key: aws_kms.IKey | None, calls: Iterable[str]) -> list[aws_iam.PolicyStatement]:
    """Return the permissions on the key for calls such as ``sqs:SendMessage``; none without one."""
    if key is None:
        return []
    return [
        aws_iam.PolicyStatement(
            actions=list(actions),
            resources=[key.key_arn],
            conditions={
                "StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}"}
            },
        )
        for service, actions in actions_by_service(calls).items()
    ]


def queue_encryption(key: aws_kms.IKey | None) -> dict[str, Any]:
    """Return the encryption of a queue."""
    if key is None:
        return {"encryption": aws_sqs.QueueEncryption.SQS_MANAGED}
    return {
        "encryption": aws_sqs.QueueEncryption.KMS,
        "encryption_master_key": key,
        "data_key_reuse": DATA_KEY_REUSE,
    }


def table_encryption(key: aws_kms.IKey | None) -> dict[str, Any]:
    """Return the encryption of a table."""
    if key is None:
        return {"encryption": aws_dynamodb.TableEncryption.DEFAULT}
    return {"encryption": aws_dynamodb.TableEncryption.CUSTOMER_MANAGED, "encryption_key": key}


def bucket_encryption(key: aws_kms.IKey | None) -> dict[str, Any]:
    """Return the encryption of a bucket."""
    if key is None:
        return {"encryption": aws_s3.BucketEncryption.S3_MANAGED}
    return {
        "encryption": aws_s3.BucketEncryption.KMS,
        "encryption_key": key,
        "bucket_key_enabled": True,
    }
