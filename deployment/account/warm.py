# SPDX-License-Identifier: Apache-2.0
"""Pre-warm the tables of a stack: ``python -m deployment.account.warm --writes 20000``.

Raises the *warm throughput* of the tables with a row per join, and of their indexes: the writes
per second that an on-demand table accepts at once. DynamoDB charges once for each unit that it
adds, and rejects a lower value. A table that has the value already gets no request. Without
``--writes``, the value is the parameter WarmWriteUnits. Parameters are in cdk.json and, for CDK, in
the environment variable DEPLOYMENT_ARGS, which ``make`` sets to CDK_ARGS.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment.account.context import ARGUMENTS, read_context
from deployment.account.table_names import TablesMissing, names_in_use
from infrastructure.blueprint.resources import POSITIONS, TOKENS
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.restored import RestoredConfig, RestoredTable
from waiting_room.adapters.operator_access import new_session

COLD_READS, COLD_WRITES = 12_000, 4_000  # per second: a new on-demand table
MOST_WRITES = 1_000_000
WARMED = (POSITIONS, TOKENS)  # a row per join or token


class WarmError(Exception):
    """The tables cannot be pre-warmed; the message states the reason."""


@dataclass(frozen=True)
class Warmed:
    """A table of the stack: its name, its warm writes per second before, and what is requested.

    ``before`` is the lowest value of the table and its indexes.
    """

    table: str
    before: int
    requested: int

    @property
    def changed(self) -> bool:
        """Whether DynamoDB got a request."""
        return self.requested > self.before


def warm(
    cloudformation: Any,
    dynamodb: Any,
    stack: str,
    writes: int,
    restored: Mapping[str, RestoredTable] | None = None,
) -> list[Warmed]:
    """Raise the warm writes per second of a stack's tables to ``writes`` where they are lower.

    ``restored`` are tables that the stack uses instead of its own. Raises WarmError if the stack
    has no such tables, and ClientError of botocore.
    """
    names = tables_of(cloudformation, stack, restored)
    return [_raise(dynamodb, name, writes) for name in names]


def tables_of(
    cloudformation: Any, stack: str, restored: Mapping[str, RestoredTable] | None = None
) -> list[str]:
    """Return the names of the tables in use with a row per join or token."""
    try:
        return list(names_in_use(cloudformation, stack, WARMED, restored or {}).values())
    except TablesMissing as error:
        raise WarmError(str(error)) from None


def _raise(dynamodb: Any, table: str, writes: int) -> Warmed:
    found = dynamodb.describe_table(TableName=table)["Table"]
    before = min(one[1] for one in _units(found))
    if before >= writes:
        return Warmed(table, before, before)
    request: dict[str, Any] = {"TableName": table}
    if _writes(found) < writes:
        request["WarmThroughput"] = _wanted(found, writes)
    indexes = [
        {"Update": {"IndexName": one["IndexName"], "WarmThroughput": _wanted(one, writes)}}
        for one in found.get("GlobalSecondaryIndexes", [])
        if _writes(one) < writes
    ]
    if indexes:
        request["GlobalSecondaryIndexUpdates"] = indexes
    dynamodb.update_table(**request)
    return Warmed(table, before, writes)


def _units(table: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the names of a table and its indexes with their warm writes per second."""
    yield table["TableName"], _writes(table)
    for one in table.get("GlobalSecondaryIndexes", []):
        yield one["IndexName"], _writes(one)


def _writes(found: Mapping[str, Any]) -> int:
    return int(found.get("WarmThroughput", {}).get("WriteUnitsPerSecond", COLD_WRITES))


def _wanted(found: Mapping[str, Any], writes: int) -> dict[str, int]:
    """Return the wanted units; reads stay as they are, because DynamoDB rejects a lower value."""
    reads = int(found.get("WarmThroughput", {}).get("ReadUnitsPerSecond", COLD_READS))
    return {"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes}


def main(given: Sequence[str]) -> int:
    """Pre-warm and print a line for each table; return 2 if that is not possible."""
    parser = argparse.ArgumentParser(prog="warm", description="Pre-warm the tables of a stack.")
    parser.add_argument("--writes", type=int, help="writes per second; default: WarmWriteUnits")
    parser.add_argument("--stack", help="name of the core stack; default: StackName")
    asked = parser.parse_args(given)
    if asked.writes is not None and not COLD_WRITES < asked.writes <= MOST_WRITES:
        parser.error(
            f"--writes must be above {COLD_WRITES}, which each table has, and at most {MOST_WRITES}"
        )
    try:
        context = read_context(os.environ.get(ARGUMENTS, ""))
        config = CoreConfig.from_context(context.values)
        writes = asked.writes or config.warm_write_units
        if writes <= COLD_WRITES:
            if writes or asked.stack:
                print(f"Each table accepts {COLD_WRITES} writes per second without pre-warming.")
            return 0
        session = new_session(context.profile or None)
        done = warm(
            session.create_client("cloudformation"),
            session.create_client("dynamodb"),
            asked.stack or config.stack_name,
            writes,
            RestoredConfig.from_context(context.values).of(serverless=config.serverless),
        )
    except (ParameterError, WarmError, BotoCoreError, ClientError) as error:
        print(f"The tables cannot be pre-warmed: {error}", file=sys.stderr)
        return 2
    for one in done:
        print(
            f"{one.table}: {one.before} writes per second, {one.requested} requested"
            if one.changed
            else f"{one.table}: {one.before} writes per second already, nothing requested"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
