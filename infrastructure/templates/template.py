# SPDX-License-Identifier: Apache-2.0
"""A template with CloudFormation parameters, made of a few syntheses of the CDK app.

Each synthesis has another combination of the switches, and the samples of all other inputs. Equal
parts are written once. Parts that differ depend on conditions. A synthesis with the defaults tells
samples from numbers that are always there. Decision 0154 has the reasons.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infrastructure.parameters.without_cdk import NEEDS
from infrastructure.templates import sections
from infrastructure.templates.assets import Asset, move_values, staged
from infrastructure.templates.covering import Row, rows
from infrastructure.templates.inputs import DistError, Input
from infrastructure.templates.merge import Ambiguous, Merge, union
from infrastructure.templates.symbols import MISSING, STACK, UNIQUE, Symbols
from infrastructure.templates.synthesis import BUCKET_SAMPLE, PREFIX_SAMPLE, Stack, synthesize

ASSETS: Mapping[str, Mapping[str, str]] = {
    "AssetsBucket": {
        "Type": "String",
        "Description": "bucket with the assets of make publish, in the region of the stack",
        "AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "ConstraintDescription": "must be the name of a bucket",
    },
    "AssetsPrefix": {
        "Type": "String",
        "Description": "prefix of the assets in the bucket, empty or with a final slash",
        "Default": "",
        "AllowedPattern": "(?:[A-Za-z0-9!_.*'()/-]{1,199}/)?",
        "ConstraintDescription": "must be empty, or end with a slash",
    },
}
POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
EVENT = {"Ref": "EventId"}
MORE_ROWS = 20  # at most, where a first set of rows leaves a choice


@dataclass(frozen=True)
class Plan:
    """A template to write.

    ``stack`` is the construct id of its stack in the CDK app, ``context`` what is fixed for it.
    ``names`` are the samples of names of stacks, with the expression of each. ``description`` is
    that of the template; empty for the one of CDK.
    """

    name: str
    stack: str
    context: Mapping[str, str]
    inputs: Sequence[Input]
    names: Mapping[str, Any]
    description: str = ""


@dataclass(frozen=True)
class Written:
    """A template and the assets that it needs by key.

    ``keys`` has the key of each resource by logical id. ``plain`` is the stack that CDK makes of
    the defaults, in a stack of the sample's name.
    """

    name: str
    template: dict[str, Any]
    assets: dict[str, Asset]
    keys: dict[str, str]
    plain: Stack


def write(plan: Plan, context: Mapping[str, Any]) -> Written:
    """Return the template of a plan; ``context`` is for each synthesis. Raises DistError."""
    switches = [one for one in plan.inputs if one.switch]
    table = [
        tuple(one.starts_on != changed for one, changed in zip(switches, row, strict=True))
        for row in rows(len(switches))
    ]  # the first row has the defaults
    fixed = {**context, **plan.context}
    required = {one.name: one.sample for one in plan.inputs if "Default" not in one.declaration}
    plain = _stack(plan, {**fixed, **required})
    made = [_stack(plan, {**fixed, **_samples(plan, row, switches)}) for row in table]
    for _ in range(MORE_ROWS):
        try:
            return _written(plan, plain, made, Merge(table, switches))
        except Ambiguous as found:
            table.append(found.row)
            made.append(_stack(plan, {**fixed, **_samples(plan, found.row, switches)}))
    raise DistError(f"{plan.name}: {len(table)} syntheses do not show what each parameter changes.")


def _written(plan: Plan, plain: Stack, made: Sequence[Stack], merge: Merge) -> Written:
    bucket, prefix = ({"Ref": name} for name in ASSETS)
    names = {**plan.names, BUCKET_SAMPLE: bucket, PREFIX_SAMPLE: prefix}
    symbols = Symbols(plan.inputs, names)
    ids = _ids([plain, *made], plan.inputs)
    assets: dict[str, Asset] = {}
    resources = [_resources(one, plain, symbols, ids, assets) for one in made]
    template: dict[str, Any] = {
        "Description": plan.description or made[0].template["Description"],
        "Rules": {**symbols.of(made[0].template.get("Rules", {}), MISSING), **_rules(plan.inputs)},
    }
    template["Resources"] = {
        ids[key]: resource for key, resource in _merged(resources, merge, plan.name)
    }
    outputs = [
        _outputs(one, plain, symbols, {old: ids[key] for old, key in one.keys.items()})
        for one in made
    ]
    template["Outputs"] = dict(_merged_outputs(outputs, merge, plan.name))
    _publish_versions(template["Resources"])
    sections.move_optional_dependencies(template["Resources"])
    known = {one.name: one.declaration for one in plan.inputs} | dict(ASSETS)
    return Written(
        plan.name,
        sections.complete(template, merge.conditions, known),
        assets,
        {ids[key]: key for key in ids},
        plain,
    )


def _stack(plan: Plan, context: Mapping[str, Any]) -> Stack:
    return synthesize(context)[plan.stack]


def _samples(plan: Plan, row: Row, switches: Sequence[Input]) -> dict[str, str]:
    on = {one.name: value for one, value in zip(switches, row, strict=True)}
    found = {one.name: one.sample if on.get(one.name, True) else one.off for one in plan.inputs}
    for flag, text in NEEDS.items():
        if not found.get(text):
            found.pop(flag, None)
    return {name: value for name, value in found.items() if value}


def _rules(found: Sequence[Input]) -> dict[str, Any]:
    """Return the rules for flags that need another parameter."""
    names = {one.name for one in found}
    return {
        f"{flag}Needs{text}": {
            "RuleCondition": {"Fn::Equals": [{"Ref": flag}, "true"]},
            "Assertions": [
                {
                    "Assert": {"Fn::Not": [{"Fn::Equals": [{"Ref": text}, ""]}]},
                    "AssertDescription": f"The parameter {flag} needs {text}.",
                }
            ],
        }
        for flag, text in NEEDS.items()
        if names >= {flag, text}
    }


def _ids(stacks: Sequence[Stack], found: Sequence[Input]) -> dict[str, str]:
    """Return the logical id of each key, the first one that a synthesis has.

    CDK writes some values into ids; names of the parameters replace them.
    """
    names = {re.sub(r"[^A-Za-z0-9]", "", one.sample): one.name for one in found if not one.numeric}
    ids: dict[str, str] = {}
    for stack in stacks:
        for logical, key in stack.keys.items():
            for sample, name in names.items():
                if sample.startswith("qz"):
                    logical = logical.replace(sample, name)
            ids.setdefault(key, logical)
    return ids


def _resources(
    stack: Stack,
    plain: Stack,
    symbols: Symbols,
    ids: Mapping[str, str],
    assets: dict[str, Asset],
) -> dict[str, Any]:
    """Return the resources by key, with the ids of all syntheses and references for samples."""
    renamed = {logical: ids[key] for logical, key in stack.keys.items()}
    others = {key: plain.template["Resources"][logical] for logical, key in plain.keys.items()}
    found = {}
    for logical, made in stack.template["Resources"].items():
        key = stack.keys[logical]
        resource = _renamed(
            {name: part for name, part in made.items() if name != "Metadata"}, renamed
        )
        names = _cloudfront_name if made["Type"].startswith("AWS::CloudFront::") else _same
        other = others.get(key, {}).get("Properties", {})
        properties = {
            name: symbols.of(
                part, other.get(name, MISSING), names=_same if name == "Tags" else names
            )
            for name, part in resource.get("Properties", {}).items()
        }
        found[key] = {**resource, "Properties": properties}
        move_values(found[key], made, stack, symbols, assets)
    text = json.dumps(found)
    for key, path in stack.assets.items():
        if key in text:
            assets.setdefault(key, staged(path))
    return found


def _same(expression: Any) -> Any:
    return expression


def _cloudfront_name(expression: Any) -> Any:
    """Return what stands for the stack in a name of CloudFront, which may be only 64 long."""
    return UNIQUE if expression == STACK else expression


def _outputs(
    stack: Stack, plain: Stack, symbols: Symbols, renamed: Mapping[str, str]
) -> dict[str, Any]:
    outputs = _renamed(stack.template.get("Outputs", {}), renamed)
    others = plain.template.get("Outputs", {})
    return {name: symbols.of(made, others.get(name, MISSING)) for name, made in outputs.items()}


def _merged(
    stacks: Sequence[Mapping[str, Any]], merge: Merge, name: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in dict.fromkeys(key for stack in stacks for key in stack):
        nodes = [stack.get(key, MISSING) for stack in stacks]
        there = [node for node in nodes if node is not MISSING]
        resource: dict[str, Any] = {"Type": there[0]["Type"]}
        where = f"{name}: {key}"
        if len(there) < len(nodes):
            resource["Condition"] = merge.presence([node is not MISSING for node in nodes], where)
        inner = merge.of([index for index, node in enumerate(nodes) if node is not MISSING], where)
        for part in ("Properties", *POLICIES):
            values = [node.get(part, MISSING) for node in there]
            if any(value is not MISSING for value in values):
                resource[part] = inner.node(values, f"{where}/{part}")
        if depends := union(there, "DependsOn"):
            resource["DependsOn"] = depends
        yield key, resource


def _merged_outputs(
    stacks: Sequence[Mapping[str, Any]], merge: Merge, name: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for output in dict.fromkeys(one for stack in stacks for one in stack):
        where = f"{name}: {output}"
        nodes = [stack.get(output, MISSING) for stack in stacks]
        rows_with = [index for index, node in enumerate(nodes) if node is not MISSING]
        made = merge.of(rows_with, where).node([nodes[row] for row in rows_with], where)
        if len(rows_with) < len(nodes):
            made["Condition"] = merge.presence([node is not MISSING for node in nodes], output)
        yield output, made


def _publish_versions(resources: Mapping[str, Any]) -> None:
    """Publish a version for each event id: the set-up runs when there is a new version.

    CDK does it by another logical id of the version. CloudFormation replaces a version whose
    description changes.
    """
    for made in resources.values():
        if made["Type"] == "AWS::Lambda::Version":
            function = resources[made["Properties"]["FunctionName"]["Ref"]]
            if EVENT in function["Properties"]["Environment"]["Variables"].values():
                made["Properties"]["Description"] = {"Fn::Join": ["", ["Event ", EVENT]]}


def _renamed(node: Any, ids: Mapping[str, str]) -> Any:
    """Return a node with other logical ids."""
    if isinstance(node, list):
        return [_renamed(one, ids) for one in node]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for name, part in node.items():
        if name == "Ref":
            found[name] = ids.get(part, part)
        elif name == "Fn::GetAtt":
            found[name] = [ids.get(part[0], part[0]), *part[1:]]
        elif name == "DependsOn":
            depends = [part] if isinstance(part, str) else part
            found[name] = [ids.get(one, one) for one in depends]
        else:
            found[name] = _renamed(part, ids)
    return found


__all__ = ["DistError", "Plan", "Written", "write"]
