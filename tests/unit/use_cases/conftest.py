# SPDX-License-Identifier: Apache-2.0
"""The room of the use cases' tests."""

from __future__ import annotations

import pytest

from tests.support.in_memory_room import InMemoryRoom


@pytest.fixture
def in_memory_room() -> InMemoryRoom:
    made = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    made.room.workers.setup.run()
    made.published.clear()
    return made
