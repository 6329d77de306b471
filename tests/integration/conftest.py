# SPDX-License-Identifier: Apache-2.0
"""A room on real servers: Valkey, and DynamoDB Local or (without Java) moto."""

from __future__ import annotations

import pytest

from tests.support import servers
from tests.support.real_stores import RealRoom


@pytest.fixture(scope="session")
def tables_url(request: pytest.FixtureRequest) -> str:
    """The table server that this machine can run."""
    missing = servers.missing_for_dynamodb_local() and not servers.in_ci()
    url: str = request.getfixturevalue("moto_url" if missing else "dynamodb_local_url")
    return url


@pytest.fixture
def real(tables_url: str, valkey: servers.Valkey) -> RealRoom:
    """A room of an event that no other test uses."""
    made = RealRoom(tables_url, valkey)
    made.room.workers.setup.run()
    return made
