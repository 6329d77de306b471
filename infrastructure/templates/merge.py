# SPDX-License-Identifier: Apache-2.0
"""One node for the nodes of several syntheses: equal parts stay, others depend on conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

from infrastructure.parameters.without_cdk import TOGETHER
from infrastructure.templates.covering import Row, explanations
from infrastructure.templates.inputs import DistError, Input
from infrastructure.templates.symbols import MISSING, is_intrinsic

NO_VALUE = {"Ref": "AWS::NoValue"}
Nodes = Sequence[Any]  # one for each row; MISSING where the node does not exist
# Switches, and their values in the rows that a merge is limited to: a node exists in these only.
Limit = tuple[Sequence[int], frozenset[Row]]


class Ambiguous(Exception):
    """Several switches explain a difference equally well; the syntheses need ``row`` too."""

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.row = row


class Merge:
    """Merges nodes of syntheses; ``switches`` are the inputs of the columns of ``table``.

    ``conditions`` are those that the results use, by name.
    """

    def __init__(self, table: Sequence[Row], switches: Sequence[Input]) -> None:
        self._table, self._switches = table, switches
        columns = {one.name: index for index, one in enumerate(switches)}
        self._likely = [
            sorted(columns[name] for name in names)
            for names in TOGETHER
            if columns.keys() >= set(names)
        ]
        self.conditions: dict[str, Any] = {}
        self._limits: tuple[Limit, ...] = ()

    def of(self, chosen: Sequence[int], path: str) -> Merge:
        """Return the merge of some of the rows; it adds to the same conditions."""
        inner = Merge([self._table[index] for index in chosen], self._switches)
        inner.conditions = self.conditions
        inner._limits = self._limits
        if len(chosen) < len(self._table):
            columns = self._explain([row in chosen for row in range(len(self._table))], path)
            values = frozenset(tuple(row[one] for one in columns) for row in inner._table)
            inner._limits = (*self._limits, (columns, values))
        return inner

    def node(self, nodes: Nodes, path: str) -> Any:
        """Return one node for all rows. Raises Ambiguous, or DistError with ``path``."""
        some = [index for index, node in enumerate(nodes) if node is not MISSING]
        present = [nodes[index] for index in some]
        if all(_equal(node, nodes[0]) for node in nodes):
            return nodes[0]
        if len(some) < len(nodes):
            merged = self.of(some, path).node(present, path)
            return self._choose(
                [merged if node is not MISSING else NO_VALUE for node in nodes], path
            )
        if all(isinstance(node, dict) and not is_intrinsic(node) for node in nodes):
            names = dict.fromkeys(name for node in nodes for name in node)
            return {
                name: self.node([node.get(name, MISSING) for node in nodes], f"{path}/{name}")
                for name in names
            }
        if all(isinstance(node, list) and len(node) == len(nodes[0]) for node in nodes):
            return [
                self.node([node[index] for node in nodes], f"{path}/{index}")
                for index in range(len(nodes[0]))
            ]
        if all(_joined(node) and len(node["Fn::Join"][1]) == len(nodes[0]["Fn::Join"][1])
               for node in nodes):  # fmt: skip
            separator = nodes[0]["Fn::Join"][0]
            parts = self.node([node["Fn::Join"][1] for node in nodes], path)
            return {"Fn::Join": [separator, parts]}
        return self._choose(nodes, path)

    def presence(self, present: Sequence[bool], path: str) -> str:
        """Return the name of the condition that is true in the rows of ``present``."""
        chosen = self._explain(list(present), path)
        true = sorted(
            {tuple(self._table[row][one] for one in chosen) for row, is_there in
             enumerate(present) if is_there}
        )  # fmt: skip
        cases = [
            [self._literal(one, on) for one, on in zip(chosen, case, strict=True)] for case in true
        ]
        if len(cases) == 1 and len(cases[0]) == 1:
            return cases[0][0]
        alternatives = [self._combined("And", case) for case in cases]
        return self._combined("Or", alternatives)

    def _choose(self, nodes: Nodes, path: str) -> Any:
        texts = [json.dumps(node, sort_keys=True) for node in nodes]
        chosen = self._explain(texts, path)
        return self._tree(chosen, list(range(len(nodes))), nodes)

    def _tree(self, chosen: Sequence[int], rows: Sequence[int], nodes: Nodes) -> Any:
        if not chosen:
            return nodes[rows[0]]
        first, rest = chosen[0], chosen[1:]
        on = [row for row in rows if self._table[row][first]]
        off = [row for row in rows if not self._table[row][first]]
        if not on or not off:
            return self._tree(rest, on or off, nodes)
        one, other = self._tree(rest, on, nodes), self._tree(rest, off, nodes)
        if _equal(one, other):
            return one
        switch = self._switches[first]
        for text, reference in switch.symbols:
            if one == text and _is_off(other, switch):  # a word that is the value itself
                return reference
            if one == reference and _is_off(other, switch):
                return reference
        return {"Fn::If": [self._literal(first, True), one, other]}

    def _explain(self, values: Sequence[object], path: str) -> list[int]:
        found = explanations(self._table, values, self._likely)
        if not found:
            raise DistError(f"No small set of parameters explains {path}: {values!r:.200}")
        if len(found) > 1 and (row := self._another_row(found)):
            raise Ambiguous(row)
        self._require_each_combination(found[0])
        return found[0]

    def _require_each_combination(self, chosen: Sequence[int]) -> None:
        """Raise Ambiguous if a row can have values of the chosen switches that no row has."""
        seen = {tuple(row[one] for one in chosen) for row in self._table}
        if len(seen) == 2 ** len(chosen):
            return
        free = sorted({*chosen, *(one for columns, _ in self._limits for one in columns)})
        for values in product((False, True), repeat=len(free)):
            given = dict(zip(free, values, strict=True))
            row = tuple(given.get(index, on) for index, on in enumerate(self._table[0]))
            if tuple(row[one] for one in chosen) not in seen and self._can_have(row):
                raise Ambiguous(row)

    def _can_have(self, row: Row) -> bool:
        return all(tuple(row[one] for one in columns) in values for columns, values in self._limits)

    def _another_row(self, found: Sequence[Sequence[int]]) -> Row | None:
        """Return a new row that tells some of the explanations from the others.

        None if the limits leave no such row: all explanations are right then.
        """
        candidates = sorted({one for some in found for one in some})
        candidates = [one for one in candidates if not all(one in some for some in found)]
        for size in range((len(candidates) + 1) // 2, 0, -1):
            for changed in combinations(candidates, size):
                for row in self._table:
                    other = tuple(on != (index in changed) for index, on in enumerate(row))
                    if other not in self._table and self._can_have(other):
                        return other
        if self._limits:
            return None
        raise DistError(
            "Several parameters explain the same difference. Move one to FIXED in"
            " infrastructure/parameters/without_cdk.py."
        )

    def _literal(self, index: int, on: bool) -> str:
        switch = self._switches[index]
        self.conditions[switch.switch] = switch.test
        if on:
            return switch.switch
        name = f"Not{switch.switch}"
        self.conditions[name] = {"Fn::Not": [{"Condition": switch.switch}]}
        return name

    def _combined(self, word: str, names: Sequence[str]) -> str:
        if len(names) == 1:
            return names[0]
        name = word.join(names)
        self.conditions[name] = {f"Fn::{word}": [{"Condition": one} for one in names]}
        return name


def _joined(node: Any) -> bool:
    return isinstance(node, dict) and list(node) == ["Fn::Join"]


def _is_off(node: Any, switch: Input) -> bool:
    return bool(node == switch.off or (switch.numeric and str(node) == switch.off))


def _equal(one: Any, other: Any) -> bool:
    """Return whether two nodes are equal; True is not 1."""
    if one is MISSING or other is MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def union(nodes: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Return the entries of a list of names in any of the nodes, such as DependsOn."""
    found: dict[str, None] = {}
    for node in nodes:
        entries = node.get(name, [])
        found.update(dict.fromkeys([entries] if isinstance(entries, str) else entries))
    return list(found)
