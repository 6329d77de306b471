# SPDX-License-Identifier: Apache-2.0
"""Few syntheses suffice: the merged node has the right value for each combination of switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.parameters.core import CoreConfig
from infrastructure.templates.covering import Row, explanations, rows
from infrastructure.templates.inputs import DistError, Input, inputs
from infrastructure.templates.merge import Ambiguous, Merge
from infrastructure.templates.symbols import MISSING, STACK, Symbols
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


Node = Callable[[Row], Any]


def leaf(draw: Any) -> Node:
    """A value that no, one or two switches decide; two of them as "and", "or" or four values."""
    kind = draw(st.sampled_from(["same", "one", "gone", "and", "or", "four"]))
    one, other = draw(st.sampled_from(PAIRS))
    if kind == "same":
        return lambda row: "same"
    if kind == "one":
        return lambda row: "on" if row[one] else "off"
    if kind == "gone":
        return lambda row: "there" if row[one] else MISSING
    if kind == "and":
        return lambda row: "both" if row[one] and row[other] else "not both"
    if kind == "or":
        return lambda row: "some" if row[one] or row[other] else "none"
    return lambda row: f"{row[one]} {row[other]}"


@st.composite
def documents(draw: Any) -> Node:
    """A mapping of leaves, of lists, and of a mapping that a switch removes."""
    leaves = {f"leaf{index}": leaf(draw) for index in range(draw(st.integers(1, 4)))}
    listed = [leaf(draw), leaf(draw)]
    inner, switch = leaf(draw), draw(st.integers(0, SWITCHES - 1))

    def document(row: Row) -> Any:
        found = {name: one(row) for name, one in leaves.items()}
        found["list"] = [value for one in listed if (value := one(row)) is not MISSING]
        if row[switch]:
            found["inner"] = {"value": inner(row)}
        return _without_missing(found)

    return document


def _without_missing(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_missing(one) for name, one in node.items() if one is not MISSING}
    return node


def merged(document: Node) -> tuple[Any, Mapping[str, Any], list[Row]]:
    table = rows(SWITCHES)
    while True:
        merge = Merge(table, FLAGS)
        try:
            return merge.node([document(row) for row in table], "node"), merge.conditions, table
        except Ambiguous as found:
            table.append(found.row)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(documents())
def test_the_merged_node_has_the_value_of_each_combination(document: Node) -> None:
    node, conditions, _ = merged(document)
    declared = {one.name: {"Type": "String"} for one in FLAGS}
    for row in product((False, True), repeat=SWITCHES):
        values = {one.name: str(on).lower() for one, on in zip(FLAGS, row, strict=True)}
        template = {"Parameters": declared, "Conditions": conditions, "Resources": {}}
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
    quota = {"AccountApiRate": "900001", "AccountApiBurst": "900001"}
    CoreConfig.from_context({**quota, **{one.name: one.sample for one in found}})
