# SPDX-License-Identifier: Apache-2.0
"""The capacity model's figures for each operation are those of the code as it stands."""

from __future__ import annotations

import pytest

from deployment.capacity import operations as kept
from tests.benchmarks.operation_costs import measure
from tests.benchmarks.tables import room_on
from tests.support.in_memory_room import IN_TABLES


@pytest.mark.parametrize("in_tables", [False, True], ids=["redis", "tables"])
def test_the_kept_costs_of_operations_are_what_the_code_does(
    tables_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    in_tables: bool,
) -> None:
    import apps.public_api.app
    import apps.workers.app

    for module, names in (
        (apps.public_api.app, ("room",)),
        (apps.workers.app, ("room", "settings")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    valkey = None if in_tables else request.getfixturevalue("valkey")
    real = room_on(valkey, tables_url, **(IN_TABLES if in_tables else {}))
    found = measure(real, rounds=6)
    by_name = kept.load(in_tables=in_tables).by_name
    assert by_name.keys() == found.keys()
    for name, operation in by_name.items():
        now = found[name]
        assert (now.redis, now.dynamodb) == (operation.redis, operation.dynamodb), name
