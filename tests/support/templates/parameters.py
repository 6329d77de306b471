# SPDX-License-Identifier: Apache-2.0
"""A template with parameters becomes what CloudFormation makes of it for given values.

Parameters are checked as CloudFormation checks them. Conditions are evaluated, resources without
their condition are removed. References to resources stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

NO_VALUE = {"Ref": "AWS::NoValue"}


class InvalidParameter(Exception):
    """CloudFormation would refuse the deployment; the text names the parameter."""


class Resolver:
    """Resolves the nodes of a template for values of its parameters, in a stack of a name.

    With a ``region`` the rules of the template are checked too.
    """

    def __init__(
        self, template: Mapping[str, Any], values: Mapping[str, str], stack: str, region: str = ""
    ) -> None:
        declared = template.get("Parameters", {})
        unknown = set(values) - set(declared)
        if unknown:
            raise InvalidParameter(f"Parameters: {sorted(unknown)} do not exist in the template")
        self._template = template
        self._values: dict[str, Any] = {
            name: _checked(name, one, values.get(name)) for name, one in declared.items()
        }
        unique = re.sub(r"[^A-Za-z0-9]", "", stack)
        self._values["AWS::StackName"] = stack
        self._values["AWS::StackId"] = f"arn:aws:cloudformation:r:1:stack/{stack}/{unique}-0-0-0-0"
        if region:
            self._check_rules(region)

    def template(self) -> dict[str, Any]:
        """Return the template without parameters and conditions."""
        resources = {
            name: self.of({key: part for key, part in made.items() if key != "Condition"})
            for name, made in self._template["Resources"].items()
            if self._is_there(made)
        }
        for made in resources.values():
            depends = made.get("DependsOn", [])
            depends = [depends] if isinstance(depends, str) else depends
            implied = made.get("Metadata", {}).get("DependsOn", [])
            made["DependsOn"] = [*depends, *(one["Ref"] for one in implied)]
            missing = set(made["DependsOn"]) - set(resources)
            assert not missing, f"a resource depends on {missing}, which do not exist"
        outputs = {
            name: self.of({key: part for key, part in made.items() if key != "Condition"})
            for name, made in self._template.get("Outputs", {}).items()
            if self._is_there(made)
        }
        return {"Resources": resources, "Outputs": outputs}

    def of(self, node: Any) -> Any:
        """Return a node with its parameters and conditions resolved."""
        if isinstance(node, list):
            found = [self.of(one) for one in node]
            return [one for one in found if one != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Ref":
                return self._values.get(argument, node)
            if name == "Fn::If":
                chosen = argument[1 if self._condition(argument[0]) else 2]
                return self.of(chosen)
            if name in ("Fn::Join", "Fn::Select", "Fn::Split"):
                return _text(name, self.of(argument))
        made = {key: self.of(part) for key, part in node.items()}
        return {key: part for key, part in made.items() if part != NO_VALUE}

    def _check_rules(self, region: str) -> None:
        self._values["AWS::Region"] = region
        for rule in self._template.get("Rules", {}).values():
            if "RuleCondition" in rule and not self._holds(rule["RuleCondition"]):
                continue
            for one in rule["Assertions"]:
                if not self._holds(one["Assert"]):
                    raise InvalidParameter(one["AssertDescription"])
        del self._values["AWS::Region"]  # references to it stay

    def _is_there(self, made: Mapping[str, Any]) -> bool:
        return "Condition" not in made or self._condition(made["Condition"])

    def _condition(self, name: str) -> bool:
        return self._holds(self._template["Conditions"][name])

    def _holds(self, test: Mapping[str, Any]) -> bool:
        ((name, argument),) = test.items()
        if name == "Condition":
            return self._condition(argument)
        if name == "Fn::Not":
            return not self._holds(argument[0])
        if name in ("Fn::And", "Fn::Or"):
            return (all if name == "Fn::And" else any)(self._holds(one) for one in argument)
        one, other = (self.of(part) for part in argument)
        assert name == "Fn::Equals", name
        return bool(one == other)


def _checked(name: str, declared: Mapping[str, Any], given: str | None) -> Any:
    value = declared.get("Default") if given is None else given
    if value is None:
        raise InvalidParameter(f"Parameters: [{name}] must have values")
    says = f"Parameter {name} failed to satisfy constraint"
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], str(value)):
        raise InvalidParameter(f"{says}: {declared.get('ConstraintDescription')}")
    if "AllowedValues" in declared and value not in map(str, declared["AllowedValues"]):
        raise InvalidParameter(f"{says}: Member must satisfy enum value set")
    if declared["Type"] == "Number":
        low, high = declared.get("MinValue", 0), declared.get("MaxValue", 10**12)
        if not low <= int(value) <= high:
            raise InvalidParameter(f"{says}: must be between {low} and {high}")
    return str(value)


def _text(name: str, argument: Any) -> Any:
    """Return the text of a function, or the function while an argument is a reference."""
    if name == "Fn::Join":
        parts = list(_merged(argument[1])) if argument[0] == "" else argument[1]
        if isinstance(parts, list) and all(not isinstance(part, dict) for part in parts):
            return argument[0].join(str(part) for part in parts)
        return {name: [argument[0], parts]}
    if name == "Fn::Split" and isinstance(argument[1], str):
        return argument[1].split(argument[0])
    if name == "Fn::Select" and isinstance(argument[1], list):
        return argument[1][int(argument[0])]
    return {name: argument}


def _merged(parts: Any) -> Iterator[Any]:
    """Return the parts of a text, with texts beside one another as one, and no nested joins."""
    flat = list(_flat(parts))
    text = ""
    for part in flat:
        if isinstance(part, dict):
            if text:
                yield text
            yield part
            text = ""
        else:
            text += str(part)
    if text:
        yield text


def _flat(parts: Any) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, dict) and list(part) == ["Fn::Join"] and part["Fn::Join"][0] == "":
            yield from _flat(part["Fn::Join"][1])
        else:
            yield part
