# SPDX-License-Identifier: Apache-2.0
"""Parts of a batch that a table did not take are sent again with pauses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from waiting_room.adapters.dynamodb import items
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import Position


class Throttled:
    """A table server that takes nothing before its clock says so."""

    def __init__(self, until: float) -> None:
        self.now, self.until, self.calls = 0.0, until, 0

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def batch_execute_statement(self, **request: Any) -> dict[str, Any]:
        """Throttle each statement on its own."""
        self.calls += 1
        busy = {"Error": {"Code": "ThrottlingError"}} if self.now < self.until else {}
        return {"Responses": [busy for _ in request["Statements"]]}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """Leave every key undone."""
        self.calls += 1
        if self.now < self.until:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}
        return {"Responses": {table: [] for table in request["RequestItems"]}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Throttled:
    made = Throttled(until=0.5)
    monkeypatch.setattr(time, "sleep", made.sleep)
    return made


def test_rows_are_written_once_the_table_takes_them_again(server: Throttled) -> None:
    row = Position("Sample", 1, "r", 1, 1)
    stands = DynamoPositions(server, "positions", "log").insert([row])
    assert stands == {"r": row}
    assert server.calls <= items.ROUNDS


def test_rows_are_read_once_the_table_answers_again(server: Throttled) -> None:
    assert DynamoPositions(server, "positions", "log").get_many("Sample", ["r"]) == {}
    assert server.now >= 0.5


def test_a_table_that_takes_nothing_is_left_alone_after_some_seconds(server: Throttled) -> None:
    server.until = 1e9
    row = Position("Sample", 1, "r", 1, 1)
    with pytest.raises(Unavailable):  # nor does it say whether the row stands
        DynamoPositions(server, "positions", "log").insert([row])
    assert server.calls == 2 * items.ROUNDS
    assert server.now < 6
