# SPDX-License-Identifier: Apache-2.0
"""A deployment of several stacks, one after another, and the rules for what they share.

An export is a value that other stacks import. CloudFormation changes or removes no export while a
deployed stack imports it, also one that the deployment does not name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployment.stack_changes.change_set import ChangeSet, Template, change_set, references
from deployment.stack_changes.rules import violations
from deployment.stack_changes.violation import Violation

EMPTY: Template = {"Resources": {}}
Stacks = Mapping[str, Template]  # by the name of the stack, in the order of their dependencies


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command: ``remove`` deletes stacks, ``only`` deploys some; without names, all.

    ``stacks`` are the templates that the command synthesizes.
    """

    stacks: Stacks
    only: Sequence[str] = ()
    remove: Sequence[str] = ()


@dataclass(kw_only=True)
class Account:
    """The stacks that are deployed, and what was found while they changed."""

    deployed: dict[str, Template]
    found: list[Violation] = field(default_factory=list)
    changes: list[ChangeSet] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """Make the step: delete stacks, then deploy in the order of their dependencies."""
        for name in step.remove:
            self._remove(name)
        for name in step.stacks:
            if name in step.only or not (step.only or step.remove):
                self._deploy(name, step.stacks[name])

    def _remove(self, name: str) -> None:
        gone = exports(self.deployed.pop(name))
        self.found += self._in_use(name, gone, {}, frozenset())

    def _deploy(self, name: str, template: Template) -> None:
        before = self.deployed.get(name, EMPTY)
        changes = change_set(name, before, template)
        self.changes.append(changes)
        self.found += violations(changes)
        self.found += self._in_use(name, exports(before), exports(template), changes.replaced)
        others = {one: made for one, made in self.deployed.items() if one != name}
        available = {export for made in others.values() for export in exports(made)}
        for missing in sorted(imports(template) - available):
            self.found.append(_violation("imports_exist", name, missing, "no stack exports it"))
        for twice in sorted(available & exports(template).keys()):
            self.found.append(
                _violation("exports_are_unique", name, twice, "another stack exports it")
            )
        self.deployed[name] = template

    def _in_use(
        self,
        stack: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        replaced: frozenset[str],
    ) -> Iterator[Violation]:
        for export, value in before.items():
            users = sorted(
                name
                for name, made in self.deployed.items()
                if name != stack and export in imports(made)
            )
            if not users:
                continue
            by = f"while {', '.join(users)} imports it"
            if export not in after:
                yield _violation("exports_in_use_stay", stack, export, f"it is removed {by}")
            elif after[export] != value or replaced.intersection(references(value)):
                yield _violation("exports_in_use_stay", stack, export, f"its value changes {by}")


def check(deployed: Stacks, steps: Sequence[Step]) -> Account:
    """Return the account after the steps, with the violations of each."""
    account = Account(deployed=dict(deployed))
    for step in steps:
        account.take(step)
    return account


def exports(template: Template) -> dict[str, Any]:
    """Return the value of each export, by its name. A name with an intrinsic is JSON text."""
    return {
        _name(output["Export"]["Name"]): output["Value"]
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }


def imports(template: Template) -> set[str]:
    """Return the names of the exports that a template imports."""
    return set(_imported(template))


def _imported(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for function, argument in value.items():
            if function == "Fn::ImportValue":
                yield _name(argument)
            else:
                yield from _imported(argument)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _imported(one)


def _name(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _violation(rule: str, stack: str, resource: str, message: str) -> Violation:
    return Violation(stack=stack, rule=rule, resource=resource, message=message)
