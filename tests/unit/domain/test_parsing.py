# SPDX-License-Identifier: Apache-2.0
"""The one reader of JSON from outside: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import MAX_DEPTH, MAX_DIGITS, json_object, json_value, read_whole

VISITOR = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"


def refusal(text: str | bytes) -> str:
    """Why a text is refused."""
    with pytest.raises(InvalidInput) as found:
        json_object(text, "the body")
    return str(found.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"event_id":"A","event_id":"B"}', "event_id may be given once only"),
        ('{"a":[{"b":1,"b":1}]}', "b may be given once only"),
        ('{"health":NaN}', "health must be a number in the range of a double (IEEE 754)"),
        ('{"health":-Infinity}', "health must be a number in the range of a double (IEEE 754)"),
        ('{"health":1e400}', "health must be a number in the range of a double (IEEE 754)"),
        (
            '{"by":' + "9" * (MAX_DIGITS + 1) + "}",
            "by must be a number in the range of a double (IEEE 754)",
        ),
        ('{"by":' + "9" * 5000 + "}", "by must be a number in the range of a double (IEEE 754)"),
        (
            '{"by":[[-' + "9" * 5000 + "]]}",
            "by must be a number in the range of a double (IEEE 754)",
        ),
        ('{"message":"\\ud800"}', "message must not contain an unpaired surrogate"),
        ('{"targets":{"a":["\\udc00"]}}', "a must not contain an unpaired surrogate"),
        ('{"\\ud800":1}', "a member must not contain an unpaired surrogate"),
        ("{" + f'"{VISITOR}":1,"{VISITOR}":1' + "}", "a member may be given once only"),
        ("[]", "the body must be a JSON object"),
        ('"event_id"', "the body must be a JSON object"),
    ],
)
def test_what_is_refused_is_named(text: str, says: str) -> None:
    assert refusal(text) == says


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "{}{}", "{} x", "{}\x00", "\ufeff{}", "{'a':1}", '{"a":1,}', '{"a":"\x00"}',
     '{"a":01}', '{"a":\u0661}', '{"a":+1}', '{"a":0x1}', '{"a":1_0}', "[" * 100_000,
     '{"a":' * 5000 + "1" + "}" * 5000, b"\xff{}", b"\xef\xbb\xbf{}", "{}".encode("utf-16")],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    assert refusal(text) == "the body is not valid JSON"


@pytest.mark.parametrize(("opens", "closes"), [('{"a":', "}"), ("[", "]")])
def test_a_text_is_nested_as_deeply_as_is_said(opens: str, closes: str) -> None:
    """The limit does not depend on the version of Python, nor on how much stack is left."""

    def nested(levels: int) -> str:
        return '{"a":' + opens * (levels - 1) + "1" + closes * (levels - 1) + "}"

    assert json_object(nested(MAX_DEPTH), "the body").keys() == {"a"}
    assert refusal(nested(MAX_DEPTH + 1)) == "the body is not valid JSON"


def test_brackets_in_texts_and_side_by_side_are_not_nested() -> None:
    many = MAX_DEPTH + 1
    quoted = {"a": "[" * many, "b": '\\"{' * many, "[" * many: "\\" * many + "["}
    assert json_object(json.dumps(quoted), "the body") == quoted
    assert json_object('{"a":[' + "{}," * many + "[]]}", "the body")["a"] == [*[{}] * many, []]


def test_whole_numbers_may_be_spelled_as_fractions() -> None:
    assert json_object('{"a":2.0,"b":2e3,"c":0.5,"d":true}', "it") == {
        "a": 2, "b": 2000, "c": 0.5, "d": True,
    }  # fmt: skip
    assert type(json_value("2.0", "it")) is int
    assert json_value("9" * MAX_DIGITS, "it") == int("9" * MAX_DIGITS)


SANE = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | SANE
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(SANE, inner), max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(SANE, VALUES), st.booleans())
def test_everything_that_i_json_has_is_read_as_the_library_reads_it(
    content: dict[str, Any], escaped: bool
) -> None:
    text = json.dumps(content, ensure_ascii=escaped)
    assert json_object(text, "it") == content
    assert json_object(text.encode(), "it") == content


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("007", 7), ("-5", -5), ("10", 10), ("11", None), ("", None), ("-", None),
     ("--5", None), ("+5", None), (" 5", None), ("5\n", None), ("1_0", None), ("\u0665", None),
     ("\u00b2", None), ("1e1", None), ("9" * 5000, None), ("5\x00", None), ("\ud800", None)],
)  # fmt: skip
def test_a_whole_number_is_ascii_digits_within_limits(text: str, value: int | None) -> None:
    assert read_whole(text, -10, 10) == value


def test_no_name_that_may_be_repeated_looks_like_a_request_id() -> None:
    assert not re.search(VISITOR, refusal(f'{{"x":{{"{VISITOR}":NaN}}}}'))
