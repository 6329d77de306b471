# SPDX-License-Identifier: Apache-2.0
"""Each documented change of a deployed room: CloudFormation refuses nothing, and state is kept."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from deployment import docs_tables
from deployment.account.remains import REMAINING, retained_types
from deployment.stack_changes.change_set import Kind, references
from infrastructure.blueprint.resources import TABLES
from infrastructure.parameters.core import PROFILES, CoreConfig
from infrastructure.parameters.optional_stacks import PARAMETERS
from tests.support.templates.synthesized import EVERYTHING
from tests.support.templates.update_matrix import (
    ALL,
    CHANGES,
    LABEL,
    ROOM,
    SETTINGS,
    UPDATES,
    Cell,
    cells,
    table,
)

NO_UPDATE = {
    "AvailabilityZones",  # of the first deployment only
    "ChallengeOnJoin",  # has one valid value
    "WarmWriteUnits",  # changes no template
    "StackName",  # another name is another room
    # they name the core stack of a provider or an inlet without core: another address, another room
    "APIRegion", "CoreApiRegion", "PrivateCoreApiEndpoint",
}  # fmt: skip
# The other cells need minutes: `make matrix` runs them (decision 0143).
IN_EACH_PROFILE = {"SnapStart", "EnableWaf"}
IN_STANDARD = {
    "RedisEngine", "VpcId, SubnetIds", "GateApiKeyVersion by one", "InletStrategy",
    "custom domains", "RestoredTables", "stack gate", "stack openid", "Profile to cheap",
    "Profile to serverless", "CustomerManagedKey, true to its ARN",
}  # fmt: skip
CELLS = [
    cell
    for cell in cells()
    if os.environ.get("MATRIX") == "all"
    or cell.change.together
    or (cell.profile == PROFILES[0] and cell.change.name in IN_STANDARD)
    or cell.change.name in IN_EACH_PROFILE
]


def test_each_parameter_has_a_change() -> None:
    known = {one.name for kind in (CoreConfig, *PARAMETERS) for _, one in kind.known()}
    changed = set().union(*(one.parameters for one in CHANGES))
    assert known - changed == NO_UPDATE, "add it to tests/support/templates/update_matrix.py"
    assert changed <= known


def test_a_setting_differs_from_its_value_before() -> None:
    for one in SETTINGS:
        ((name, value),) = one.after.items()
        (known, default) = next(
            (known, part.default)
            for kind in (CoreConfig, *PARAMETERS)
            for part, known in kind.known()
            if known.name == name
        )
        given = EVERYTHING.get(name)
        before = default if given is None else known.read(name, given)
        assert known.read(name, value) != before, name


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_change_deploys_by_its_documented_path_and_keeps_state(cell: Cell) -> None:
    account = cell.by_path()
    assert not cell.unwanted(account), "\n".join(map(str, cell.unwanted(account)))
    assert account.deployed == dict(cell.sides[1]) | {
        name: made for name, made in account.deployed.items() if name not in cell.sides[1]
    }


@pytest.mark.skipif(os.environ.get("MATRIX") != "all", reason="part of make matrix")
def test_a_change_deploys_in_a_room_with_all_stacks() -> None:
    """A stack that is not part of a cell can import a value that the change removes."""
    found = []
    for cell in cells():
        here = cell.change
        if cell.profile == here.profiles[0] and "core" in here.stacks and not here.without:
            whole = replace(cell, change=replace(here, stacks=ALL))
            found += [f"{cell}: {one}" for one in whole.unwanted(whole.by_path())]
    assert found == []


@pytest.mark.parametrize("cell", [one for one in CELLS if one.path], ids=str)
def test_two_steps_are_documented_only_where_one_is_refused(cell: Cell) -> None:
    assert cell.unwanted(cell.in_one_step())


def test_a_change_of_the_templates_is_seen() -> None:
    """A cell without a change of a resource would test nothing."""
    for cell in (one for one in CELLS if not one.change.together):
        account = cell.by_path()
        changed = sum(len(one.changes) for one in account.changes)
        assert changed or set(cell.sides[0]) != set(cell.sides[1]), str(cell)


def test_what_a_removal_leaves_is_in_the_list() -> None:
    """The settings together contain RetainData; the key of the room is in test_key.py."""
    (cell,) = (
        one for one in CELLS
        if one.change.name == "RetainData" and one.upwards and one.profile == PROFILES[0]
    )  # fmt: skip
    found = set().union(*map(retained_types, (*cell.sides[0].values(), *cell.sides[1].values())))
    listed = {kind for one in REMAINING for kind in one.types}
    assert found == listed - {"AWS::KMS::Key"}


def test_restored_tables_replace_those_of_the_stack_in_every_use() -> None:
    """The stack keeps its own tables; their counters get a Redis of their own."""
    (cell,) = (
        one
        for one in CELLS
        if one.change.name == "RestoredTables" and one.upwards and one.profile == PROFILES[0]
    )  # fmt: skip
    account = cell.by_path()
    own = {
        name
        for name, made in account.deployed[ROOM]["Resources"].items()
        if made["Type"] == "AWS::DynamoDB::Table" and not name.startswith("TablesOutbox")
    }
    assert len(own) == len(TABLES)
    text, users = "", 0
    for made in account.deployed.values():
        for name, one in made["Resources"].items():
            assert name in own or not own.intersection(references(one)), name
            users += "sale-" in json.dumps(one)
        text += json.dumps(made["Resources"])
    assert users > 40
    for suffix in (
        "sale-q/index/ByPosition",
        "sale-t/index/EndedSessions",
        f"sale-t/stream/{LABEL}",
        f"sale-e/stream/{LABEL}",
        "table/sale-s",
    ):
        assert suffix in text
    groups = [
        one.kind
        for changes in account.changes
        for one in changes.of_type("AWS::ElastiCache::ReplicationGroup")
    ]
    assert sorted(groups) == [Kind.ADDED, Kind.REMOVED]


def test_the_page_lists_the_changes_and_their_steps() -> None:
    """Run ``python -m tests.support.templates.update_matrix`` to write the table again."""
    page = UPDATES.read_text("utf-8")
    assert docs_tables.replaced(page, "changes", table()) == page
