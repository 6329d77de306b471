# SPDX-License-Identifier: Apache-2.0
"""What DynamoDB refuses to change in an existing table.

Sources: UpdateTable (one index is created or deleted at a time; a stream has one view type), the
CloudFormation reference of AWS::DynamoDB::Table (an index cannot change its keys or projection),
"Understanding DynamoDB warm throughput" (the value only rises).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployment.stack_changes.change_set import ChangeSet, Kind, ResourceChange
from deployment.stack_changes.violation import Violation

TABLE = "AWS::DynamoDB::Table"
UNITS = ("ReadUnitsPerSecond", "WriteUnitsPerSecond")
INDEXES = "GlobalSecondaryIndexes"


def warm_throughput_is_not_lowered(changes: ChangeSet) -> Iterator[Violation]:
    """DynamoDB rejects a lower warm throughput, for a table and for an index."""
    for change in _modified(changes):
        old, new = _warm(change.old), _warm(change.new)
        for part, units in new.items():
            for unit, value in units.items():
                before = old.get(part, {}).get(unit, 0)
                if value < before:
                    yield Violation(
                        stack=changes.stack,
                        rule="warm_throughput_is_not_lowered",
                        resource=change.logical_id,
                        message=f"{unit} of {part} falls from {before} to {value}, "
                        "which DynamoDB refuses",
                    )


def one_index_at_a_time(changes: ChangeSet) -> Iterator[Violation]:
    """One update of a table creates or deletes one index."""
    for change in _modified(changes):
        old, new = _indexes(change.old), _indexes(change.new)
        different = sorted(old.keys() ^ new.keys())
        if len(different) > 1:
            yield Violation(
                stack=changes.stack,
                rule="one_index_at_a_time",
                resource=change.logical_id,
                message=f"the indexes {', '.join(different)} are created or deleted in one update",
            )


def index_keys_are_kept(changes: ChangeSet) -> Iterator[Violation]:
    """An index with other keys or another projection needs another name."""
    for change in _modified(changes):
        old, new = _indexes(change.old), _indexes(change.new)
        for name in sorted(old.keys() & new.keys()):
            for part in ("KeySchema", "Projection"):
                if old[name].get(part) != new[name].get(part):
                    yield Violation(
                        stack=changes.stack,
                        rule="index_keys_are_kept",
                        resource=change.logical_id,
                        message=f"the index {name} changes its {part}: give it another name",
                    )


def stream_view_is_kept(changes: ChangeSet) -> Iterator[Violation]:
    """A stream keeps its view; to end a stream ends what its readers have not read."""
    for change in _modified(changes):
        old = change.old.get("StreamSpecification")
        if old and old != change.new.get("StreamSpecification"):
            yield Violation(
                stack=changes.stack,
                rule="stream_view_is_kept",
                resource=change.logical_id,
                message="the stream changes or ends: its readers lose records",
            )


def _modified(changes: ChangeSet) -> list[ResourceChange]:
    return [one for one in changes.of_type(TABLE) if one.kind is Kind.MODIFIED]


def _indexes(properties: dict[str, Any]) -> dict[str, Any]:
    return {one["IndexName"]: one for one in properties.get(INDEXES, ())}


def _warm(properties: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return the units of the table and of each index that declare them."""
    parts = {"the table": properties, **_indexes(properties)}
    return {
        name: {unit: int(declared[unit]) for unit in UNITS if unit in declared}
        for name, part in parts.items()
        if (declared := part.get("WarmThroughput"))
    }
