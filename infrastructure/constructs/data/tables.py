# SPDX-License-Identifier: Apache-2.0
"""DynamoDB tables, from the definitions that the local room shares."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import RemovalPolicy, aws_dynamodb, aws_kms
from constructs import Construct

from infrastructure.blueprint.resources import Index, Table
from infrastructure.constructs.compute.encryption import table_encryption

KINDS = {"S": aws_dynamodb.AttributeType.STRING, "N": aws_dynamodb.AttributeType.NUMBER}


class Tables(Construct):
    """Tables on demand, encrypted, with point-in-time recovery and TTL; ``by_name`` holds them.

    Their warm throughput is not in the template: DynamoDB raises it with the traffic and rejects a
    lower value. ``deployment/account/warm.py`` raises it. ``key`` encrypts the tables; None for
    the key of AWS.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        tables: Sequence[Table],
        removal: RemovalPolicy = RemovalPolicy.DESTROY,
        deletion_protection: bool = False,
        key: aws_kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.by_name = {
            table.name: _table(self, table, removal, deletion_protection, key) for table in tables
        }


def _table(
    scope: Construct,
    table: Table,
    removal: RemovalPolicy,
    protected: bool,
    key: aws_kms.IKey | None,
) -> aws_dynamodb.Table:
    made = aws_dynamodb.Table(
        scope,
        table.name,
        partition_key=_key(table.partition_key),
        sort_key=_key(table.sort_key) if table.sort_key else None,
        billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
        **table_encryption(key),
        point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute=table.ttl,
        stream=aws_dynamodb.StreamViewType.NEW_IMAGE if table.stream else None,
        deletion_protection=protected,
        removal_policy=removal,
    )
    if table.index:
        _add_index(made, table.index)
    return made


def _add_index(table: aws_dynamodb.Table, index: Index) -> None:
    table.add_global_secondary_index(
        index_name=index.name,
        partition_key=_key((index.partition_key, "S")),
        sort_key=_key((index.sort_key, "N")),
        projection_type=aws_dynamodb.ProjectionType.INCLUDE,
        non_key_attributes=list(index.projected),
    )


def _key(key: tuple[str, str]) -> aws_dynamodb.Attribute:
    name, kind = key
    return aws_dynamodb.Attribute(name=name, type=KINDS[kind])
