# SPDX-License-Identifier: Apache-2.0
"""Compare the templates of two folders, and print what CloudFormation would refuse."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from deployment.stack_changes.change_set import ChangeSet, Kind
from deployment.stack_changes.plan import Stacks, Step, check

MANIFEST = "manifest.json"
STACK = "aws:cloudformation:stack"


class FolderError(Exception):
    """A folder contains no templates; the message names it."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if the new templates can be deployed over the old ones by one command, else 1."""
    parser = argparse.ArgumentParser(prog="deployment.stack_changes", description=__doc__)
    parser.add_argument("before", type=Path, help="templates that are deployed")
    parser.add_argument("after", type=Path, help="templates to deploy")
    parser.add_argument("--only", nargs="*", default=(), help="names of the stacks to deploy")
    parser.add_argument("--remove", nargs="*", default=(), help="names of stacks to remove first")
    given = parser.parse_args(arguments)
    try:
        before, after = templates_of(given.before), templates_of(given.after)
    except FolderError as error:
        print(error, file=sys.stderr)
        return 2
    for name in (*given.only, *given.remove):
        if name not in {**before, **after}:
            print(f"There is no stack {name}.", file=sys.stderr)
            return 2
    steps = [Step(stacks=before, remove=given.remove)] if given.remove else []
    account = check(before, [*steps, Step(stacks=after, only=given.only)])
    for changes in account.changes:
        print(summary(changes))
    for name in before:
        if name not in after and name in account.deployed:
            print(f"{name}: is not in {given.after} and stays as it is")
    for one in account.found:
        print(f"REFUSED OR LOST  {one}")
    if not account.found:
        print("No rule finds a problem. docs/updates.md states what the rules cannot see.")
    return 1 if account.found else 0


def templates_of(folder: Path) -> Stacks:
    """Return the templates of a folder by stack name, in the order of a deployment.

    The folder is an output of ``cdk synth``, or has a template ``<stack name>.json`` of each stack;
    then the order is that of the names. Raises FolderError for any other folder.
    """
    try:
        if not (folder / MANIFEST).exists():
            return _downloaded(folder)
        return _synthesized(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{folder} has no templates of `make synth` or of CloudFormation: {error!r}"
        raise FolderError(message) from None


def _downloaded(folder: Path) -> Stacks:
    paths = sorted(folder.glob("*.json"))
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
    if not found or not all("Resources" in one for one in found.values()):
        raise ValueError("each file must be a template as JSON")
    return found


def _synthesized(folder: Path) -> Stacks:
    artifacts = json.loads((folder / MANIFEST).read_text("utf-8"))["artifacts"]
    stacks = {name: one for name, one in artifacts.items() if one.get("type") == STACK}
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for other in stacks[name].get("dependencies", ()):
            if other in stacks and other not in ordered:
                visit(other)
        ordered[name] = None

    for name in stacks:
        visit(name)
    found = {}
    for name in ordered:
        properties = stacks[name]["properties"]
        template = json.loads((folder / properties["templateFile"]).read_text("utf-8"))
        found[properties.get("stackName", name)] = template
    return found


def summary(changes: ChangeSet) -> str:
    """Return one line with the number of changes, and a line for each replaced resource."""
    counts = Counter(one.kind for one in changes.changes)
    line = ", ".join(f"{counts[kind]} {kind}" for kind in Kind if counts[kind]) or "no change"
    replaced = [
        f"    {one.type} {one.logical_id} is replaced: {', '.join(one.causes)}"
        for one in changes.changes
        if one.kind is Kind.REPLACED
    ]
    return "\n".join([f"{changes.stack}: {line}", *replaced])


if __name__ == "__main__":
    sys.exit(main())
