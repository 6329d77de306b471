# SPDX-License-Identifier: Apache-2.0
"""Check the tables of the parameter RestoredTables: a restored table lacks settings of its source.

DynamoDB restores neither the stream nor the time to live, the recovery and the tags of a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from deployment.account.restore import STREAM, key_schema
from deployment.doctor.results import Deployment, Level, Result
from infrastructure.blueprint.resources import Table
from infrastructure.parameters.restored import tables_of

NAME = "Restored tables"
PREPARE = "Run make restore TABLES=… and deploy with the RestoredTables that it prints."


def tables(of: Deployment) -> Iterator[Result]:
    """Check each restored table; nothing without the parameter."""
    if not of.restored:
        return
    faults = [
        one for table in tables_of(serverless=of.config.serverless) for one in _faults(of, table)
    ]
    yield from faults
    if not faults:
        yield Result(NAME, Level.OK, f"The {len(of.restored)} tables are as the room needs them.")


def _faults(of: Deployment, table: Table) -> Iterator[Result]:
    name, client = of.restored[table.name].name, of.client("dynamodb")
    try:
        found = client.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        yield Result(
            NAME,
            Level.MUST_FIX,
            f"There is no table {name}, which RestoredTables names for {table.name}.",
            "Correct the name, or restore the table in this account and region.",
        )
        return
    if found["TableStatus"] != "ACTIVE":
        yield Result(
            NAME,
            Level.MUST_FIX,
            f"The table {name} has the status {found['TableStatus']}.",
            "Wait until it is ACTIVE.",
        )
    if found["KeySchema"] != key_schema(table) or not _has_index(found, table):
        yield Result(
            NAME,
            Level.MUST_FIX,
            f"The table {name} does not have the keys or the index of {table.name}.",
            f"Name the restored {table.name}; restore it with its indexes.",
        )
    if table.stream and (
        found.get("StreamSpecification") != STREAM
        or found.get("LatestStreamLabel") != of.restored[table.name].stream
    ):
        yield Result(
            NAME,
            Level.MUST_FIX,
            f"The stream of {name} is not enabled with new images, or has another label.",
            PREPARE,
        )
    status = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if status.get("AttributeName") != table.ttl:
        yield Result(
            NAME,
            Level.WARNING,
            f"TTL of the table {name} is not enabled on the attribute {table.ttl}: old rows are "
            "not deleted, and AWS charges for them.",
            PREPARE,
        )
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield Result(
            NAME,
            Level.WARNING,
            f"The table {name} has no point-in-time recovery.",
            PREPARE,
        )


def _has_index(found: dict[str, Any], table: Table) -> bool:
    if table.index is None:
        return True
    wanted = [
        {"AttributeName": table.index.partition_key, "KeyType": "HASH"},
        {"AttributeName": table.index.sort_key, "KeyType": "RANGE"},
    ]
    return any(
        one["IndexName"] == table.index.name and one["KeySchema"] == wanted
        for one in found.get("GlobalSecondaryIndexes", [])
    )
