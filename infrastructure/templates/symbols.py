# SPDX-License-Identifier: Apache-2.0
"""Samples in a synthesized template become references to the parameters that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infrastructure.templates.inputs import Input

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "MISSING"})()
STACK = {"Ref": "AWS::StackName"}
# The first part of the UUID in the stack's id, which no other stack has: it counts time. It is as
# short as names of CloudFront need it.
UNIQUE = {
    "Fn::Select": [
        0,
        {"Fn::Split": ["-", {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}]},
    ]
}
INTRINSIC = ("Ref", "Condition")


def is_intrinsic(node: object) -> bool:
    """Return whether a node of a template is a function of CloudFormation."""
    if not isinstance(node, dict) or len(node) != 1:
        return False
    (name,) = node
    return name in INTRINSIC or name.startswith("Fn::")


class Symbols:
    """Replaces the samples of inputs; ``names`` are texts that stand for names of stacks."""

    def __init__(self, inputs: Sequence[Input], names: Mapping[str, Any]) -> None:
        texts = {
            text: expression
            for one in inputs
            if not one.numeric and "AllowedValues" not in one.declaration
            for text, expression in one.symbols
        }
        texts |= names
        self._texts = dict(sorted(texts.items(), key=lambda pair: -len(pair[0])))
        self._names = set(names)
        self._numbers = {one.sample: {"Ref": one.name} for one in inputs if one.numeric}
        self._words = [one for one in inputs if "AllowedValues" in one.declaration]
        parts = [re.escape(text) for text in self._texts]
        parts += [rf"(?<!\d){number}(?!\d)" for number in self._numbers]
        self._any = re.compile("|".join(parts))

    def of(self, node: Any, plain: Any, *, names: Callable[[Any], Any] = lambda one: one) -> Any:
        """Return a node with references for samples.

        ``plain`` is the same node of a synthesis with the defaults, or MISSING: a number that is
        equal in both is no sample. ``names`` changes the expression of a stack's name.
        """
        if is_intrinsic(node) and ("Ref" in node or "Fn::GetAtt" in node):
            return node
        if isinstance(node, dict):
            other = plain if isinstance(plain, dict) else {}
            return {
                key: self.of(part, other.get(key, MISSING), names=names)
                for key, part in node.items()
            }
        if isinstance(node, list):
            same = isinstance(plain, list) and len(plain) == len(node)
            return [
                self.of(part, plain[index] if same else MISSING, names=names)
                for index, part in enumerate(node)
            ]
        if isinstance(node, bool) or node is None:
            return node
        if isinstance(node, str):
            return self._text(node, plain, names)
        return node if node == plain else self._numbers.get(str(node), node)

    def _text(self, text: str, plain: Any, names: Callable[[Any], Any]) -> Any:
        for one in self._words:
            if text == one.sample and plain == one.default and not one.switch:
                return {"Ref": one.name}
        if not self._any.search(text):
            return text
        parts: list[Any] = []
        start = 0
        for found in self._any.finditer(text):
            if text[start : found.start()]:
                parts.append(text[start : found.start()])
            part = found[0]
            if part in self._texts:
                expression = self._texts[part]
                parts.append(names(expression) if part in self._names else expression)
            else:
                parts.append(part if text == plain else self._numbers[part])
            start = found.end()
        if all(isinstance(part, str) for part in parts):
            return text
        if text[start:]:
            parts.append(text[start:])
        return parts[0] if len(parts) == 1 else {"Fn::Join": ["", parts]}
