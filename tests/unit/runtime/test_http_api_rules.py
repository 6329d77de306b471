# SPDX-License-Identifier: Apache-2.0
"""HTTP at its limits: sizes, numbers, marks of pages, statuses, headers."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.domain import errors
from waiting_room.domain.errors import InvalidInput
from waiting_room.runtime import http_api


class Query(dict[str, list[str]]):
    """Parameters of a query as Chalice has them."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def asked(**values: list[str]) -> Any:
    return SimpleNamespace(query_params=Query(values))


def sent(raw: bytes | None, kind: str | None = "application/json") -> Any:
    return SimpleNamespace(raw_body=raw, headers={} if kind is None else {"content-type": kind})


def test_a_query_parameter_is_given_exactly_once() -> None:
    assert http_api.query(asked(event_id=["Sample"]), "event_id") == "Sample"
    nothing = SimpleNamespace(query_params=None)
    for request in (asked(), asked(event_id=["a", "b"]), asked(event_id=[""]), nothing):
        with pytest.raises(InvalidInput, match="event_id must be given exactly once"):
            http_api.query(request, "event_id")


def test_an_optional_parameter_is_given_once_at_most() -> None:
    assert http_api.optional_query(asked(limit=["5"]), "limit") == "5"
    assert http_api.optional_query(asked(limit=[""]), "limit") == ""
    assert http_api.optional_query(asked(), "limit") is None
    assert http_api.optional_query(SimpleNamespace(query_params=None), "limit") is None
    with pytest.raises(InvalidInput, match="limit may be given once only"):
        http_api.optional_query(asked(limit=["5", "5"]), "limit")


def test_a_body_has_16384_bytes_at_most() -> None:
    largest = b'{"a": 1}'.ljust(16_384)
    assert http_api.body(sent(largest)) == {"a": 1}
    with pytest.raises(InvalidInput, match="longer than 16384 bytes"):
        http_api.body(sent(largest + b" "))


@pytest.mark.parametrize("kind", [
    None, "", "application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "no type at all",
])  # fmt: skip
def test_a_body_is_json_whatever_its_type_says(kind: str | None) -> None:
    assert http_api.body(sent(b'{"a": 1}', kind)) == {"a": 1}
    with pytest.raises(InvalidInput, match="the body is not valid JSON"):
        http_api.body(sent(b"a=1", kind))


def test_a_body_that_cannot_be_decoded_or_is_empty_is_no_json() -> None:
    class Broken:
        headers: dict[str, str] = {}

        @property
        def raw_body(self) -> bytes:
            raise ValueError

    for request in (Broken(), sent(None), sent(b""), sent(b"[]")):
        with pytest.raises(InvalidInput, match="the body"):
            http_api.body(request)


def test_a_text_is_as_long_as_its_limit_at_most() -> None:
    assert http_api.text({"name": "abc"}, "name", longest=3) == "abc"
    assert http_api.text({"name": ""}, "name", longest=3) == ""
    for content in ({"name": "abcd"}, {"name": 1}, {"name": None}, {}):
        with pytest.raises(InvalidInput, match="name must be a text of at most 3"):
            http_api.text(content, "name", longest=3)


def test_a_client_secret_may_be_missing_or_null_and_is_a_text_otherwise() -> None:
    assert http_api.client_secret({}, 5) is None
    assert http_api.client_secret({"client_secret": None}, 5) is None
    assert http_api.client_secret({"client_secret": "12345"}, 5) == "12345"
    for wrong in ("123456", 5, False, []):
        with pytest.raises(InvalidInput, match="client_secret"):
            http_api.client_secret({"client_secret": wrong}, 5)


def test_a_whole_number_keeps_its_limits() -> None:
    assert http_api.whole_number(None, "limit", 2, 9) is None
    assert [http_api.whole_number(text, "limit", 2, 9) for text in ("2", "9")] == [2, 9]
    for text in ("1", "10", "", "2.0", "x"):
        with pytest.raises(InvalidInput, match="limit must be a whole number from 2 to 9"):
            http_api.whole_number(text, "limit", 2, 9)


@given(st.integers(0, 9_999), st.integers(0, 10**15 - 1))
def test_a_mark_of_expired_tokens_is_read_as_it_was_written(shard: int, position: int) -> None:
    assert http_api.decode_page_token(http_api.encode_page_token((shard, position))) == (
        shard,
        position,
    )


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**12 - 1), st.integers(0, 10**15 - 1))
def test_a_mark_of_ended_sessions_is_read_as_it_was_written(one: int, two: int, three: int) -> None:
    assert http_api.decode_ended_page_token(http_api.encode_page_token((one, two, three))) == (
        one,
        two,
        three,
    )


@pytest.mark.parametrize("mark", [(10_000, 1), (1, 10**15), (1,), (1, 2, 3), (-1, 2)])
def test_a_mark_of_other_numbers_is_none_of_expired_tokens(mark: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="next_token"):
        http_api.decode_page_token(http_api.encode_page_token(mark))


@pytest.mark.parametrize("mark", [(10**9, 1, 1), (1, 10**12, 1), (1, 1, 10**15), (1, 2)])
def test_a_mark_of_other_numbers_is_none_of_ended_sessions(mark: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="next_token"):
        http_api.decode_ended_page_token(http_api.encode_page_token(mark))


def test_without_a_mark_the_first_page_is_meant() -> None:
    assert http_api.decode_page_token(None) is None
    assert http_api.decode_ended_page_token(None) is None


@pytest.mark.parametrize("text", ["01.2", "1.2 ", "1.2\n", "１.2"])
def test_a_mark_has_one_spelling(text: str) -> None:
    token = urlsafe_b64encode(text.encode()).decode().rstrip("=")
    with pytest.raises(InvalidInput, match="next_token"):
        http_api.decode_page_token(token)
    with pytest.raises(InvalidInput, match="next_token"):
        http_api.decode_page_token(http_api.encode_page_token((1, 2)) + "=")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), 400), (errors.OtherGeneration("x"), 409),
        (errors.NotServedYet("x"), 202),
        (errors.NotAssignedYet("x"), 202), (errors.WrongClientSecret("x"), 403),
        (errors.UnknownRequest("x"), 404),
        (errors.NoLiveSession("x"), 404), (errors.Gone("x"), 410), (errors.Unavailable("x"), 503),
        (errors.TokenExpired("x"), 410), (errors.RoomError("x"), 500),
    ],
)  # fmt: skip
def test_each_error_has_its_status(error: errors.RoomError, status: int) -> None:
    assert http_api.status_of(error) == status


@pytest.mark.parametrize(("seconds", "stale"), [(0, 5), (1, 4), (4, 1), (5, 0), (6, 0), (60, 0)])
def test_no_answer_is_served_longer_than_five_seconds_while_the_room_is_away(
    seconds: int, stale: int
) -> None:
    assert http_api.cached(seconds) == f"public, max-age={seconds}, stale-if-error={stale}"


def test_an_answer_is_json_not_stored_and_readable_by_every_origin() -> None:
    made = http_api.json_response({"a": 1}, headers={"Retry-After": "3"})
    assert made.status_code == 200
    assert json.loads(made.body) == {"a": 1}
    assert made.headers["Cache-Control"] == "no-store"
    assert made.headers["Access-Control-Allow-Origin"] == "*"
    assert made.headers["Retry-After"] == "3"


def test_a_view_answers_its_value_its_response_or_the_status_of_its_error() -> None:
    def call(outcome: Any) -> Any:
        @http_api.json_handler
        def a_view() -> Any:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        assert a_view.__name__ == "a_view"
        return a_view()

    made = http_api.json_response({}, 201)
    assert call(made) is made
    assert json.loads(call({"b": 2}).body) == {"b": 2}
    busy = call(errors.Unavailable("away", 7))
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "7")
    assert call(InvalidInput("x is wrong")).status_code == 400
    broken = call(KeyError("secret"))
    assert (broken.status_code, json.loads(broken.body)) == (500, {"error": "internal error"})
