# SPDX-License-Identifier: Apache-2.0
"""Few syntheses suffice: the merged node has the right value for each combination of switches."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import pytest

from infrastructure.parameters.core import CoreConfig
from infrastructure.templates.covering import Row, explanations, rows
from infrastructure.templates.inputs import DistError, Input, inputs
from infrastructure.templates.merge import Ambiguous, Merge
from infrastructure.templates.symbols import STACK, Symbols
from tests.support.templates.parameters import Resolver

SWITCHES = 5
FLAGS = [
    Input(
        f"P{index}", {"Type": "String"}, "true", "false", f"IsP{index}",
        {"Fn::Equals": [{"Ref": f"P{index}"}, "true"]}, "false",
        (("true", {"Ref": f"P{index}"}),),
    )
    for index in range(SWITCHES)
]  # fmt: skip
PAIRS = list(combinations(range(SWITCHES), 2))


@pytest.mark.parametrize("switches", [1, 2, 5, 18, 35])
def test_each_two_switches_have_each_combination(switches: int) -> None:
    table = rows(switches)
    assert not any(table[0])
    for one, other in combinations(range(switches), 2):
        assert len({(row[one], row[other]) for row in table}) == 4
    assert len(set(zip(*table, strict=True))) == switches
    assert len(rows(35)) == 8


def test_a_switch_explains_what_it_decides() -> None:
    table = rows(SWITCHES)
    for one in range(SWITCHES):
        assert explanations(table, [row[one] for row in table]) == [[one]]
    assert explanations(table, ["same"] * len(table)) == [[]]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_merged_node_has_the_value_of_each_combination(one: int, other: int) -> None:
    """Parts that one switch decides, two decide together, or one removes."""

    def document(row: Row) -> Any:
        found: dict[str, Any] = {
            "same": 1,
            "flag": str(row[one]).lower(),
            "one": "on" if row[one] else "off",
            "and": "both" if row[one] and row[other] else "not both",
            "or": "some" if row[one] or row[other] else "none",
            "four": f"{row[one]} {row[other]}",
            "list": ["always", *(["more"] if row[other] else [])],
        }
        if row[one]:
            found["gone"] = "there"
        return found

    table = rows(SWITCHES)
    for _ in range(20):  # as the generator adds rows
        merge = Merge(table, FLAGS)
        try:
            node = merge.node([document(row) for row in table], "node")
            break
        except Ambiguous as found:
            table.append(found.row)
    assert node["flag"] == {"Ref": f"P{one}"}
    declared = {one.name: {"Type": "String"} for one in FLAGS}
    for row in product((False, True), repeat=SWITCHES):
        values = {flag.name: str(on).lower() for flag, on in zip(FLAGS, row, strict=True)}
        template = {"Parameters": declared, "Conditions": merge.conditions, "Resources": {}}
        assert Resolver(template, values, "s").of(node) == document(row)


def test_a_difference_that_few_switches_do_not_explain_is_an_error() -> None:
    table = [*rows(SWITCHES), rows(SWITCHES)[0]]  # the first combination twice
    with pytest.raises(DistError, match="No few parameters explain here"):
        Merge(table, FLAGS).node([*["one"] * (len(table) - 1), "other"], "here")


def test_samples_become_references_and_equal_numbers_stay() -> None:
    found = [one for one in inputs((CoreConfig,)) if one.name in ("EventId", "RedisPort")]
    port = next(int(one.sample) for one in found if one.name == "RedisPort")
    symbols = Symbols(found, {"QzStack": STACK})
    node = {"Port": port, "Other": port, "Text": f"QzStack:{port}:Qz-Event", "Id": {"Ref": "X"}}
    plain = {"Port": 1785, "Other": port, "Text": "QzStack:1785:Sample", "Id": {"Ref": "X"}}
    reference = {"Ref": "RedisPort"}
    assert symbols.of(node, plain) == {
        "Port": reference,
        "Other": port,
        "Text": {"Fn::Join": ["", [STACK, ":", reference, ":", {"Ref": "EventId"}]]},
        "Id": {"Ref": "X"},
    }


def test_each_parameter_has_a_sample_of_its_own_that_core_accepts() -> None:
    found = inputs((CoreConfig,))
    samples = [one.sample for one in found if one.numeric]
    assert len(set(samples)) == len(samples)
    assert not set(samples) & {one.default for one in found}
    quota = {
        "AccountApiRate": "900001",
        "AccountApiBurst": "900001",
        "AccountConcurrency": "900001",
    }
    CoreConfig.from_context({**quota, **{one.name: one.sample for one in found}})
