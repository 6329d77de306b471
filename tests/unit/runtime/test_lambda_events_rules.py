# SPDX-License-Identifier: Apache-2.0
"""What Lambda hands to the workers, at the limits of what can be read."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from waiting_room.adapters.dynamodb import outcome_items
from waiting_room.adapters.join_queue import FIRST_ID, FIRST_SENT
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.ports.join_queue import Receipt
from waiting_room.domain.records import OutcomeKind, SessionStatus
from waiting_room.runtime import lambda_events
from waiting_room.runtime.lambda_events import LAST_SECOND

ID, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
ROLE = "AROAREDRIVE"
SENT = "1800000000250"


def record(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "messageId": ID,
        "receiptHandle": "handle",
        "body": json.dumps({"event_id": "Sample"}),
        "attributes": {"SentTimestamp": SENT, "SenderId": "AROAJOIN:function"},
    }
    return {**made, **changes}


def redriven(sender: str = f"{ROLE}:call", first: str = "1700000000000") -> dict[str, Any]:
    return record(
        attributes={"SentTimestamp": SENT, "SenderId": sender},
        messageAttributes={
            FIRST_ID: {"stringValue": OTHER},
            FIRST_SENT: {"stringValue": first},
            "another": {},
        },
    )


def read(*records: Any, role: str = ROLE) -> Any:
    return lambda_events.read_joins({"Records": list(records)}, "Sample", role)


def test_a_join_has_the_id_and_the_time_of_its_message() -> None:
    joins, dead = read(record())
    assert dead == []
    assert joins[0].request_id == ID
    assert joins[0].sent_at == 1_800_000_000.25


def test_a_redriven_join_has_its_first_id_and_time() -> None:
    joins, _ = read(redriven())
    assert (joins[0].request_id, joins[0].sent_at) == (OTHER, 1_700_000_000)


def test_no_redrive_makes_a_join_younger() -> None:
    joins, _ = read(redriven(first="1900000000000"))
    assert joins[0].sent_at == 1_800_000_000.25


@pytest.mark.parametrize("sender", [f"{ROLE}X:call", ROLE, "AROAJOIN:call", f"x{ROLE}:call"])
def test_only_the_redrive_says_a_first_id_and_time(sender: str) -> None:
    joins, dead = read(redriven(sender))
    assert joins == []
    assert "accepted from RedriveRole only" in dead[0].reason
    assert read(redriven(), role="")[0] == []


@pytest.mark.parametrize("name", [FIRST_ID, FIRST_SENT])
def test_one_of_both_attributes_is_no_first_id_and_time(name: str) -> None:
    half = redriven()
    del half["messageAttributes"][name]
    joins, dead = read(half)
    assert joins == []
    assert dead[0].request_id == ID


@pytest.mark.parametrize(
    "sent", ["0", "-1", str(LAST_SECOND * 1000), "9" * 20, "", "1.5", 1_800_000_000_250, None]
)
def test_a_time_that_is_none_makes_a_dead_letter_without_a_time(sent: Any) -> None:
    joins, dead = read(record(attributes={"SentTimestamp": sent, "SenderId": "x"}))
    assert joins == []
    assert dead[0].sent_at_ms == 0


@pytest.mark.parametrize("sent", ["1", str(LAST_SECOND * 1000 - 1)])
def test_the_first_and_the_last_time_are_times(sent: str) -> None:
    joins, _ = read(record(attributes={"SentTimestamp": sent, "SenderId": "x"}))
    assert joins[0].sent_at == int(sent) / 1000


def test_a_message_that_is_no_join_becomes_a_dead_letter_once() -> None:
    odd = record(body="{")
    joins, dead = read(odd, record(messageId=OTHER), odd)
    assert [join.request_id for join in joins] == [OTHER]
    assert len(dead) == 1
    assert (dead[0].message_id, dead[0].body, dead[0].request_id) == (ID, "{", ID)
    assert dead[0].sent_at_ms == int(SENT)


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, {"messageId": 5, "body": 5}])
def test_a_record_that_is_none_becomes_an_empty_dead_letter(odd: Any) -> None:
    joins, dead = read(odd)
    assert joins == []
    assert (dead[0].message_id, dead[0].body, dead[0].sent_at_ms) == ("", "", 0)
    assert dead[0].reason


def test_a_receipt_counts_the_deliveries_and_odd_records_have_none() -> None:
    again = record(messageId=OTHER, attributes={"ApproximateReceiveCount": "12"})
    many = record(messageId="many", attributes={"ApproximateReceiveCount": "1234567890"})
    odd: list[Any] = [
        None,
        {},
        record(attributes=None),
        record(attributes={"ApproximateReceiveCount": "x"}),
    ]
    found = lambda_events.receipts({"Records": [*odd, record(), again, many]})
    assert found == {
        ID: Receipt("handle", 1),
        OTHER: Receipt("handle", 12),
        "many": Receipt("handle", 123_456_789),
    }


def test_a_tick_has_the_time_of_its_schedule() -> None:
    assert lambda_events.read_tick({"time": "2027-01-15T08:00:00+00:00"}) == 1_800_000_000
    for odd in ({}, {"time": None}, {"time": "2027-01-15T08:00:00"}, {"time": "soon"}, None):
        assert lambda_events.read_tick(odd) is None  # type: ignore[arg-type]


def item(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "event_id": {"S": "Sample"}, "generation": {"N": "2"}, "position": {"N": "7"},
        "request_id": {"S": ID}, "kind": {"S": "token"}, "at": {"N": "100"},
        "session_status": {"S": "open"},
    }  # fmt: skip
    return {**made, **changes}


def test_a_row_of_the_stream_is_an_outcome_and_a_removed_one_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    rows = [
        {"eventName": "REMOVE", "dynamodb": {}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": item()}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": {}}},
        {"eventName": "MODIFY", "dynamodb": {"NewImage": item(position={"N": "8"})}},
        {},
    ]
    found = lambda_events.read_outcomes({"Records": rows})
    assert [one.position for one in found.decided] == [7]
    assert [one.position for one in found.extended] == [8]
    assert len(caplog.records) == 2


def test_an_outcome_without_token_facts_expires_at_no_time() -> None:
    kind = OutcomeKind.TOKEN.value
    status = SessionStatus.OPEN.value
    bare = outcome_items.outcome_from_item(item(kind={"S": kind}, session_status={"S": status}))
    assert (bare.expires_at, bare.issuer, bare.key_id) == (0, "", "")
    full = outcome_items.outcome_from_item(
        item(
            kind={"S": kind},
            session_status={"S": status},
            expires_at={"N": "160"},
            issuer={"S": "i"},
            key_id={"S": "k"},
        )
    )
    assert (full.expires_at, full.issuer, full.key_id) == (160, "i", "k")


def test_the_first_id_has_the_form_of_an_id() -> None:
    more = {FIRST_ID: "no id!", FIRST_SENT: SENT}
    attributes = {"SentTimestamp": SENT, "SenderId": f"{ROLE}:call"}
    with pytest.raises(InvalidInput, match="request_id"):
        lambda_events.first_id_and_time(ID, attributes, more, ROLE)
