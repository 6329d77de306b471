# SPDX-License-Identifier: Apache-2.0
"""The capacity model's figures for each operation are those of the code as it stands."""

from __future__ import annotations

import pytest

from deployment.capacity import operations as kept
from tests.benchmarks.operation_costs import measure
from tests.support.real_stores import RealRoom


def test_the_kept_costs_of_operations_are_what_the_code_does(
    real: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apps.public_api.app
    import apps.workers.app

    for module, names in (
        (apps.public_api.app, ("room",)),
        (apps.workers.app, ("room", "settings")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    found = measure(real, rounds=6)
    for name, operation in kept.load().by_name.items():
        now = found[name]
        assert (now.redis, now.dynamodb) == (operation.redis, operation.dynamodb), name
