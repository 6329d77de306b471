# SPDX-License-Identifier: Apache-2.0
"""DynamoDB tables, from the definitions that the local room shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, RemovalPolicy, Stack, aws_dynamodb, aws_kms
from constructs import Construct

from infrastructure.blueprint.resources import Index, Table
from infrastructure.constructs.compute.encryption import table_encryption
from infrastructure.parameters.restored import RestoredTable

KINDS = {"S": aws_dynamodb.AttributeType.STRING, "N": aws_dynamodb.AttributeType.NUMBER}


class Tables(Construct):
    """Tables on demand, encrypted, with point-in-time recovery and TTL.

    ``by_name`` holds the tables that the room uses: those of ``restored``, or those of the stack,
    which are always in ``own``. Their warm throughput is not in the template: DynamoDB raises it
    with the traffic and rejects a lower value. ``deployment/account/warm.py`` raises it. ``key``
    encrypts the tables; None for the key of AWS.
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
        restored: Mapping[str, RestoredTable] | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.own: dict[str, aws_dynamodb.ITable] = {
            table.name: _table(self, table, removal, deletion_protection, key) for table in tables
        }
        self.by_name = dict(self.own)
        for part, table in (restored or {}).items():
            self.by_name[part] = _restored(self, f"Restored{part}", table, key)


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


def _restored(
    scope: Construct, name: str, table: RestoredTable, key: aws_kms.IKey | None
) -> aws_dynamodb.ITable:
    """Return a table that is not in a stack; no permission depends on its indexes here."""
    stream = Stack.of(scope).format_arn(
        service="dynamodb",
        resource="table",
        resource_name=f"{table.name}/stream/{table.stream}",
        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
    )
    return aws_dynamodb.Table.from_table_attributes(
        scope,
        name,
        table_name=table.name,
        table_stream_arn=stream if table.stream else None,
        encryption_key=key,
    )


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
