# SPDX-License-Identifier: Apache-2.0
"""DynamoDB adapters: errors of AWS, values, batches, queries."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.unit.adapters.dynamodb_client import Client, failed
from waiting_room.adapters import aws
from waiting_room.adapters.dynamodb import items, serving_log
from waiting_room.adapters.dynamodb.items import INSERT_BATCH, ROUNDS, to_item
from waiting_room.domain.errors import Throttled, Unavailable


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the adapters make, none of which lasts; chance is always in the middle."""
    made: list[float] = []
    monkeypatch.setattr(items.time, "sleep", made.append)
    monkeypatch.setattr(serving_log.time, "sleep", made.append)
    monkeypatch.setattr(items.random, "uniform", lambda low, high: (low + high) / 2)
    return made


@pytest.mark.parametrize("code", sorted(aws.BUSY_CODES))
def test_throttling_is_unavailable(code: str) -> None:
    with (
        pytest.raises(Unavailable, match=f"a store is busy: {code}"),
        aws.translate_errors("a store"),
    ):
        raise failed(code)


def test_a_limit_is_told_from_an_outage() -> None:
    """The watchdog of the gate takes an outage for a fault, and a limit for a busy room."""
    assert aws.LIMIT_CODES < aws.BUSY_CODES
    for code in aws.BUSY_CODES:
        with pytest.raises(Unavailable) as raised, aws.translate_errors("a store"):
            raise failed(code)
        outage = "Internal" in code or "Unavailable" in code or "Conflict" in code
        assert isinstance(raised.value, Throttled) == (not outage), code


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_fault_of_the_server_is_unavailable(status: int) -> None:
    with pytest.raises(Unavailable), aws.translate_errors("a store"):
        raise failed("Odd", status)


def test_a_fault_of_ours_stays_one() -> None:
    for error in (failed("ValidationException", 499), ClientError({"Error": {"Code": "X"}}, "C")):
        with pytest.raises(ClientError), aws.translate_errors("a store"):
            raise error


@pytest.mark.parametrize(
    "error",
    [EndpointConnectionError(endpoint_url="x"), ReadTimeoutError(endpoint_url="x")],
)
def test_a_lost_connection_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable, match="did not respond"), aws.translate_errors("a store"):
        raise error


def test_clients_keep_a_connection_for_each_caller_and_never_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws, "_pool_size", 50)
    aws.share_clients(80)
    aws.share_clients(3)
    assert aws._pool_size == 80


def test_values_have_their_types() -> None:
    assert to_item({"a": "x", "b": 5, "c": 0.5, "d": [3, 4]}) == {
        "a": {"S": "x"}, "b": {"N": "5"}, "c": {"N": "0.500000"}, "d": {"NS": ["3", "4"]},
    }  # fmt: skip
    assert items.number({}, "a") == 0
    assert items.text({}, "a") == ""


def test_pauses_double_and_the_first_try_has_none(pauses: list[float]) -> None:
    for attempt in range(4):
        items.pause_before(attempt)
    assert pauses == [0.05, 0.1, 0.2]


def test_callers_part_by_half_a_pause_in_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    monkeypatch.setattr(items.random, "uniform", lambda low, high: asked.append((low, high)) or 1.0)
    items.pause_before(1)
    assert asked == [(0.5, 1.5)]


def test_a_batch_is_inserted_25_rows_a_request_and_busy_rows_are_sent_again() -> None:
    tries: dict[str, int] = {}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        responses: list[dict[str, Any]] = []
        for statement in request["Statements"]:
            assert statement["Statement"] == """INSERT INTO "t" VALUE {'position': ?}"""
            position = statement["Parameters"][0]["N"]
            tries[position] = tries.get(position, 0) + 1
            code = {"3": "DuplicateItem", "5": "ThrottlingError"}.get(position)
            busy = position == "6" and tries["6"] < ROUNDS
            code = "ThrottlingError" if busy else code
            responses.append({"Error": {"Code": code}} if code else {})
        return {"Responses": responses}

    client = Client(answer)
    rows = [to_item({"position": number}) for number in range(INSERT_BATCH + 1)]
    assert items.insert_if_absent(client, "t", rows, "rows") == ([3], [5])
    assert sorted(len(asked["Statements"]) for _, asked in client.asked[:2]) == [1, INSERT_BATCH]
    assert (tries["0"], tries["3"], tries["5"], tries["6"]) == (1, 1, ROUNDS, ROUNDS)


def test_a_row_that_is_refused_for_another_reason_is_a_fault() -> None:
    client = Client({"Responses": [{"Error": {"Code": "ValidationError"}}]})
    with pytest.raises(RuntimeError, match="rows rejected a row: ValidationError"):
        items.insert_if_absent(client, "t", [to_item({"a": 1})], "rows")


def test_no_row_needs_no_request() -> None:
    client = Client({})
    assert items.insert_if_absent(client, "t", [], "rows") == ([], [])
    assert client.asked == []


def test_a_query_goes_on_until_the_last_page() -> None:
    client = Client({"Items": [1, 2], "LastEvaluatedKey": "k"}, {"Items": [3]})
    assert list(items.query_all(client, "rows", TableName="t")) == [1, 2, 3]
    assert client.asked[1][1]["ExclusiveStartKey"] == "k"


@pytest.mark.parametrize(
    ("first", "last", "shards"),
    [(16, 16, {0}), (17, 18, {1, 2}), (15, 17, {0, 1, 15}), (1, 15, set(range(1, 16))),
     (5, 20, set(range(16))), (5, 500, set(range(16)))],
)  # fmt: skip
def test_a_range_is_read_from_the_shards_that_it_has(
    first: int, last: int, shards: set[int]
) -> None:
    client = Client({"Items": [], "Count": 2})
    list(items.query_positions(client, "rows", "line", first, last))
    asked = [request["ExpressionAttributeValues"] for _, request in client.asked]
    assert {one[":shard"]["S"] for one in asked} == {f"line#{shard}" for shard in shards}
    assert {one[":first"]["N"] for one in asked} == {str(first)}
    assert {one[":last"]["N"] for one in asked} == {str(last)}
    assert items.count_positions(client, "rows", "line", first, last) == 2 * len(shards)
