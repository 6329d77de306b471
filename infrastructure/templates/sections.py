# SPDX-License-Identifier: Apache-2.0
"""The sections of a template beside its resources: parameters, conditions, rules, interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.templates.inputs import TIED

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
        "Conditions": {name: conditions[name] for name in sorted(used)},
        "Resources": dict(sorted(template["Resources"].items())),
        "Outputs": dict(sorted(template["Outputs"].items())),
    }
    names = set(_references(body))
    parameters = {name: declared for name, declared in known.items() if name in names}
    for name, other in TIED.items():
        if other in parameters:
            parameters[name] = known[name]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        **({"Transform": EXTENSIONS} if _needs_extensions(body["Resources"]) else {}),
        "Description": template["Description"],
        "Parameters": parameters,
        **({"Rules": rules} if (rules := _rules(parameters)) else {}),
        **{name: part for name, part in body.items() if part},
    }


def _rules(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule for each pair of parameters that are given together or not at all."""
    found = {}
    for name, other in TIED.items():
        if other in parameters:
            says = f"The parameters {other} and {name} belong together."
            empty = {"Fn::Contains": [{"Ref": name}, ""]}
            for rule, given, assertion in (
                (f"{other}Needs{name}", {"Fn::Not": [_is_empty(other)]}, {"Fn::Not": [empty]}),
                (f"{name}Needs{other}", _is_empty(other), empty),
            ):
                found[rule] = {
                    "RuleCondition": given,
                    "Assertions": [{"Assert": assertion, "AssertDescription": says}],
                }
    return found


def _is_empty(name: str) -> dict[str, Any]:
    return {"Fn::Equals": [{"Ref": name}, ""]}


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
