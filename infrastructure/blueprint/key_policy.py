# SPDX-License-Identifier: Apache-2.0
"""Use of a customer-managed key: statements of its policy for services, calls of functions.

Plain data without a CDK import. ``docs/deploy.md`` has the statements for a key of your own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Services whose data the key encrypts, and for which callers need permissions.
KEYED = ("dynamodb", "secretsmanager", "sqs")
READ = ("kms:Decrypt", "kms:DescribeKey")
WRITE = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
# Beginnings of the calls that write data; all others only read.
WRITES = ("Put", "Update", "Delete", "PartiQL", "Send")


def service_statements(
    *, partition: str, region: str, account: str, suffix: str
) -> list[dict[str, Any]]:
    """Return the statements that let services use the key for resources of the account."""
    own = {"StringEquals": {"aws:SourceAccount": account}}
    logs = f"arn:{partition}:logs:{region}:{account}:*"
    distributions = f"arn:{partition}:cloudfront::{account}:distribution/*"
    encrypt = ["kms:Decrypt", "kms:GenerateDataKey*"]
    return [
        _statement(
            "Logs",
            f"logs.{region}.{suffix}",
            [*encrypt, "kms:Describe*", "kms:Encrypt", "kms:ReEncrypt*"],
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
        ),
        _statement("Alarms", "cloudwatch.amazonaws.com", encrypt, own),
        _statement("Notices", "sns.amazonaws.com", encrypt, own),
        _statement(
            "Pages",
            "cloudfront.amazonaws.com",
            ["kms:Decrypt"],
            {"ArnLike": {"AWS:SourceArn": distributions}},
        ),
    ]


def actions_by_service(calls: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the calls of the key that calls such as ``dynamodb:GetItem`` need, by service."""
    found: dict[str, tuple[str, ...]] = {}
    for call in calls:
        service, _, name = call.partition(":")
        if service in KEYED:
            writes = name.startswith(WRITES) and (service, name) != ("sqs", "DeleteMessage")
            found[service] = WRITE if writes or found.get(service) == WRITE else READ
    return dict(sorted(found.items()))


def _statement(
    sid: str, service: str, actions: list[str], condition: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": actions,
        "Resource": "*",
        "Condition": dict(condition),
    }
