# SPDX-License-Identifier: Apache-2.0
"""CloudFormation's references, resolved: what a template's values become once it is deployed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.support.templates.synthesized import Synthesized

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/Room/0a1b2c3d-0000",
    "AWS::URLSuffix": "amazonaws.com",
}


class Values:
    """The values of stacks that refer to one another.

    ``made`` has what references became, by (stack name, logical id) for Ref, and with the
    attribute as a third part for GetAtt. What is not there gets a made-up value, always the same.
    """

    def __init__(
        self, stacks: Mapping[str, Synthesized], made: Mapping[tuple[str, ...], str] | None = None
    ) -> None:
        self._stacks = {stack.name: stack for stack in stacks.values()}
        self._made = {} if made is None else made

    def of(self, stack: Synthesized, node: Any) -> Any:
        """``node`` of a stack's template with everything resolved."""
        if isinstance(node, list):
            return [self.of(stack, one) for one in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Ref":
                return self._ref(stack, argument)
            if name.startswith("Fn::"):
                return getattr(self, "_" + name[4:].lower())(stack, argument)
        return {name: self.of(stack, one) for name, one in node.items()}

    def output(self, stack: Synthesized, name: str) -> Any:
        """An output of a stack."""
        return self.of(stack, stack.template["Outputs"][name]["Value"])

    def _ref(self, stack: Synthesized, name: str) -> str:
        if name in PSEUDO:
            return PSEUDO[name]
        kind = stack.resources[name]["Type"]
        if kind == "AWS::ApiGateway::Stage":
            return str(stack.resources[name]["Properties"]["StageName"])
        if kind == "AWS::Lambda::Alias":
            return self._getatt(stack, [name, "Arn"])
        return self._made.get((stack.name, name), name.lower())

    def _getatt(self, stack: Synthesized, argument: list[str]) -> str:
        name, attribute = argument
        known = self._made.get((stack.name, name, attribute))
        if known is None and attribute == "DomainName":
            return f"{name.lower()}.cloudfront.net"
        if known is None and attribute == "Arn":
            if stack.resources[name]["Type"] == "AWS::IAM::Role":
                given = stack.resources[name].get("Properties", {}).get("RoleName", name)
                return f"arn:aws:iam::123456789012:role/{self.of(stack, given)}"
            service = stack.resources[name]["Type"].split("::")[1].lower()
            resource = f"function:{name}" if service == "lambda" else name
            return f"arn:aws:{service}:eu-central-1:123456789012:{resource}"
        return f"{name}.{attribute}" if known is None else known

    def _importvalue(self, stack: Synthesized, argument: Any) -> Any:
        export = self.of(stack, argument)
        other = self._stacks[export.partition(":")[0]]
        for output in other.template["Outputs"].values():
            if output.get("Export", {}).get("Name") == export:
                return self.of(other, output["Value"])
        raise KeyError(export)

    def _join(self, stack: Synthesized, argument: Any) -> str:
        return str(argument[0].join(self.of(stack, argument[1])))

    def _select(self, stack: Synthesized, argument: Any) -> Any:
        return self.of(stack, argument[1])[int(argument[0])]

    def _split(self, stack: Synthesized, argument: Any) -> list[str]:
        return list(self.of(stack, argument[1]).split(argument[0]))

    def _sub(self, stack: Synthesized, argument: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda found: self._ref(stack, found[1]), argument)
