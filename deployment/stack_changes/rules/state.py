# SPDX-License-Identifier: Apache-2.0
"""Resources with state are neither replaced nor removed."""

from __future__ import annotations

from collections.abc import Iterator

from deployment.stack_changes.change_set import ChangeSet, Kind
from deployment.stack_changes.resource_types import STATEFUL
from deployment.stack_changes.violation import Violation


def state_is_kept(changes: ChangeSet) -> Iterator[Violation]:
    """A stateful resource keeps its physical resource."""
    for change in changes.of_type(*STATEFUL):
        if change.ends:
            why = f" because of {', '.join(change.causes)}" if change.causes else ""
            message = f"{change.type} is {change.kind}{why}: its content or its address is lost"
            yield Violation(
                stack=changes.stack,
                rule="state_is_kept",
                resource=change.logical_id,
                message=message,
            )


def types_are_kept(changes: ChangeSet) -> Iterator[Violation]:
    """CloudFormation rejects another type under the same logical id."""
    for change in changes.changes:
        if change.kind in (Kind.MODIFIED, Kind.REPLACED):
            old, new = change.before["Type"], change.after["Type"]
            if old != new:
                yield Violation(
                    stack=changes.stack,
                    rule="types_are_kept",
                    resource=change.logical_id,
                    message=f"the type changes from {old} to {new}, which CloudFormation rejects",
                )
