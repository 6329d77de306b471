# SPDX-License-Identifier: Apache-2.0
"""DynamoDB adapters: outcomes, with ended sessions and expired tokens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.adapters.dynamodb_client import EVENT, NOW, Client, refused
from waiting_room.adapters.dynamodb import items, serving_log
from waiting_room.adapters.dynamodb.items import SHARDS, to_item
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.domain.errors import Unavailable
from waiting_room.domain.limits import ROW_LIFE
from waiting_room.domain.ports.outcomes import ENDED_SHARDS
from waiting_room.domain.records import (
    Outcome,
    OutcomeKind,
    SessionStatus,
)


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
    with pytest.raises(Unavailable, match="1 expiries not written"):
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
