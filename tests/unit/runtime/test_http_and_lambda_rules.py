# SPDX-License-Identifier: Apache-2.0
"""Each rule of HTTP requests, responses and Lambda events by itself."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.in_memory_room import EVENT
from tests.support.tokens import VISITOR
from waiting_room.domain.errors import (
    InvalidInput,
    Unavailable,
)
from waiting_room.domain.records import SessionStatus
from waiting_room.runtime import http_api, lambda_events


def asked(**values: Any) -> Any:
    params = SimpleNamespace(
        getlist=lambda name: values[name], __contains__=lambda name: name in values
    )

    class Params(dict[str, Any]):
        getlist = staticmethod(params.getlist)

    return SimpleNamespace(query_params=Params(values) if values else None)


def test_a_query_parameter_is_given_once() -> None:
    assert http_api.query(asked(a=["x"]), "a") == "x"
    for request in (asked(), asked(b=["x"]), asked(a=[""]), asked(a=["x", "y"])):
        with pytest.raises(InvalidInput, match="a must be given exactly once"):
            http_api.query(request, "a")
    assert http_api.optional_query(asked(a=["x"]), "a") == "x"
    assert http_api.optional_query(asked(a=[""]), "a") == ""
    assert (
        http_api.optional_query(asked(), "a")
        is http_api.optional_query(asked(b=["x"]), "a")
        is None
    )
    with pytest.raises(InvalidInput, match="a may be given once"):
        http_api.optional_query(asked(a=["x", "y"]), "a")


def sent(raw: bytes, kind: str | None = "application/json") -> Any:
    return SimpleNamespace(raw_body=raw, headers={"content-type": kind} if kind else {})


def test_a_body_is_a_json_object_of_16_kib_at_most() -> None:
    for kind in ("application/json", "text/plain;charset=UTF-8", "z/z", "", None):
        assert http_api.body(sent(b'{"a": 1}', kind)) == {"a": 1}
    whole = b'{"a": "' + b"x" * (16_384 - 9) + b'"}'
    assert len(whole) == 16_384
    assert http_api.body(sent(whole))
    for raw, kind in (
        (whole + b" ", "application/json"), (b"[]", "application/json"), (b"", None),
        (b"a=1", "application/x-www-form-urlencoded"), (b"\xff", None),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="the body"):
            http_api.body(sent(raw, kind))


def test_a_text_member_and_a_number_of_a_query_have_limits() -> None:
    assert http_api.text({"a": "x" * 5}, "a", longest=5) == "x" * 5
    assert http_api.text({"a": ""}, "a", longest=5) == ""
    for content in ({"a": "x" * 6}, {"a": 5}, {"a": None}, {}):
        with pytest.raises(InvalidInput, match="a must be a text"):
            http_api.text(content, "a", longest=5)
    assert http_api.whole_number(None, "n", 1, 9) is None
    assert [http_api.whole_number(text, "n", 1, 9) for text in ("1", "9")] == [1, 9]
    for text in ("0", "10", "", "x", "1.0"):
        with pytest.raises(InvalidInput, match="n must be"):
            http_api.whole_number(text, "n", 1, 9)
    assert (
        http_api.client_secret({}, 5) is http_api.client_secret({"client_secret": None}, 5) is None
    )
    assert http_api.client_secret({"client_secret": "abcde"}, 5) == "abcde"
    for secret in ("abcdef", 5):
        with pytest.raises(InvalidInput, match="client_secret"):
            http_api.client_secret({"client_secret": secret}, 5)


def test_a_page_mark_is_read_as_it_was_given_and_no_other_spelling_is() -> None:
    for mark in ((0, 0), (9999, 10**15 - 1), (15, 7)):
        assert http_api.decode_page_token(http_api.encode_page_token(mark)) == mark
    for end in ((0, 0, 0), (10**9 - 1, 10**12 - 1, 10**15 - 1)):
        assert http_api.decode_ended_page_token(http_api.encode_page_token(end)) == end
    assert http_api.decode_page_token(None) is None
    assert http_api.decode_ended_page_token(None) is None
    good = http_api.encode_page_token((15, 7))
    for token in (
        "", "x", good + "=", good + "!", good[:-1], http_api.encode_page_token((10_000, 1)),
        http_api.encode_page_token((1, 10**15)), http_api.encode_page_token((1, 2, 3)),
        http_api.encode_page_token((1,)), "é",
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="next_token"):
            http_api.decode_page_token(token)
    for other in ((10**9, 1, 1), (1, 10**12, 1), (1, 1, 10**15), (1, 2)):
        with pytest.raises(InvalidInput, match="next_token"):
            http_api.decode_ended_page_token(http_api.encode_page_token(other))


@pytest.mark.parametrize(("seconds", "stale"), [(0, 5), (1, 4), (5, 0), (60, 0)])
def test_no_answer_is_served_stale_beyond_five_seconds(seconds: int, stale: int) -> None:
    assert http_api.cached(seconds) == f"public, max-age={seconds}, stale-if-error={stale}"


def test_a_view_answers_with_the_status_of_its_error_and_logs_no_text_of_an_unknown_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def view(error: Exception | None) -> Any:
        @http_api.json_handler
        def look_up() -> Any:
            if error:
                raise error
            return {"a": 1}

        assert look_up.__name__ == "look_up"
        return look_up()

    assert (view(None).status_code, json.loads(view(None).body)) == (200, {"a": 1})
    busy = view(Unavailable("x", 7))
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "7")
    assert view(InvalidInput("x")).status_code == 400
    with caplog.at_level(logging.ERROR):
        odd = view(KeyError(VISITOR))
    assert (odd.status_code, json.loads(odd.body)) == (500, {"error": "internal error"})
    assert VISITOR not in caplog.text
    assert "KeyError" in caplog.text


def record(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "messageId": VISITOR, "receiptHandle": "handle", "body": json.dumps({"event_id": EVENT}),
        "attributes": {"SentTimestamp": "1500", "SenderId": "A:b"}, "messageAttributes": None,
    }  # fmt: skip
    return {**made, **changes}


@pytest.mark.parametrize(
    ("sent_at", "good"),
    [
        ("1", True), ("0", False), ("-1", False), ("99999999999999", True),
        ("100000000000000", False), (1500, False), ("1" * 20, False), (None, False),
    ],
)  # fmt: skip
def test_a_join_was_sent_at_a_time(sent_at: object, good: bool) -> None:
    one = record(attributes={"SentTimestamp": sent_at, "SenderId": "A:b"})
    joins, dead = lambda_events.read_joins({"Records": [one]}, EVENT)
    assert (len(joins), len(dead)) == ((1, 0) if good else (0, 1))
    if good:
        assert joins[0].sent_at == int(str(sent_at)) / 1000
    else:
        assert dead[0].sent_at_ms == 0


def test_an_odd_record_is_a_dead_letter_once_and_stops_no_other() -> None:
    odd: list[Any] = [None, {}, record(body=5), record(body=5), record()]
    joins, dead = lambda_events.read_joins({"Records": odd}, EVENT)
    assert len(joins) == 1
    assert [(one.message_id, one.body, one.request_id) for one in dead] == [
        ("", "", ""), (VISITOR, "", VISITOR)
    ]  # fmt: skip
    assert dead[1].sent_at_ms == 1500


def test_a_receipt_says_how_often_a_message_was_received() -> None:
    many = record(attributes={"ApproximateReceiveCount": "12"}, messageId="b")
    odd = [None, {}, record(attributes=None), record(attributes={"ApproximateReceiveCount": "x"})]
    found = lambda_events.receipts({"Records": [record(), many, *odd]})
    assert {name: (one.handle, one.count) for name, one in found.items()} == {
        VISITOR: ("handle", 1), "b": ("handle", 12)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("time", "tick"),
    [
        ("1970-01-01T00:01:40Z", 100.0), ("1970-01-01T00:01:40+00:00", 100.0),
        ("1970-01-01T00:01:40", None), ("soon", None), (5, None), (None, None),
    ],
)  # fmt: skip
def test_a_schedule_says_when_it_started(time: object, tick: float | None) -> None:
    assert lambda_events.read_tick({"time": time}) == tick
    assert lambda_events.read_tick({}) is None


def test_a_stream_tells_of_new_and_changed_rows_and_odd_ones_stop_nobody() -> None:
    image = {
        "event_id": {"S": EVENT}, "generation": {"N": "2"}, "position": {"N": "3"},
        "request_id": {"S": "r"}, "kind": {"S": "token"}, "at": {"N": "9"},
        "session_status": {"S": "open"},
    }  # fmt: skip
    rows = [
        {"eventName": name, "dynamodb": {"NewImage": image}}
        for name in ("INSERT", "MODIFY", "REMOVE", "A", "Z")
    ]
    found = lambda_events.read_outcomes({"Records": [None, {}, {"eventName": "INSERT"}, *rows]})
    for part in (found.decided, found.extended):
        assert [(one.generation, one.position, one.at, one.expires_at) for one in part] == [
            (2, 3, 9, 0)
        ]
        assert {one.status for one in part} == {SessionStatus.OPEN}
