# SPDX-License-Identifier: Apache-2.0
"""The names of the tables that a deployed room uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infrastructure.blueprint.resources import Table
from infrastructure.parameters.restored import RestoredTable


class TablesMissing(Exception):
    """A stack does not have the tables of a room; the message names the stack."""


def names_in_use(
    cloudformation: Any, stack: str, tables: Sequence[Table], restored: Mapping[str, RestoredTable]
) -> dict[str, str]:
    """Return the names of tables, those of ``restored`` or of the stack, by the room's names.

    Raises TablesMissing, and errors of botocore.
    """
    if restored:
        return {table.name: restored[table.name].name for table in tables}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::DynamoDB::Table"
    }
    names = {
        table.name: name
        for table in tables
        for logical, name in found.items()
        if logical.startswith(f"Tables{table.name}")
    }
    if len(names) != len(tables):
        raise TablesMissing(f"The stack {stack} does not have the tables: name the core stack.")
    return names
