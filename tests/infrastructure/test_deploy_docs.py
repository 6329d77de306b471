# SPDX-License-Identifier: Apache-2.0
"""``docs/deploy.md`` says what can be told to the stacks, and what they tell."""

from __future__ import annotations

import re
from dataclasses import MISSING

import pytest

from deployment import docs_tables
from infrastructure.parameters.docs_table import PAGE, TABLES, table
from infrastructure.parameters.optional_stacks import EdgeAlarmsConfig, OpenIdConfig
from infrastructure.parameters.parameter import ParameterError, Parameters
from tests.docs import markdown
from tests.support.templates.synthesized import EVERYTHING, Assembly

STACKS = {"OpenId": "openid", "EdgeAlarms": "edge-alarms"}  # others: the id in lower case
REQUIRED = {"OpenIdRedirectUris": OpenIdConfig, "EdgeDistributions": EdgeAlarmsConfig}


def test_the_page_has_every_parameter_with_its_default() -> None:
    """Run ``python -m deployment.docs_tables`` to write the tables again."""
    page = PAGE.read_text(encoding="utf-8")
    assert docs_tables.parameters(page) == page
    assert all(table(name) in page for name in TABLES)


def test_no_default_is_an_empty_cell() -> None:
    cells = {}
    for name in TABLES:
        (found,) = markdown.tables(table(name))
        cells |= {markdown.code(row[0])[0]: row[1] for row in found.rows}
    assert {name for name, cell in cells.items() if not cell} == set()
    assert {name for name, cell in cells.items() if cell == "by profile"} == {
        "Alarms", "Dashboard", "EnableWaf"
    }  # fmt: skip
    assert cells["AvailabilityZones"] == cells["PageBrand"] == "none"
    assert {name: cells[name] for name in REQUIRED} == dict.fromkeys(REQUIRED, "(required)")
    marked = {
        known.name
        for kinds in TABLES.values()
        for kind in kinds
        for part, known in kind.known()
        if known.required or part.default is MISSING
    }
    assert {name for name, cell in cells.items() if cell == "(required)"} == marked


@pytest.mark.parametrize(("name", "kind"), REQUIRED.items())
@pytest.mark.parametrize("value", [None, "", ","])
def test_a_required_parameter_is_reported_when_it_is_missing(
    name: str, kind: type[Parameters], value: str | None
) -> None:
    context = {} if value is None else {name: value}
    with pytest.raises(ParameterError, match=rf"^The parameter {name} is missing\.$"):
        kind.from_context(context)


def test_the_table_of_outputs_has_those_of_each_stack_and_no_others(
    assembly: Assembly, second_room: Assembly
) -> None:
    """The second room has custom domains and a key; the gate alone has no distribution."""
    without_site = {name: one for name, one in EVERYTHING.items() if not name.startswith("Site")}
    made = (
        assembly,
        second_room,
        Assembly({**without_site, "Stacks": "core,gate", "Profile": "serverless"}),
        Assembly({"Stacks": "edge-alarms", "EdgeDistributions": "E1A2B3C4D5E6F7"}),
        Assembly({"Stacks": "policies"}),
    )
    wanted = {
        (STACKS.get(stack, stack.lower()), output)
        for one in made
        for stack, synthesized in one.stacks.items()
        for output, value in synthesized.template.get("Outputs", {}).items()
        if "Export" not in value
    }
    listed = [
        (stack, output)
        for names, stack, _ in markdown.rows(PAGE.read_text(encoding="utf-8"), "Outputs")
        for output in markdown.code(names)
    ]
    assert sorted(listed) == sorted(wanted)


def test_every_make_target_of_the_page_exists() -> None:
    makefile = (PAGE.parent.parent / "Makefile").read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z-]+)", page)) - {"test"}:
        assert re.search(rf"^{target}:", makefile, re.M), target
