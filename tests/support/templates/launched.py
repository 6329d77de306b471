# SPDX-License-Identifier: Apache-2.0
"""The stacks that CloudFormation makes of the getting-started template of `make dist`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.templates.intrinsics import PSEUDO, Values
from tests.support.templates.parameters import Resolver
from tests.support.templates.synthesized import Synthesized

SUFFIX = "1A2B3C4D5E6F7"  # CloudFormation adds some like it to the name of a nested stack
ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack"


def launched(
    nesting: Mapping[str, Any],
    given: Mapping[str, str],
    name: str,
    fetch: Callable[[str], Mapping[str, Any]],
) -> dict[str, Synthesized]:
    """Return the nested stacks by construct id, for values of the parameters of the outer stack.

    Each gets the values that the outer template passes: parameters, and outputs of those before.
    ``fetch`` returns the template at an address.
    """
    outer = Resolver(nesting, given, name).template()["Resources"]
    stacks: dict[str, Synthesized] = {}
    for construct in ("Core", "Authorizer", "Sample"):
        properties = outer[construct]["Properties"]
        values = {key: _value(one, stacks) for key, one in properties["Parameters"].items()}
        source = fetch(_value(properties["TemplateURL"], stacks))
        own = f"{name}-{construct}-{SUFFIX}"
        stacks[construct] = Synthesized(
            own, Resolver(source, values, own).template(), source, values
        )
    return stacks


def launched_beside(source: Mapping[str, Any], given: Mapping[str, str], name: str) -> Synthesized:
    """Return the stack that CloudFormation makes of a template of one stack."""
    made = Resolver(source, given, name, PSEUDO["AWS::Region"]).template()
    return Synthesized(name, made, source, given)


def _value(value: Any, stacks: Mapping[str, Synthesized]) -> str:
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        stack, output = value["Fn::GetAtt"]
        return str(Values(stacks).output(stacks[stack], output.removeprefix("Outputs.")))
    return str(Resolver({}, {}, "").of(_known(value, stacks)))


def _known(node: Any, stacks: Mapping[str, Synthesized]) -> Any:
    """Return a node with values for the account, the region and the ids of nested stacks."""
    if isinstance(node, list):
        return [_known(one, stacks) for one in node]
    if not isinstance(node, dict):
        return node
    if list(node) == ["Ref"]:
        name = node["Ref"]
        return PSEUDO[name] if name in PSEUDO else f"{ARN}/{stacks[name].name}/0"
    return {key: _known(part, stacks) for key, part in node.items()}
