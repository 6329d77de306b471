# SPDX-License-Identifier: Apache-2.0
"""Counters that are replaced are rebuilt from the tables in the same update."""

from __future__ import annotations

from collections.abc import Iterator

from deployment.stack_changes.change_set import ChangeSet, Kind
from deployment.stack_changes.resource_types import COPIES
from deployment.stack_changes.violation import Violation

TRIGGER = "Custom::Trigger"  # runs the set-up, which rebuilds the counters
FUNCTION = "AWS::Lambda::Function"


def copies_are_rebuilt(changes: ChangeSet) -> Iterator[Violation]:
    """Another copy needs the set-up to run after every function with another environment.

    Otherwise a function with the old copy writes numbers that the new copy does not get.
    """
    copies = [one for one in changes.of_type(*COPIES) if one.ends or one.begins]
    if not copies or not changes.before.get("Resources"):
        return
    runs = [one for one in changes.of_type(TRIGGER) if one.after]
    after: set[str] = set()
    for run in runs:
        needed = run.after.get("DependsOn", [])
        after |= {needed} if isinstance(needed, str) else set(needed)
    users = {
        one.logical_id
        for one in changes.of_type(FUNCTION)
        if one.kind is Kind.MODIFIED and "Environment" in one.properties
    }
    if not runs:
        message = "the counters move, but the set-up that rebuilds them does not run"
    elif missing := users - after:
        message = f"the counters move, but the set-up may run before {', '.join(sorted(missing))}"
    else:
        return
    for copy in copies:
        yield Violation(
            stack=changes.stack,
            rule="copies_are_rebuilt",
            resource=copy.logical_id,
            message=message,
        )
