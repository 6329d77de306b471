# SPDX-License-Identifier: Apache-2.0
"""Few syntheses suffice: the merged node has the right value for each combination of switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations, permutations, product
from typing import Any

import pytest

from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.without_cdk import OF_CORE
from infrastructure.templates.covering import Row, explanations, rows
from infrastructure.templates.inputs import DistError, Input, inputs
from infrastructure.templates.merge import Ambiguous, Merge
from infrastructure.templates.plans import QUOTA
from infrastructure.templates.sections import move_optional_dependencies
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

    node, conditions = merged(document)
    assert node["flag"] == {"Ref": f"P{one}"}
    same_for_each_combination(node, conditions, document)


@pytest.mark.parametrize("switches", list(permutations(range(SWITCHES), 3)))
def test_a_part_that_exists_in_some_rows_has_the_value_of_each_combination(
    switches: tuple[int, int, int],
) -> None:
    """Rows with the part need not have each combination of the switches that decide its value."""
    here, one, other = switches

    def document(row: Row) -> Any:
        found: dict[str, Any] = {"same": 1}
        if row[here]:
            found["one"] = {"four": f"{row[one]} {row[other]}"}
        if row[here] or row[one]:
            found["two"] = {"and": row[one] and row[other], "or": f"{row[here]} {row[one]}"}
        return found

    node, conditions = merged(document)
    same_for_each_combination(node, conditions, document)


def merged(document: Callable[[Row], Any]) -> tuple[Any, dict[str, Any]]:
    """The node of few combinations, and its conditions; rows are added as the generator does."""
    table = rows(SWITCHES)
    for _ in range(20):
        merge = Merge(table, FLAGS)
        try:
            return merge.node([document(row) for row in table], "node"), merge.conditions
        except Ambiguous as found:
            if found.row in table:
                raise AssertionError(f"{found.row} again") from found
            table.append(found.row)
    raise AssertionError(f"{len(table)} rows do not suffice")


def same_for_each_combination(
    node: Any, conditions: Mapping[str, Any], document: Callable[[Row], Any]
) -> None:
    """Fail unless the node is the document of each combination of the switches."""
    declared = {one.name: {"Type": "String"} for one in FLAGS}
    for row in product((False, True), repeat=SWITCHES):
        values = {flag.name: str(on).lower() for flag, on in zip(FLAGS, row, strict=True)}
        template = {"Parameters": declared, "Conditions": conditions, "Resources": {}}
        assert Resolver(template, values, "s").of(node) == document(row)


def test_a_difference_that_few_switches_do_not_explain_is_an_error() -> None:
    table = [*rows(SWITCHES), rows(SWITCHES)[0]]  # the first combination twice
    with pytest.raises(DistError, match="No small set of parameters explains here"):
        Merge(table, FLAGS).node([*["one"] * (len(table) - 1), "other"], "here")


def test_samples_become_references_and_equal_numbers_stay() -> None:
    found = inputs((CoreConfig,), ("EventId", "RedisPort"))
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
    found = inputs((CoreConfig,), OF_CORE)
    samples = [one.sample for one in found if one.numeric]
    assert len(set(samples)) == len(samples)
    assert not set(samples) & {one.default for one in found}
    CoreConfig.from_context({**QUOTA, **{one.name: one.sample for one in found}})


@pytest.mark.parametrize(("profile", "on"), [("standard", True), ("serverless", False)])
def test_the_condition_of_an_option_follows_the_profile(profile: str, on: bool) -> None:
    (found,) = inputs((CoreConfig,), ("EnableWaf",), (profile,))
    template = {
        "Parameters": {"EnableWaf": found.declaration},
        "Conditions": {"Here": found.test},
        "Resources": {},
    }
    node = {"Fn::If": ["Here", True, False]}
    assert Resolver(template, {}, "s").of(node) is on
    for given in (True, False):
        assert Resolver(template, {"EnableWaf": str(given).lower()}, "s").of(node) is given


def test_a_dependency_on_a_resource_that_may_not_exist_has_its_condition() -> None:
    resources: dict[str, Any] = {
        "Always": {"Type": "T"},
        "Optional": {"Type": "T", "Condition": "Here"},
        "One": {"Type": "T", "DependsOn": ["Always", "Optional"]},
        "Other": {"Type": "T", "DependsOn": ["Optional"]},
        "Same": {"Type": "T", "Condition": "Here", "DependsOn": ["Optional"]},
    }
    move_optional_dependencies(resources)
    for here in ("true", "false"):
        template = {
            "Parameters": {"P": {"Type": "String"}},
            "Conditions": {"Here": {"Fn::Equals": [{"Ref": "P"}, "true"]}},
            "Resources": resources,
        }
        made = Resolver(template, {"P": here}, "s").template()["Resources"]
        optional = ["Optional"] if here == "true" else []
        assert made["One"]["DependsOn"] == ["Always", *optional]
        assert made["Other"]["DependsOn"] == optional
        assert ("Same" in made) is (here == "true")
    assert resources["Same"]["DependsOn"] == ["Optional"]
    assert "DependsOn" not in resources["Other"]
