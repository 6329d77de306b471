# SPDX-License-Identifier: Apache-2.0
"""What the adapters ask of AWS, call by call: emulators answer some wrong calls as well."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from waiting_room.adapters.aws import BUSY_CODES, translate_errors
from waiting_room.adapters.dynamodb import checkpoints
from waiting_room.adapters.dynamodb.inlet import DynamoInlet
from waiting_room.adapters.dynamodb.items import (
    count_positions,
    insert_if_absent,
    number,
    query_all,
    query_positions,
    text,
    to_item,
)
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.join_queue import SqsJoinQueue
from waiting_room.domain.counter_snapshot import Checkpoint, TokenTally
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.limits import AUDIT_LIFE, ROW_LIFE
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt
from waiting_room.domain.records import (
    EventState,
    Outcome,
    OutcomeKind,
    Position,
    ServingMove,
    SessionStatus,
)
from waiting_room.domain.serving_counter import move

EVENT, NOW = "Sample", 1_800_000_000
STATE = to_item({"event_id": EVENT, "entry": "state", "generation": 3})
MOVED = EventState(EVENT, 1, serving=9, version=9, move=ServingMove(9, 8, 9, NOW, "operator"))


def failure(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "call")


class ConditionFailed(ClientError):
    """Stands for the client's own class."""


class Client:
    """Notes every call and answers as it is told; lists are answered one by one."""

    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=ConditionFailed, ClientError=ClientError
    )

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.asked.append((name, request))
            answer = self.answers.get(name, {"Items": [], "Count": 0, "Responses": {}})
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer(**request) if callable(answer) else answer

        return call

    def requests(self, name: str) -> list[dict[str, Any]]:
        return [request for called, request in self.asked if called == name]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept, without sleeping; jitter is in the middle."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    return found


# --- reads ------------------------------------------------------------------------------------


READS: dict[str, Callable[[Client], Any]] = {
    "a row": lambda c: DynamoPositions(c, "p", "l").get(EVENT, "r"),
    "rows": lambda c: DynamoPositions(c, "p", "l").get_many(EVENT, ["r"]),
    "an outcome": lambda c: DynamoOutcomes(c, "t").get(EVENT, 1, 1),
    "outcomes": lambda c: list(DynamoOutcomes(c, "t").in_range(EVENT, 1, 1, 9)),
    "tokens": lambda c: list(DynamoOutcomes(c, "t").tokens(EVENT, 1, 1, 9)),
    "the state": lambda c: DynamoServingLog(c, c, "l").read(EVENT),
    "moves": lambda c: DynamoServingLog(c, c, "l").moves(MOVED),
    "checkpoints": lambda c: checkpoints.load(c, "l", EVENT, 1),
    "the inlet": lambda c: DynamoInlet(c, "l").read(EVENT),
    "the published keys": lambda c: DynamoPublicKeys(c, "l", lambda: 0.0, 60).refresh(),
    "a row for an end": lambda c: DynamoPositions(c, "p", "l").get_with_generation(
        EVENT, "r", known_generation=None, consistent=True
    ),
    "a row for an end, of a known line": lambda c: DynamoPositions(c, "p", "l").get_with_generation(
        EVENT, "r", known_generation=1, consistent=True
    ),
}


def consistency(request: dict[str, Any]) -> list[bool]:
    """What a request says of each table that it reads."""
    tables = request.get("RequestItems", {"": request}).values()
    return [table.get("ConsistentRead", False) for table in tables]


@pytest.mark.parametrize("what", READS)
def test_what_a_decision_needs_is_read_as_it_stands(what: str) -> None:
    found = {"Item": STATE} if what == "the state" else {}
    client = Client(get_item=found)
    READS[what](client)
    assert client.asked
    for _, request in client.asked:
        assert all(consistency(request)), request


def test_what_a_page_polls_is_read_at_half_the_price() -> None:
    for known in (None, 1):
        client = Client(get_item={})
        DynamoPositions(client, "p", "l").get_with_generation(EVENT, "r", known_generation=known)
        assert not any(consistency(client.asked[0][1]))


def test_a_line_of_which_the_log_knows_nothing_is_the_first() -> None:
    found = DynamoPositions(Client(), "p", "l").get_with_generation(
        EVENT, "r", known_generation=None
    )
    assert found == (1, None)
    client = Client(batch_get_item={"Responses": {"l": [STATE]}})
    assert DynamoPositions(client, "p", "l").get_with_generation(
        EVENT, "r", known_generation=None
    ) == (3, None)


@pytest.mark.parametrize(
    ("first", "last", "shards"),
    [(1, 1, [1]), (15, 17, [0, 1, 15]), (1, 15, list(range(1, 16))), (1, 16, list(range(16))),
     (5, 20, list(range(16))), (5, 400, list(range(16))), (5, 4, [])],
)  # fmt: skip
def test_a_range_asks_each_shard_that_it_touches_once(
    first: int, last: int, shards: list[int]
) -> None:
    client = Client()
    list(query_positions(client, "table", f"{EVENT}#2", first, last, TableName="t"))
    asked = [one["ExpressionAttributeValues"] for one in client.requests("query")]
    assert sorted(one[":shard"]["S"] for one in asked) == sorted(
        f"{EVENT}#2#{one}" for one in shards
    )
    assert all(one[":first"] == {"N": str(first)} for one in asked)
    assert all(one[":last"] == {"N": str(last)} for one in asked)


def test_every_page_of_a_query_is_read_from_where_the_one_before_ended() -> None:
    pages: list[dict[str, Any]] = [
        {"Items": [1], "Count": 1, "LastEvaluatedKey": "k"},
        {"Items": [2], "Count": 4},
    ]
    client = Client(query=list(pages))
    read: list[Any] = list(query_all(client, "table", TableName="t"))
    assert read == [1, 2]
    assert client.requests("query")[1]["ExclusiveStartKey"] == "k"
    counted = Client(query=list(pages))
    assert count_positions(counted, "table", "l", 1, 1, TableName="t") == 5
    assert {one["Select"] for one in counted.requests("query")} == {"COUNT"}


def test_a_hundred_rows_are_read_at_once_and_each_is_asked_for_once() -> None:
    client = Client()
    DynamoPositions(client, "p", "l").get_many(EVENT, [f"r{one % 201}" for one in range(300)])
    keys = [one["RequestItems"]["p"]["Keys"] for one in client.requests("batch_get_item")]
    assert [len(one) for one in keys] == [100, 100, 1]


def test_keys_that_were_not_processed_are_asked_for_again(waits: list[float]) -> None:
    row = to_item({"id": f"{EVENT}#r", "generation": 1, "position": 4, "entry_time": NOW})
    left = {"p": {"Keys": ["the rest"]}}
    client = Client(batch_get_item=[
        {"Responses": {}, "UnprocessedKeys": left}, {"Responses": {"p": [row]}}
    ])  # fmt: skip
    found = DynamoPositions(client, "p", "l").get_many(EVENT, ["r"])
    assert found == {"r": Position(EVENT, 1, "r", 4, NOW)}
    assert client.requests("batch_get_item")[1]["RequestItems"] == left
    assert waits == [0.05]
    never = Client(batch_get_item={"Responses": {}, "UnprocessedKeys": left})
    with pytest.raises(Unavailable):
        DynamoPositions(never, "p", "l").get_many(EVENT, ["r"])
    assert len(never.asked) == 6


# --- inserts ----------------------------------------------------------------------------------


def statements(*codes: str) -> Callable[..., dict[str, Any]]:
    """Answers a code to each statement in turn, then none."""
    left = list(codes)

    def answer(Statements: list[Any]) -> dict[str, Any]:
        found = [left.pop(0) if left else "" for _ in Statements]
        return {"Responses": [{"Error": {"Code": code}} if code else {} for code in found]}

    return answer


def test_rows_are_inserted_25_at_a_time() -> None:
    client = Client(batch_execute_statement=statements())
    items = [to_item({"id": str(one)}) for one in range(51)]
    assert insert_if_absent(client, "t", items, "table") == ([], [])
    sizes = [len(one["Statements"]) for one in client.requests("batch_execute_statement")]
    assert sorted(sizes) == [1, 25, 25]


def test_a_row_whose_key_is_taken_is_told_apart_from_one_that_was_throttled(
    waits: list[float],
) -> None:
    client = Client(batch_execute_statement=statements("", "DuplicateItem", "ThrottlingError", ""))
    items = [to_item({"id": str(one)}) for one in range(4)]
    assert insert_if_absent(client, "t", items, "table") == ([1], [])
    second = client.requests("batch_execute_statement")[1]["Statements"]
    assert [one["Parameters"] for one in second] == [[{"S": "2"}]]
    assert waits == [0.05]
    assert second[0]["Statement"] == "INSERT INTO \"t\" VALUE {'id': ?}"


def test_rows_that_stay_throttled_are_named_after_six_rounds(waits: list[float]) -> None:
    client = Client(batch_execute_statement=statements(*["ThrottlingError"] * 99))
    assert insert_if_absent(client, "t", [to_item({"id": "0"})], "table") == ([], [0])
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8]


def test_a_row_that_is_refused_for_another_reason_is_a_fault() -> None:
    client = Client(batch_execute_statement=statements("ValidationError"))
    with pytest.raises(RuntimeError, match="ValidationError"):
        insert_if_absent(client, "t", [to_item({"id": "0"})], "table")


def test_expiries_that_could_not_be_written_are_unavailable(waits: list[float]) -> None:
    client = Client(batch_execute_statement=statements(*["ThrottlingError"] * 99))
    with pytest.raises(Unavailable, match="1 expiries"):
        DynamoOutcomes(client, "t").put_expired(
            [Outcome(EVENT, 1, 4, "r", OutcomeKind.EXPIRED, NOW)]
        )


def test_rows_that_may_stand_are_looked_up(waits: list[float]) -> None:
    rows = [Position(EVENT, 1, name, at, NOW) for at, name in enumerate("abc", 1)]
    taken = to_item({"id": f"{EVENT}#b", "generation": 1, "position": 9, "entry_time": NOW})
    client = Client(
        batch_execute_statement=statements("", "DuplicateItem", *["ThrottlingError"] * 99),
        batch_get_item={"Responses": {"p": [taken]}},
    )
    stands = DynamoPositions(client, "p", "l").insert(rows)
    assert stands == {"a": rows[0], "b": Position(EVENT, 1, "b", 9, NOW), "c": None}
    keys = client.requests("batch_get_item")[0]["RequestItems"]["p"]["Keys"]
    assert [one["id"]["S"] for one in keys] == [f"{EVENT}#b", f"{EVENT}#c"]


@pytest.mark.parametrize(
    ("value", "stored"),
    [("a", {"S": "a"}), (5, {"N": "5"}), (1.5, {"N": "1.500000"}), ([3, 4], {"NS": ["3", "4"]})],
)
def test_a_value_is_stored_by_its_kind(value: Any, stored: dict[str, Any]) -> None:
    assert to_item({"x": value}) == {"x": stored}
    assert (number({}, "x"), text({}, "x")) == (0, "")


def test_an_expiry_carries_no_token_facts_and_rows_leave_after_a_month() -> None:
    client = Client()
    outcomes = DynamoOutcomes(client, "t")
    outcomes.put_if_absent(Outcome(EVENT, 1, 17, "r", OutcomeKind.EXPIRED, NOW, 5, "issuer", "key"))
    outcomes.put_if_absent(Outcome(EVENT, 1, 17, "r", OutcomeKind.TOKEN, NOW, 5, "issuer", "key"))
    expiry, token = (one["Item"] for one in client.requests("put_item"))
    assert expiry["ttl"] == token["ttl"] == {"N": str(NOW + ROW_LIFE)}
    assert token.keys() - expiry.keys() == {"expires_at", "issuer", "key_id"}
    assert token["shard"] == {"S": f"{EVENT}#1#1"}


def test_a_tomb_stays_out_of_the_index_and_an_open_place_has_no_hash() -> None:
    client = Client(batch_execute_statement=statements())
    DynamoPositions(client, "p", "l").insert([Position(EVENT, 1, "r", 0, NOW)])
    DynamoPositions(client, "p", "l").insert([Position(EVENT, 1, "r", 17, NOW, "hash")])
    tomb, row = (
        one["Statements"][0]["Statement"] for one in client.requests("batch_execute_statement")
    )
    assert "shard" not in tomb
    assert "client_secret_hash" not in tomb
    assert "shard" in row
    assert "client_secret_hash" in row


# --- ends of sessions -------------------------------------------------------------------------


def stored(status: SessionStatus, mark: str) -> dict[str, Any]:
    return to_item({
        "event_id": EVENT, "generation": 1, "position": 4, "request_id": "r", "kind": "token",
        "at": NOW, "session_status": status.value, "ended_by": mark,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("item", "done"),
    [
        (None, False),
        (stored(SessionStatus.COMPLETED, "mine"), True),
        (stored(SessionStatus.COMPLETED, "another"), False),
    ],
)
def test_a_refused_end_is_the_callers_own_by_its_mark(
    item: dict[str, Any] | None, done: bool
) -> None:
    answer: Any = {"Error": {"Code": "ConditionalCheckFailedException"}}
    if item:
        answer["Item"] = item
    error = ConditionFailed(answer, "update")
    client = Client(update_item=error)
    ending = DynamoOutcomes(client, "t").end_session(
        EVENT, 1, 4, SessionStatus.COMPLETED, NOW, "mine"
    )
    assert ending.done is done
    assert (ending.outcome is not None) is (item is not None)


# --- the serving log --------------------------------------------------------------------------


def test_a_record_that_does_not_appear_is_unavailable_after_two_looks() -> None:
    client = Client(get_item={})
    with pytest.raises(Unavailable):
        DynamoServingLog(client, client, "l").read(EVENT)
    assert [name for name, _ in client.asked] == ["get_item", "put_item"] * 2


def test_a_throttled_reservation_is_made_again_and_nothing_else_is(waits: list[float]) -> None:
    many = Client()
    single = Client(update_item=[failure("ThrottlingException")] * 3 + [{"Attributes": STATE}])
    made = DynamoServingLog(many, single, "l").reserve(EVENT, 2, EventState(EVENT))
    assert made.state.generation == 3
    assert waits == [0.05, 0.1, 0.2]
    assert many.asked == []
    busy = Client(update_item=failure("ProvisionedThroughputExceededException"))
    with pytest.raises(Unavailable, match="throttled"):
        DynamoServingLog(many, busy, "l").reserve(EVENT, 2, EventState(EVENT))
    assert len(busy.asked) == 4
    for error, kind in (
        (failure("InternalServerError", 500), Unavailable),
        (failure("AccessDeniedException"), ClientError),
        (ConditionFailed({"Error": {"Code": "ConditionalCheckFailedException"}}, "u"), Conflict),
    ):
        once = Client(update_item=error)
        with pytest.raises(kind):
            DynamoServingLog(many, once, "l").reserve(EVENT, 2, EventState(EVENT))
        assert len(once.asked) == 1


def test_a_block_of_moves_is_logged_before_a_state_without_them_is_written() -> None:
    client = Client(update_item={"Attributes": STATE})
    log = DynamoServingLog(client, client, "l")
    log.write(MOVED, move(MOVED, 3, NOW, "operator"))
    assert [name for name, _ in client.asked] == ["update_item"]
    client.asked.clear()
    log.write(MOVED, move(MOVED, 3, NOW, "operator", actor="x" * 900))
    assert [name for name, _ in client.asked] == ["put_item", "update_item"]
    put = client.requests("put_item")[0]["Item"]
    assert put["entry"] == {"S": "move#0000000001#000000000009"}
    assert put["ttl"] == {"N": str(NOW + AUDIT_LIFE)}
    client.asked.clear()
    log.write(MOVED, MOVED)
    assert [name for name, _ in client.asked] == ["update_item"]
    assert ":lowering" not in client.requests("update_item")[0]["ExpressionAttributeValues"]


# --- checkpoints ------------------------------------------------------------------------------


def test_checkpoints_take_turns_and_are_cut_into_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "PIECE", 60)
    rows: dict[str, dict[str, Any]] = {}

    def put(Item: dict[str, Any], **_: Any) -> None:
        rows[Item["entry"]["S"]] = Item

    client = Client(put_item=put, query=lambda **_: {"Items": list(rows.values())})
    made = [
        Checkpoint(1, version, NOW, (), TokenTally(base=version, taken=bytes(range(90))))
        for version in (1, 2, 3)
    ]
    for index, checkpoint in enumerate(made, 1):
        checkpoints.save(client, "l", EVENT, checkpoint)
        assert checkpoints.load(client, "l", EVENT, 1) == checkpoint
        latest = [row for row in rows.values() if row["sequence"] == {"N": str(index)}]
        assert len(latest) > 2
        assert {row["parts"]["N"] for row in latest} == {str(len(latest))}
        assert {row["entry"]["S"].split("#")[1] for row in latest} == {str(index % 2)}
        assert {row["ttl"]["N"] for row in latest} == {str(NOW + ROW_LIFE)}
        assert all(len(row["content"]["B"]) <= 60 for row in latest)
    assert checkpoints.load(client, "l", EVENT, 2) is None
    del rows["checkpoint#1#000"]  # the writer of the latest died at its work
    assert checkpoints.load(client, "l", EVENT, 1) == made[1]


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        *(failure(code) for code in sorted(BUSY_CODES)),
        failure("Odd", 500),
        failure("Odd", 503),
        EndpointConnectionError(endpoint_url="https://x"),
        ReadTimeoutError(endpoint_url="https://x"),
    ],
)
def test_an_answer_that_says_not_now_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable), translate_errors("table"):
        raise error


@pytest.mark.parametrize("error", [failure("AccessDenied"), failure("Odd", 499), KeyError("x")])
def test_every_other_failure_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), translate_errors("table"):
        raise error


def test_a_failure_without_a_status_is_read_by_its_code() -> None:
    with pytest.raises(ClientError), translate_errors("table"):
        raise ClientError({"Error": {"Code": "Odd"}}, "call")


# --- the queue of joins -----------------------------------------------------------------------


def letters(*sizes: int) -> list[DeadLetter]:
    return [DeadLetter(f"m{at}", "x" * size, "why") for at, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], []),
        ([1], [1]),
        ([1] * 10, [10]),
        ([1] * 11, [1]),  # together in one message
        ([100_000, 100_000, 1], [2, 1]),
        ([200_000, 1], [1, 1]),
        ([250_000], [1]),
    ],
)
def test_dead_letters_go_in_as_few_requests_as_take_them(
    sizes: list[int], batches: list[int]
) -> None:
    def taken(Entries: list[Any], **_: Any) -> dict[str, Any]:
        return {"Successful": [{"Id": one["Id"]} for one in Entries]}

    client = Client(send_message_batch=taken)
    assert (
        SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(letters(*sizes)) == frozenset()
    )
    sent = [len(one["Entries"]) for one in client.requests("send_message_batch")]
    assert sorted(sent) == sorted(batches)


def test_letters_that_were_not_taken_are_named_and_an_outage_is_met_once() -> None:
    part = Client(send_message_batch={"Successful": [{"Id": "1"}], "Failed": [{"Id": "0"}]})
    assert SqsJoinQueue(part, "joins", "dead").send_to_dead_letters(letters(1, 1, 1)) == {
        "m0",
        "m2",
    }
    for error in (failure("AccessDenied"), failure("Throttling"), failure("Odd", 503)):
        away = Client(send_message_batch=error)
        queue = SqsJoinQueue(away, "joins", "dead")
        assert queue.send_to_dead_letters(letters(1)) == {"m0"}
        assert queue.send_to_dead_letters(letters(1)) == {"m0"}, "asked again by the next call"
        assert len(away.asked) == 2


def test_a_dead_letter_carries_what_is_known_of_it() -> None:
    client = Client(send_message_batch={"Successful": []})
    queue = SqsJoinQueue(client, "joins", "dead")
    queue.send_to_dead_letters([DeadLetter("m", "", "r" * 300), DeadLetter("n", "b", "r", "id", 5)])
    bare, known = client.requests("send_message_batch")[0]["Entries"]
    assert bare["MessageBody"] == "(no body)"
    assert {name: one["StringValue"] for name, one in bare["MessageAttributes"].items()} == {
        "reason": "r" * 256
    }
    assert {name: one["StringValue"] for name, one in known["MessageAttributes"].items()} == {
        "reason": "r", "first_request_id": "id", "first_sent_at_ms": "5"
    }  # fmt: skip


def test_messages_come_again_ten_at_a_time_after_their_own_seconds() -> None:
    client = Client()
    queue = SqsJoinQueue(client, "joins", "dead")
    queue.deliver_again_after({Receipt(f"h{one}"): one for one in range(11)})
    sent = [one["Entries"] for one in client.requests("change_message_visibility_batch")]
    assert [len(one) for one in sent] == [10, 1]
    assert [(one["ReceiptHandle"], one["VisibilityTimeout"]) for part in sent for one in part] == [
        (f"h{one}", one) for one in range(11)
    ]
    for error in (failure("AccessDenied"), failure("Throttling")):
        with pytest.raises(Unavailable):
            SqsJoinQueue(
                Client(change_message_visibility_batch=error), "j", "d"
            ).deliver_again_after({Receipt("h"): 1})
