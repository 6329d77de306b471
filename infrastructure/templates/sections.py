# SPDX-License-Identifier: Apache-2.0
"""The sections of a template beside its resources, and dependencies on optional resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

EXTENSIONS = "AWS::LanguageExtensions"  # allows functions in DeletionPolicy
POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


def complete(
    template: Mapping[str, Any], conditions: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a template with the parameters and conditions that its resources use.

    ``known`` are the declarations of all parameters. Resources and outputs are sorted.
    """
    used = set(_conditions(template))
    while more := {one for name in used for one in _conditions(conditions[name])} - used:
        used |= more
    body = {
        "Rules": template["Rules"],
        "Conditions": {name: conditions[name] for name in sorted(used)},
        "Resources": dict(sorted(template["Resources"].items())),
        "Outputs": dict(sorted(template["Outputs"].items())),
    }
    names = set(_references(body))
    parameters = {name: declared for name, declared in known.items() if name in names}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        **({"Transform": EXTENSIONS} if _needs_extensions(body["Resources"]) else {}),
        "Description": template["Description"],
        "Parameters": parameters,
        **{name: part for name, part in body.items() if part},
    }


def move_optional_dependencies(resources: Mapping[str, dict[str, Any]]) -> None:
    """Move dependencies on resources that may not exist from ``DependsOn`` into ``Metadata``.

    CloudFormation allows no condition in ``DependsOn``. A reference in the metadata has the same
    effect: the other resource is made before. The metadata is under the key ``DependsOn`` too.
    """
    for made in resources.values():
        optional = {}
        for name in made.get("DependsOn", []):
            condition = resources[name].get("Condition")
            if condition and condition != made.get("Condition"):
                optional[name] = {"Fn::If": [condition, {"Ref": name}, {"Ref": "AWS::NoValue"}]}
        if optional:
            made["Metadata"] = {"DependsOn": list(optional.values())}
            made["DependsOn"] = [name for name in made["DependsOn"] if name not in optional]
            if not made["DependsOn"]:
                del made["DependsOn"]


def _needs_extensions(resources: Mapping[str, Any]) -> bool:
    return any(isinstance(made.get(name), dict) for made in resources.values() for name in POLICIES)


def _conditions(node: Any) -> Iterator[str]:
    """Find the names of conditions that a node uses."""
    if isinstance(node, list):
        for part in node:
            yield from _conditions(part)
    elif isinstance(node, dict):
        for name, part in node.items():
            if name == "Condition" and isinstance(part, str):
                yield part
            elif name == "Fn::If":
                yield part[0]
                yield from _conditions(part[1:])
            else:
                yield from _conditions(part)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from _references(part)
    elif isinstance(node, dict):
        for name, part in node.items():
            if name == "Ref":
                yield part
            else:
                yield from _references(part)
