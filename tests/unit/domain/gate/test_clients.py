# SPDX-License-Identifier: Apache-2.0
"""Headers of the clients of the entrance: class of ``Accept``, cookies, probe, prefetch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.gate.clients import (
    has_probe,
    is_prefetch,
    parse_cookies,
    prefers_json,
    set_cookie,
)
from waiting_room.domain.gate.credentials import encode_probe

KEYS = MemoryGateKeys().keys("sale")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON;q=0.2", True),
        ("application/*", True),
        ("text/html;q=0.5, application/json", True),
        ("application/json, text/plain, */*", False),
        ("application/json, text/html;q=0.9, */*;q=0.8", True),
        ("application/json;q=0.9, */*", False),
        ("text/html, application/json;q=0.9", False),
        ("application/json;q=0", False),
        ("application/json;q=nonsense", True),
        (BROWSER, False),
        ("*/*", False),
        ("", False),
        ("image/png", False),
    ],
)
def test_json_needs_a_higher_quality_than_html(accept: str, expected: bool) -> None:
    assert prefers_json(accept) is expected


@given(st.text(max_size=60))
def test_no_header_raises(text: str) -> None:
    prefers_json(text)
    parse_cookies(text)
    has_probe({"__Host-waiting-room_probe-sale": [text]}, "sale", KEYS, 0, secure=True)


def test_cookies_keep_all_values_of_a_name() -> None:
    assert parse_cookies('a=1; b="2"; a=3; broken; c=4=5') == {
        "a": ["1", "3"], "b": ["2"], "c": ["4=5"],
    }  # fmt: skip
    assert parse_cookies("") == {}


def test_a_probe_is_of_its_event_and_valid_for_an_hour() -> None:
    probe, name = encode_probe("sale", 1_000, KEYS), "__Host-waiting-room_probe-sale"
    plain = "waiting-room_probe-sale"
    for cookies, now, secure, expected in (
        ({name: [probe]}, 1_000, True, True),
        ({name: [probe]}, 4_599, True, True),
        ({name: [probe]}, 4_600, True, False),
        ({name: [probe]}, 700, True, True),
        ({name: [probe]}, 699, True, False),
        ({name: ["x", probe]}, 1_000, True, True),
        ({name: ["x", "x", probe]}, 1_000, True, False),
        ({name: [probe + "x"]}, 1_000, True, False),
        ({name: [encode_probe("other", 1_000, KEYS)]}, 1_000, True, False),
        ({plain: [probe]}, 1_000, False, True),
        ({plain: [probe]}, 1_000, True, False),
        ({}, 1_000, True, False),
    ):
        assert has_probe(cookies, "sale", KEYS, now, secure=secure) is expected


def test_a_cookie_has_the_attributes_of_its_scheme() -> None:
    assert set_cookie("a", "1", 60, secure=True) == (
        "a=1; Secure; HttpOnly; SameSite=None; Path=/; Max-Age=60"
    )
    assert set_cookie("a", "", 0, secure=False) == "a=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec-purpose": "prefetch;prerender"}, True), ({"purpose": "prefetch"}, True),
        ({"x-moz": "Prefetch"}, True), ({"sec-purpose": "prerender"}, True), ({}, False),
        ({"sec-purpose": ""}, False),
    ],
)  # fmt: skip
def test_a_prefetch_is_recognised(headers: dict[str, str], expected: bool) -> None:
    assert is_prefetch(headers) is expected
