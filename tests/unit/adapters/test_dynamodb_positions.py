# SPDX-License-Identifier: Apache-2.0
"""DynamoDB adapters: positions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.adapters.dynamodb_client import EVENT, NOW, Client
from waiting_room.adapters.dynamodb import items, serving_log
from waiting_room.adapters.dynamodb.items import ROUNDS, to_item
from waiting_room.adapters.dynamodb.positions import READ_BATCH, DynamoPositions
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.records import (
    Position,
)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the adapters make, none of which lasts; chance is always in the middle."""
    made: list[float] = []
    monkeypatch.setattr(items.time, "sleep", made.append)
    monkeypatch.setattr(serving_log.time, "sleep", made.append)
    monkeypatch.setattr(items.random, "uniform", lambda low, high: (low + high) / 2)
    return made


def place(request_id: str, position: int = 7) -> dict[str, Any]:
    return to_item({"id": f"{EVENT}#{request_id}", "generation": 2, "position": position})


def test_rows_of_the_line_are_read_consistently_where_a_decision_needs_it() -> None:
    client = Client({})
    positions = DynamoPositions(client, "t", "log")
    assert positions.get(EVENT, "r") is None
    for consistent in (True, False):
        assert positions.get_with_generation(
            EVENT, "r", known_generation=3, consistent=consistent
        ) == (3, None)
    positions.get_with_generation(EVENT, "r", known_generation=3)
    assert [request["ConsistentRead"] for _, request in client.asked] == [True, True, False, False]
    client.script, client.asked = [{"Responses": {}}], []
    positions.get_many(EVENT, ["r"])
    positions.get_with_generation(EVENT, "r", known_generation=None, consistent=True)
    many, both = (request["RequestItems"] for _, request in client.asked)
    assert many["t"]["ConsistentRead"] is True
    assert both["t"]["ConsistentRead"] is both["log"]["ConsistentRead"] is True


def test_generation_and_row_come_in_one_request() -> None:
    answer = {"Responses": {"t": [place("r")], "log": [to_item({"generation": 2})]}}
    positions = DynamoPositions(Client(answer), "t", "log")
    generation, found = positions.get_with_generation(EVENT, "r", known_generation=None)
    assert (generation, found and found.position) == (2, 7)
    positions = DynamoPositions(Client({"Responses": {}}), "t", "log")
    assert positions.get_with_generation(EVENT, "r", known_generation=None) == (1, None)


def test_many_rows_are_read_once_each_a_hundred_a_request() -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        keys = request["RequestItems"]["t"]["Keys"]
        return {"Responses": {"t": [place(key["id"]["S"].split("#")[1]) for key in keys]}}

    client = Client(answer)
    ids = [f"r{number}" for number in range(READ_BATCH + 1)]
    found = DynamoPositions(client, "t", "log").get_many(EVENT, [*ids, *ids])
    assert list(found) == ids
    assert [len(asked["RequestItems"]["t"]["Keys"]) for _, asked in client.asked] == [READ_BATCH, 1]


def test_keys_that_were_not_processed_are_asked_for_again_and_that_has_an_end() -> None:
    left = {"t": {"Keys": ["left"]}}
    busy = {"Responses": {"t": [place("a")]}, "UnprocessedKeys": left}
    client = Client(busy, {"Responses": {"t": [place("b")]}, "UnprocessedKeys": {}})
    assert set(DynamoPositions(client, "t", "log").get_many(EVENT, ["a", "b"])) == {"a", "b"}
    assert client.asked[1][1]["RequestItems"] == left
    client = Client(busy)
    with pytest.raises(Unavailable, match="unprocessed"):
        DynamoPositions(client, "t", "log").get_many(EVENT, ["a", "b"])
    assert len(client.asked) == ROUNDS


def test_an_insert_answers_what_stands_and_nothing_for_a_row_that_was_not_written() -> None:
    codes = ("", "DuplicateItem", "ThrottlingError")
    first = {"Responses": [{"Error": {"Code": code}} if code else {} for code in codes]}
    again = {"Responses": [{"Error": {"Code": "ThrottlingError"}}]}
    stands = {"Responses": {"t": [place("r1", 99)]}}
    client = Client(first, *[again] * (ROUNDS - 1), stands)
    rows = [Position(EVENT, 1, f"r{number}", number + 1, NOW) for number in range(3)]
    found = DynamoPositions(client, "t", "log").insert(rows)
    assert found["r0"] == rows[0]
    assert found["r1"] is not None
    assert found["r1"].position == 99
    assert found["r2"] is None
    assert client.asked[-1][1]["RequestItems"]["t"]["Keys"] == [
        to_item({"id": f"{EVENT}#r1"}), to_item({"id": f"{EVENT}#r2"}),
    ]  # fmt: skip


def test_rows_that_were_all_written_are_not_read_again() -> None:
    client = Client({"Responses": [{}]})
    DynamoPositions(client, "t", "log").insert([Position(EVENT, 1, "r", 1, NOW)])
    assert [name for name, _ in client.asked] == ["batch_execute_statement"]
