# SPDX-License-Identifier: Apache-2.0
"""Counts the rows in the tables of the local room."""

from __future__ import annotations

from typing import Any

from botocore.session import Session

from deployment.load_test.checks import Rows
from deployment.load_test.target import RoomUnderTest
from deployment.local.config import PREFIX
from infrastructure.blueprint.resources import POSITIONS, TOKENS
from waiting_room.domain.records import OutcomeKind


def count_rows(target: RoomUnderTest, generation: int) -> Rows:
    """Count the positions and tokens of a generation by a scan; for the local room only."""
    dynamodb = Session().create_client(
        "dynamodb",
        endpoint_url=target.aws_endpoint_url,
        region_name=target.region,
        aws_access_key_id=target.access_key_id,
        aws_secret_access_key=target.secret_access_key,
    )
    tokens = _count(dynamodb, TOKENS.name, target.event_id, generation, OutcomeKind.TOKEN.value)
    return Rows(_count(dynamodb, POSITIONS.name, target.event_id, generation), tokens)


def _count(client: Any, table: str, event_id: str, generation: int, kind: str = "") -> int:
    names = {"#generation": "generation", "#shard": "shard"}
    values: dict[str, Any] = {
        ":generation": {"N": str(generation)},
        ":shard": {"S": f"{event_id}#"},
    }
    condition = "#generation = :generation AND begins_with(#shard, :shard)"
    if kind:
        names["#kind"], values[":kind"] = "kind", {"S": kind}
        condition += " AND #kind = :kind"
    pages = client.get_paginator("scan").paginate(
        TableName=f"{PREFIX}-{table}",
        FilterExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        Select="COUNT",
    )
    return sum(int(page["Count"]) for page in pages)
