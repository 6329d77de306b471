# SPDX-License-Identifier: Apache-2.0
"""DynamoDB adapters: the serving log, checkpoints, codes and published keys."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.unit.adapters.dynamodb_client import EVENT, NOW, Client, failed, refused
from waiting_room.adapters import aws
from waiting_room.adapters.dynamodb import checkpoints, items, serving_log
from waiting_room.adapters.dynamodb.items import to_item
from waiting_room.adapters.dynamodb.openid_codes import DynamoCodes
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.dynamodb.serving_log import RESERVE_TRIES, DynamoServingLog
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.limits import AUDIT_LIFE, MAX_UNUSED_POSITIONS
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.records import (
    EventState,
    ServingMove,
    StateDetails,
)
from waiting_room.openid.protocol import Code


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the adapters make, none of which lasts; chance is always in the middle."""
    made: list[float] = []
    monkeypatch.setattr(items.time, "sleep", made.append)
    monkeypatch.setattr(serving_log.time, "sleep", made.append)
    monkeypatch.setattr(items.random, "uniform", lambda low, high: (low + high) / 2)
    return made


def log(client: Client, single: Client | None = None) -> DynamoServingLog:
    return DynamoServingLog(client, single or client, "t")


def test_the_state_is_read_consistently_and_made_when_it_is_not_there() -> None:
    client = Client({}, {}, {"Item": to_item({"event_id": EVENT, "generation": 1})})
    found = log(client).read(EVENT)
    assert (found.generation, found.reset_at, found.move) == (1, 0.0, None)
    assert [name for name, _ in client.asked] == ["get_item", "put_item", "get_item"]
    assert client.asked[0][1]["ConsistentRead"] is True


def test_a_state_that_another_one_made_first_is_read() -> None:
    client = Client({}, refused(), {"Item": to_item({"event_id": EVENT, "generation": 4})})
    assert log(client).read(EVENT).generation == 4


def test_a_state_that_cannot_be_made_is_unavailable_after_two_tries() -> None:
    client = Client({})
    with pytest.raises(Unavailable, match="no state row"):
        log(client).read(EVENT)
    assert len(client.asked) == 4


@pytest.mark.parametrize("code", sorted(aws.THROTTLE_CODES))
def test_a_throttled_reservation_is_made_again_with_growing_pauses(
    code: str, pauses: list[float]
) -> None:
    client = Client(failed(code))
    with pytest.raises(Unavailable, match="throttled"):
        log(client).reserve(EVENT, 1, EventState(EVENT))
    assert len(client.asked) == RESERVE_TRIES
    assert pauses == [0.05, 0.1, 0.2, 0.4]


@pytest.mark.parametrize(
    "error", [failed("InternalServerError", 500), ReadTimeoutError(endpoint_url="x")]
)
def test_a_reservation_that_was_perhaps_made_is_not_repeated(error: Exception) -> None:
    client = Client(error)
    with pytest.raises(Unavailable):
        log(client).reserve(EVENT, 1, EventState(EVENT))
    assert len(client.asked) == 1


def test_a_reservation_of_another_line_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        log(Client(refused())).reserve(EVENT, 1, EventState(EVENT))


def test_moves_that_leave_the_state_are_logged_before_it_is_written() -> None:
    """The next move has an actor whose name leaves no room for the move before."""
    move = ServingMove(1, 0, 5, NOW, "increment", "mark", "person a")
    before = EventState(EVENT, version=1, serving=5, move=move)
    after = EventState(EVENT, version=2, serving=9, move=replace(move, actor="x" * 900))
    client = Client({"Attributes": {}})
    log(client).write(before, after)
    assert [name for name, _ in client.asked] == ["put_item", "update_item"]
    put = client.asked[0][1]["Item"]
    assert put["entry"] == {"S": "move#0000000001#000000000001"}
    assert put["ttl"] == {"N": str(NOW + AUDIT_LIFE)}
    client.asked.clear()
    log(client).write(before, before)
    log(client).write(EventState(EVENT), after)
    assert [name for name, _ in client.asked] == ["update_item", "update_item"]


def test_lowering_is_written_only_where_it_changes() -> None:
    client = Client({"Attributes": {}})
    same = EventState(EVENT, lowering=3)
    log(client).write(same, same)
    log(client).write(same, EventState(EVENT, lowering=4))
    kept, changed = (request["ExpressionAttributeValues"] for _, request in client.asked)
    assert ":lowering" not in kept
    assert changed[":lowering"] == {"N": "4"}
    assert "#move" not in client.asked[0][1]["ExpressionAttributeNames"]


def test_the_first_unused_positions_of_a_generation_replace_those_of_an_earlier_one() -> None:
    client = Client(refused(), {"Attributes": {"positions": {"NS": ["2"]}}})
    found = log(client).add_unused_positions(EVENT, 2, [2])
    assert found == StateDetails(unused_positions=(2,))
    first, second = (request for _, request in client.asked)
    assert first["Key"] == second["Key"] == to_item({"event_id": EVENT, "entry": "state#unused"})
    assert second["UpdateExpression"].startswith("SET ")


def test_one_query_reads_the_state_and_its_details() -> None:
    rows = [
        to_item({"event_id": EVENT, "entry": "state", "generation": 3}),
        to_item({"entry": "state#message", "generation": 3, "message": "m", "message_at": 1.5}),
        to_item({"entry": "state#unused", "generation": 2, "positions": [4]}),
    ]
    client = Client({"Items": rows})
    state, details = log(client).read_with_details(EVENT)
    assert (state.generation, details) == (3, StateDetails("m", 1.5))
    ((name, request),) = client.asked
    assert (name, request["ConsistentRead"]) == ("query", True)


def test_unused_positions_are_noted_up_to_a_limit() -> None:
    client = Client({"Attributes": to_item({"generation": 1})})
    log(client).add_unused_positions(EVENT, 1, range(1, MAX_UNUSED_POSITIONS + 5))
    values = client.asked[0][1]["ExpressionAttributeValues"]
    assert len(values[":positions"]["NS"]) == MAX_UNUSED_POSITIONS
    assert values[":most"] == {"N": str(MAX_UNUSED_POSITIONS)}


def test_moves_are_read_consistently_from_the_latest_back() -> None:
    latest = ServingMove(5, 40, 50, NOW, "increment", "mark", "")
    state = EventState(EVENT, version=5, serving=50, move=latest)
    texts = ["4:30:40:9:m:increment|person a", "3:20:30:8:m:reset"]
    page = {"Items": [to_item({"move": one}) for one in texts], "LastEvaluatedKey": "more"}
    client = Client(page)
    found = log(client).moves(state, 2)
    assert len(client.asked) == 1  # older moves are not read
    assert [move.version for move in found] == [3, 4, 5]
    assert (found[1].actor, found[0].actor) == ("person a", "")
    request = client.asked[0][1]
    assert (request["ConsistentRead"], request["ScanIndexForward"]) == (True, False)
    assert request["ExpressionAttributeValues"][":first"]["S"].endswith("#000000000003")
    assert request["ExpressionAttributeValues"][":last"]["S"].endswith("#000000000004")
    assert log(client).moves(state, 5) == []
    assert log(client).moves(EventState(EVENT, version=5)) == []


def test_checkpoints_are_read_consistently_without_content_where_only_the_sequence_counts() -> None:
    client = Client({"Items": []})
    assert checkpoints.load(client, "t", EVENT, 1) is None
    checkpoints.query(client, "t", EVENT)
    whole, stamps = (request for _, request in client.asked)
    assert whole["ConsistentRead"] is stamps["ConsistentRead"] is True
    assert "ProjectionExpression" not in whole
    assert stamps["ProjectionExpression"] == "#sequence"


def code() -> Code:
    numbers = ("position", "auth_time", "token_expires_at", "expires_at")
    return Code(**{one.name: 5 if one.name in numbers else "x" for one in fields(Code)})


def test_a_code_is_kept_an_hour_longer_than_it_is_good() -> None:
    client = Client({})
    DynamoCodes(client, "t").save(code())
    assert client.asked[0][1]["Item"]["ttl"] == {"N": "3605"}
    with pytest.raises(Conflict):
        DynamoCodes(Client(refused()), "t").save(code())


def test_a_code_is_redeemed_once_and_a_damaged_row_is_none() -> None:
    item = to_item({name: value for name, value in asdict(code()).items() if name != "hash"})
    assert DynamoCodes(Client({"Attributes": item}), "t").redeem("x", "c", 1) == code()
    assert DynamoCodes(Client(refused()), "t").redeem("x", "c", 1) is None
    for wrong in ({"N": "x"}, {"S": "5"}, None):
        damaged = {"Attributes": {**item, "position": wrong}}
        assert DynamoCodes(Client(damaged), "t").redeem("x", "c", 1) is None
    with pytest.raises(ClientError):
        DynamoCodes(Client(failed("ValidationException")), "t").redeem("x", "c", 1)
    with pytest.raises(Unavailable):
        DynamoCodes(Client(failed("ThrottlingException")), "t").redeem("x", "c", 1)


def test_published_keys_are_read_consistently_and_guarded_by_their_version() -> None:
    client = Client({})
    keys = DynamoPublicKeys(client, "t", lambda: 0.0, 60)
    assert keys.refresh() == Publication()
    assert client.asked[0][1]["ConsistentRead"] is True
    first, second = Publication(version=1), Publication(version=2)
    keys.save(first, Publication())
    assert keys.load() == first
    keys.save(second, first)
    made, changed = (request for name, request in client.asked if name == "put_item")
    assert made["ConditionExpression"] == "attribute_not_exists(#version)"
    assert "ExpressionAttributeValues" not in made
    assert changed["ExpressionAttributeValues"] == {":version": {"N": "1"}}
    client.script = [refused()]
    with pytest.raises(Conflict):
        keys.save(first, second)
    assert keys.load() == second


def test_a_row_without_readable_keys_is_unavailable_for_a_minute() -> None:
    keys = DynamoPublicKeys(Client({"Item": to_item({"jwks": "x"})}), "t", lambda: 0.0, 60)
    with pytest.raises(Unavailable, match="no readable keys") as told:
        keys.refresh()
    assert told.value.retry_after == 60
