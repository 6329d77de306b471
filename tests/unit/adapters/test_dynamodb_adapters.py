# SPDX-License-Identifier: Apache-2.0
"""The DynamoDB adapters against a client that answers what a test says: reads, retries, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from waiting_room.adapters import aws
from waiting_room.adapters.dynamodb import checkpoints, items, serving_log
from waiting_room.adapters.dynamodb.items import INSERT_BATCH, ROUNDS, SHARDS, to_item
from waiting_room.adapters.dynamodb.openid_codes import DynamoCodes
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import READ_BATCH, DynamoPositions
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.dynamodb.serving_log import RESERVE_TRIES, DynamoServingLog
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.limits import MAX_KNOWN_HOLES, ROW_LIFE
from waiting_room.domain.ports import ENDED_SHARDS
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.records import (
    EventState,
    Outcome,
    OutcomeKind,
    Position,
    ServingMove,
    SessionStatus,
)
from waiting_room.openid.protocol import Code

EVENT, NOW = "Sample", 1_800_000_000


class Refused(ClientError):
    """A condition did not hold."""


def failed(code: str, status: int = 400) -> ClientError:
    said: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "Call")


def refused(**more: Any) -> Refused:
    said: Any = {"Error": {"Code": "ConditionalCheckFailedException"}, **more}
    return Refused(said, "Call")


class Client:
    """Answers its script in order, then the last answer; keeps what it was asked."""

    class exceptions:
        ConditionalCheckFailedException = Refused
        ClientError = ClientError

    def __init__(self, *script: Any) -> None:
        self.script, self.asked = list(script), list[tuple[str, dict[str, Any]]]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.asked.append((name, request))
            told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if isinstance(told, Exception):
                raise told
            return told(request) if callable(told) else told

        return call


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the adapters make, none of which lasts; chance is always in the middle."""
    made: list[float] = []
    monkeypatch.setattr(items.time, "sleep", made.append)
    monkeypatch.setattr(serving_log.time, "sleep", made.append)
    monkeypatch.setattr(items.random, "uniform", lambda low, high: (low + high) / 2)
    return made


def outcome(position: int = 7, kind: OutcomeKind = OutcomeKind.TOKEN) -> Outcome:
    return Outcome(EVENT, 1, position, "r", kind, NOW, NOW + 60, "issuer", "key")


def row(position: int = 7, **more: Any) -> dict[str, Any]:
    return to_item(
        {
            "event_id": EVENT, "generation": 1, "position": position, "request_id": "r",
            "kind": "token", "at": NOW, "expires_at": NOW + 60, "issuer": "issuer",
            "key_id": "key", "session_status": "open", **more,
        }
    )  # fmt: skip


# --- what AWS answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(aws.BUSY_CODES))
def test_throttling_is_unavailable(code: str) -> None:
    with (
        pytest.raises(Unavailable, match=f"a store is busy: {code}"),
        aws.translate_errors("a store"),
    ):
        raise failed(code)


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
    with pytest.raises(Unavailable, match="did not answer"), aws.translate_errors("a store"):
        raise error


def test_only_a_condition_refuses_a_write() -> None:
    assert aws.is_conditional_check_failure(refused())
    assert not aws.is_conditional_check_failure(failed("Throttling"))
    assert not aws.is_conditional_check_failure(ValueError())


def test_clients_keep_a_connection_for_each_caller_and_never_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws, "_pool_size", 50)
    aws.share_clients(80)
    aws.share_clients(3)
    assert aws._pool_size == 80


# --- values -------------------------------------------------------------------------------------


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
    with pytest.raises(RuntimeError, match="rows refused a row: ValidationError"):
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
    list(items.query_line(client, "rows", "line", first, last))
    asked = [request["ExpressionAttributeValues"] for _, request in client.asked]
    assert {one[":shard"]["S"] for one in asked} == {f"line#{shard}" for shard in shards}
    assert {one[":first"]["N"] for one in asked} == {str(first)}
    assert {one[":last"]["N"] for one in asked} == {str(last)}
    assert items.count_line(client, "rows", "line", first, last) == 2 * len(shards)


# --- outcomes -----------------------------------------------------------------------------------


def test_what_decides_about_a_position_is_read_consistently() -> None:
    client = Client({})
    outcomes = DynamoOutcomes(client, "t")
    assert outcomes.get(EVENT, 1, 7) is None
    assert client.asked[0][1]["ConsistentRead"] is True
    client.script = [{"Items": []}]
    assert list(outcomes.in_range(EVENT, 1, 1, 99)) == []
    assert list(outcomes.tokens(EVENT, 1, 1, 99)) == []
    assert all(request["ConsistentRead"] is True for _, request in client.asked)
    client.script = [{"Items": [row(7)]}]
    assert [one.position for one in outcomes.in_range(EVENT, 1, 7, 7)] == [7]
    assert [one.position for one in outcomes.tokens(EVENT, 1, 7, 7)] == [7]


def test_the_outcome_that_stands_is_answered_instead_of_the_new_one() -> None:
    client = Client(refused(Item=row(expires_at=5)))
    stands = DynamoOutcomes(client, "t").put_if_absent(outcome())
    assert stands.expires_at == 5
    client.script = [{}]
    assert DynamoOutcomes(client, "t").put_if_absent(outcome()) == outcome()


def test_an_outcome_leaves_after_its_life_and_an_expiry_has_no_token_facts() -> None:
    client = Client({})
    outcomes = DynamoOutcomes(client, "t")
    outcomes.put_if_absent(outcome())
    outcomes.put_if_absent(outcome(kind=OutcomeKind.EXPIRED))
    token, expiry = (request["Item"] for _, request in client.asked)
    assert token["ttl"] == {"N": str(NOW + ROW_LIFE)} == expiry["ttl"]
    assert {"expires_at", "issuer", "key_id"} == set(token) - set(expiry)


def test_expiries_that_could_not_be_written_wait() -> None:
    client = Client({"Responses": [{"Error": {"Code": "ThrottlingError"}}]})
    with pytest.raises(Unavailable, match="1 expiries wait"):
        DynamoOutcomes(client, "t").put_expired([outcome(kind=OutcomeKind.EXPIRED)])


def test_an_expiry_that_a_token_stands_against_answers_the_token() -> None:
    taken = {"Responses": [{"Error": {"Code": "DuplicateItem"}}] * 3}
    client = Client(taken, {"Item": row(1)}, {"Item": row(2, kind="expired")}, {})
    many = [outcome(position, OutcomeKind.EXPIRED) for position in (1, 2, 3)]
    assert [one.position for one in DynamoOutcomes(client, "t").put_expired(many)] == [1]


def test_who_ends_a_session_again_is_known_by_the_mark() -> None:
    def end(told: Any) -> Any:
        return DynamoOutcomes(Client(told), "t").end_session(
            EVENT, 1, 7, SessionStatus.COMPLETED, NOW, "mine"
        )

    done = end({"Attributes": row(session_status="completed")})
    assert (done.done, done.outcome.status) == (True, SessionStatus.COMPLETED)
    assert end(refused(Item=row(ended_by="mine"))).done is True
    assert end(refused(Item=row(ended_by="another"))).done is False
    assert end(refused(Item=row())).done is False
    for nothing in (refused(), refused(Item={})):
        assert (end(nothing).done, end(nothing).outcome) == (False, None)


# --- positions ----------------------------------------------------------------------------------


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


# --- the serving log ----------------------------------------------------------------------------


def log(client: Client, single: Client | None = None) -> DynamoServingLog:
    return DynamoServingLog(client, single or client, "t")


def test_the_state_is_read_consistently_and_made_when_it_is_not_there() -> None:
    client = Client({}, {}, {"Item": to_item({"event_id": EVENT, "generation": 1})})
    found = log(client).read(EVENT)
    assert (found.generation, found.reset_at, found.message_at) == (1, 0.0, 0.0)
    assert (found.move, found.known_holes) == (None, ())
    assert [name for name, _ in client.asked] == ["get_item", "put_item", "get_item"]
    assert client.asked[0][1]["ConsistentRead"] is True


def test_a_state_that_another_one_made_first_is_read() -> None:
    client = Client({}, refused(), {"Item": to_item({"event_id": EVENT, "generation": 4})})
    assert log(client).read(EVENT).generation == 4


def test_a_state_that_cannot_be_made_is_unavailable_after_two_tries() -> None:
    client = Client({})
    with pytest.raises(Unavailable, match="no record"):
        log(client).read(EVENT)
    assert len(client.asked) == 4


@pytest.mark.parametrize("code", sorted(serving_log.THROTTLED))
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


def test_a_move_that_left_the_state_is_put_beside_it_before_the_next_is_written() -> None:
    move = ServingMove(1, 0, 5, NOW, "increment", "mark", "person a")
    before = EventState(EVENT, version=1, serving=5, move=move)
    after = EventState(EVENT, version=2, serving=9, move=move)
    client = Client({"Attributes": {}})
    log(client).write(before, after)
    assert [name for name, _ in client.asked] == ["put_item", "update_item"]
    put = client.asked[0][1]["Item"]
    assert put["entry"] == {"S": "move#0000000001#000000000001"}
    assert put["ttl"] == {"N": str(NOW + ROW_LIFE)}
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


def test_holes_are_noted_up_to_a_limit() -> None:
    client = Client({"Attributes": to_item({"generation": 1})})
    log(client).add_unused_positions(EVENT, 1, range(1, MAX_KNOWN_HOLES + 5))
    values = client.asked[0][1]["ExpressionAttributeValues"]
    assert len(values[":holes"]["NS"]) == MAX_KNOWN_HOLES
    assert values[":most"] == {"N": str(MAX_KNOWN_HOLES)}


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


# --- checkpoints, codes, published keys ---------------------------------------------------------


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


# --- pages of ended sessions and of expired tokens ------------------------------------------------


def ended(client: Client, limit: int, after: tuple[int, int] | None = None) -> Any:
    return DynamoOutcomes(client, "t").ended_page(EVENT, 1, NOW, limit, after)


def sessions(count: int, last: Any = None) -> dict[str, Any]:
    page: dict[str, Any] = {"Items": [to_item({"request_id": f"r{n}"}) for n in range(count)]}
    return {**page, "LastEvaluatedKey": last} if last else page


def test_ended_sessions_are_read_shard_by_shard_up_to_the_limit() -> None:
    client = Client(sessions(2), sessions(0))
    assert ended(client, 5) == (["r0", "r1"], None)
    assert len(client.asked) == ENDED_SHARDS
    assert [request["Limit"] for _, request in client.asked] == [5] + [3] * (ENDED_SHARDS - 1)
    lines = [request["ExpressionAttributeValues"][":shard"]["S"] for _, request in client.asked]
    assert lines == [f"{EVENT}#1#{shard}" for shard in range(ENDED_SHARDS)]
    assert all("ExclusiveStartKey" not in request for _, request in client.asked)


def test_a_full_page_of_ended_sessions_goes_on_in_the_next_shard_if_there_is_one() -> None:
    assert ended(Client(sessions(5)), 5)[1] == (0, 1)
    last = ENDED_SHARDS - 1
    client = Client(sessions(5))
    assert ended(client, 5, (0, last - 1))[1] == (0, last)
    assert len(client.asked) == 1
    assert ended(Client(sessions(5)), 5, (0, last)) == ([f"r{n}" for n in range(5)], None)


def test_a_shard_with_more_ended_sessions_goes_on_behind_the_last() -> None:
    more = to_item({"expires_at": NOW + 9, "position": ENDED_SHARDS + 2})
    page, mark = ended(Client(sessions(5, more)), 5, (0, 2))
    assert (len(page), mark) == (5, (NOW + 9, ENDED_SHARDS + 2))
    client = Client(sessions(0))
    assert ended(client, 5, mark) == ([], None)
    start = client.asked[0][1]["ExclusiveStartKey"]
    assert start["expires_at"] == {"N": str(NOW + 9)}
    assert start["position"] == {"N": str(ENDED_SHARDS + 2)}
    assert len(client.asked) == ENDED_SHARDS - 2
    assert all("ExclusiveStartKey" not in request for _, request in client.asked[1:])


@pytest.mark.parametrize(("ends", "starts"), [(NOW - 1, False), (NOW, False), (NOW + 1, True)])
def test_a_mark_that_is_over_by_now_is_no_start(ends: int, starts: bool) -> None:
    client = Client(sessions(0))
    ended(client, 5, (ends, 3))
    assert ("ExclusiveStartKey" in client.asked[0][1]) is starts


def expired(client: Client, limit: int, after: tuple[int, int] | None = None) -> Any:
    found, mark = DynamoOutcomes(client, "t").expired_page(EVENT, 1, NOW, limit, after)
    return [one.position for one in found], mark


def rows(*positions: int, last: int = 0) -> dict[str, Any]:
    page: dict[str, Any] = {"Items": [row(position) for position in positions]}
    return {**page, "LastEvaluatedKey": to_item({"position": last})} if last else page


def test_expired_tokens_are_read_from_every_shard_behind_the_mark() -> None:
    client = Client(rows(7), rows())
    assert expired(client, 5) == ([7], None)
    asked = [request["ExpressionAttributeValues"] for _, request in client.asked]
    assert [one[":shard"]["S"] for one in asked] == [f"{EVENT}#1#{n}" for n in range(SHARDS)]
    assert {one[":after"]["N"] for one in asked} == {"0"}
    client = Client(rows())
    assert expired(client, 5, (SHARDS - 2, 40)) == ([], None)
    asked = [request["ExpressionAttributeValues"] for _, request in client.asked]
    assert [one[":after"]["N"] for one in asked] == ["40", "0"]


def test_a_page_of_expired_tokens_ends_at_its_limit() -> None:
    assert expired(Client(rows(1, 17, 33)), 2) == ([1, 17], (0, 17))
    assert expired(Client(rows(1, 17)), 2) == ([1, 17], (1, 0))
    assert expired(Client(rows(1, 17, last=60)), 2) == ([1, 17], (0, 60))
    assert expired(Client(rows(15, 31)), 2, (SHARDS - 1, 0)) == ([15, 31], None)
    assert expired(Client(rows(1, last=9), rows(17, 33)), 2) == ([1, 17], (0, 17))


def test_a_page_of_expired_tokens_looks_at_so_many_rows_and_ends_without_one() -> None:
    client = Client(rows(last=99))
    assert expired(client, 5) == ([], (0, 99))
    assert len(client.asked) == 2 * SHARDS
