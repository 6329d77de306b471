# SPDX-License-Identifier: Apache-2.0
"""The changes of resources between two templates of a stack, as CloudFormation makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from deployment.stack_changes.resource_types import resource_type, value_at

Template = Mapping[str, Any]
IN_TEXT = re.compile(r"\$\{(\w+)(?:\.[\w.]+)?\}")  # of Fn::Sub


class Kind(StrEnum):
    """What happens to a resource."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    REPLACED = "replaced"


@dataclass(frozen=True, kw_only=True)
class ResourceChange:
    """The change of one resource. ``properties`` are the names of its changed properties.

    ``before`` and ``after`` are its entries in the templates, empty where there is none. ``causes``
    are the properties that replace it.
    """

    logical_id: str
    kind: Kind
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    properties: frozenset[str] = frozenset()
    causes: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """Return the type of the resource, the new one if there are two."""
        return str((self.after or self.before)["Type"])

    @property
    def old(self) -> dict[str, Any]:
        """Return the properties before the change."""
        return dict(self.before.get("Properties", {}))

    @property
    def new(self) -> dict[str, Any]:
        """Return the properties after the change."""
        return dict(self.after.get("Properties", {}))

    @property
    def ends(self) -> bool:
        """Return whether the old resource ends: it is removed or replaced."""
        return self.kind in (Kind.REMOVED, Kind.REPLACED)

    @property
    def begins(self) -> bool:
        """Return whether a new resource begins: it is added, or replaces another."""
        return self.kind in (Kind.ADDED, Kind.REPLACED)


@dataclass(frozen=True, kw_only=True)
class ChangeSet:
    """The changes of one stack. ``before`` is an empty template for a new stack."""

    stack: str
    before: Template
    after: Template
    changes: tuple[ResourceChange, ...]

    def of_type(self, *types: str) -> list[ResourceChange]:
        """Return the changes of resources of some types."""
        return [one for one in self.changes if one.type in types]

    @property
    def replaced(self) -> frozenset[str]:
        """Return the logical ids of replaced resources."""
        return frozenset(one.logical_id for one in self.changes if one.kind is Kind.REPLACED)


def change_set(stack: str, before: Template, after: Template) -> ChangeSet:
    """Return the changes from one template to another.

    A resource that refers to a replaced resource changes too, and is replaced itself if the
    reference is in a create-only property.
    """
    old, new = before.get("Resources", {}), after.get("Resources", {})
    changes = {name: _compared(name, old.get(name), new.get(name)) for name in {**old, **new}}
    replaced: set[str] = set()
    while True:
        found = {
            name for name, one in changes.items() if one is not None and one.kind is Kind.REPLACED
        }
        if found == replaced:
            break
        replaced = found
        for name in set(old) & set(new):
            changes[name] = _following(name, changes[name], old[name], new[name], replaced)
    made = sorted((one for one in changes.values() if one), key=lambda one: one.logical_id)
    return ChangeSet(stack=stack, before=before, after=after, changes=tuple(made))


def references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a value refers to."""
    if isinstance(value, Mapping):
        for function, argument in value.items():
            if function == "Ref" and isinstance(argument, str):
                yield argument
            elif function == "Fn::GetAtt":
                yield argument.partition(".")[0] if isinstance(argument, str) else argument[0]
            elif function == "Fn::Sub":
                text = argument if isinstance(argument, str) else argument[0]
                yield from IN_TEXT.findall(text)
                yield from references(argument)
            else:
                yield from references(argument)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references(one)


def _compared(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> ResourceChange | None:
    if before is None or after is None:
        kind = Kind.ADDED if before is None else Kind.REMOVED
        return ResourceChange(logical_id=name, kind=kind, before=before or {}, after=after or {})
    old, new = before.get("Properties", {}), after.get("Properties", {})
    different = {one for one in {**old, **new} if old.get(one) != new.get(one)}
    if not different and before["Type"] == after["Type"]:
        return None
    change = ResourceChange(
        logical_id=name,
        kind=Kind.MODIFIED,
        before=before,
        after=after,
        properties=frozenset(different),
    )
    facts = resource_type(change.type)
    return _replaced(
        change,
        (
            path
            for path in (*facts.create_only, *facts.conditional)
            if value_at(old, path) != value_at(new, path)
        ),
    )


def _following(
    name: str,
    change: ResourceChange | None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    replaced: set[str],
) -> ResourceChange | None:
    """Return the change of a resource, with what its references to replaced resources add."""
    new = after.get("Properties", {})
    moved = {one for one, value in new.items() if replaced.intersection(references(value))}
    if not moved:
        return change
    change = change or ResourceChange(
        logical_id=name, kind=Kind.MODIFIED, before=before, after=after
    )
    change = replace(change, properties=change.properties | moved)
    facts = resource_type(change.type)
    return _replaced(
        change,
        (
            path
            for path in facts.create_only
            if replaced.intersection(references(value_at(new, path)))
        ),
    )


def _replaced(change: ResourceChange, paths: Iterator[tuple[str, ...]]) -> ResourceChange:
    causes = {*change.causes, *(".".join(path) for path in paths)}
    if not causes:
        return change
    return replace(change, kind=Kind.REPLACED, causes=tuple(sorted(causes)))
