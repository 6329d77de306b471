# SPDX-License-Identifier: Apache-2.0
"""Decision of the gate: vectors, spellings of a path, forged credentials, order of rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import gate_vectors
from tests.support.gate_vectors import BOTH, NAME, NOW, SALE, SESSION, Case, encoded, get
from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys, GateSession
from waiting_room.domain.gate.decision import Pass, decide
from waiting_room.domain.gate.path_readings import readings
from waiting_room.domain.gate.request import local_path
from waiting_room.domain.gate.rules import find_event, sort_rules

RULES = sort_rules([("sale", False, {"path": "/shop/checkout"})])
KEY = "6" * 64


def test_the_file_of_vectors_is_current() -> None:
    """After a change: ``python -m tests.support.gate_vectors``."""
    assert gate_vectors.FILE.read_text(encoding="utf-8") == gate_vectors.text()


def test_there_are_vectors_of_each_kind() -> None:
    found = json.loads(gate_vectors.FILE.read_text(encoding="utf-8"))["vectors"]
    names = [one["name"] for one in found]
    assert len(names) >= 300
    assert len({*names}) == len(names)
    assert {one["expected"]["reason"] for one in found} == {
        "closed", "crawler", "grace", "handover", "no_rule", "no_session", "no_ticket", "not_open",
        "open", "preflight", "renew", "renewing", "room", "session", "session_ended",
        "session_over",
    }  # fmt: skip


def percent(text: str) -> str:
    return "".join(f"%{ord(one):02x}" for one in text)


SPELLINGS: list[Callable[[str, int], str]] = [
    lambda path, at: path[:at] + percent(path[at : at + 1]) + path[at + 1 :],
    lambda path, at: path[:at] + percent(path[at : at + 1]).upper() + path[at + 1 :],
    lambda path, _: path.replace("%", "%25"),
    lambda path, at: path[:at] + path[at : at + 1].swapcase() + path[at + 1 :],
    lambda path, _: path.replace("/", "//", 1),
    lambda path, _: path.replace("/", "/./", 1),
    lambda path, _: path.replace("/", "/x/../", 1),
    lambda path, _: path.replace("/", "/%2e/", 1),
    lambda path, _: "/" + path[1:].replace("/", "\\"),
    lambda path, _: "/" + path[1:].replace("/", "%2f"),
    lambda path, _: path.replace("checkout", "checkout;v=1"),
    lambda path, _: path + "/",
    lambda path, _: path + "/pay",
    lambda path, _: path + ";",
    lambda path, _: path + "%3fa=1",
    lambda path, _: path + "%23",
    lambda path, _: path + "/.",
    lambda path, _: path + "/x/..",
    lambda path, _: path + "%00",
]


@given(st.lists(st.tuples(st.sampled_from(SPELLINGS), st.integers(1, 20)), max_size=5))
def test_no_spelling_of_a_protected_path_passes(
    steps: list[tuple[Callable[[str, int], str], int]],
) -> None:
    path = "/shop/checkout"
    for spell, at in steps:
        path = spell(path, at)
    found = decide(get(path), RULES, {"sale": SALE}, BOTH, NOW)
    assert not isinstance(found, Pass), path


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_readings_are_closed_and_end(text: str) -> None:
    found = readings("/" + text)
    if found is not None:
        assert len({*found}) == len(found)
        for one in found:
            assert set(readings(one) or []) <= {*found}


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_session_is_no_session(at: int, change: int) -> None:
    value = encoded()
    at %= len(value)
    changed = value[:at] + chr(ord(value[at]) ^ change) + value[at + 1 :]
    assert credentials.decode_session(changed, BOTH) is None


NUMBER = st.integers(0, 36**10 - 1)
EVENT_ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)


@given(st.builds(GateSession, EVENT_ID, NUMBER, NUMBER, NUMBER, NUMBER))
def test_a_credential_has_what_was_encoded(session: GateSession) -> None:
    value = credentials.encode_session(session, BOTH)
    assert credentials.decode_session(value, BOTH) == session
    assert credentials.decode_session(value, GateKeys("old", {"old": KEY})) is None
    ticket = credentials.encode_ticket(session, "a.example", NOW, BOTH)
    assert credentials.decode_ticket(ticket, "a.example", NOW, BOTH) == session
    assert credentials.decode_ticket(ticket, "b.example", NOW, BOTH) is None
    assert credentials.decode_ticket(ticket, "a.example", NOW + 60, BOTH) is None
    probe = credentials.encode_probe(session.event_id, NOW, BOTH)
    assert credentials.decode_probe(probe, BOTH) == (session.event_id, NOW)
    for text in (value, ticket, probe):
        read = [
            credentials.decode_session(text, BOTH), credentials.decode_probe(text, BOTH),
            credentials.decode_ticket(text, "a.example", NOW, BOTH),
        ]  # fmt: skip
        assert len([one for one in read if one is not None]) == 1


def test_rotation_ends_no_session() -> None:
    before = GateKeys("a", {"a": KEY})
    both, after = GateKeys("b", {"a": KEY, "b": "7" * 64}), GateKeys("b", {"b": "7" * 64})
    old = credentials.encode_session(SESSION, before)
    new = credentials.encode_session(SESSION, both)
    assert credentials.decode_session(old, both) == SESSION
    assert credentials.decode_session(new, after) == SESSION
    assert credentials.decode_session(old, after) is None


def test_the_most_specific_rule_is_first() -> None:
    rules = sort_rules(
        [
            ("any", False, {"path": "/"}),
            ("glob", False, {"path": "/**/pay"}),
            ("long", False, {"path": "/checkout/pay"}),
            ("host", False, {"host": "shop.example", "path": "/a"}),
            ("post", False, {"path": "/checkout/pay", "methods": ["POST"]}),
        ]
    )
    assert [one[0] for one in rules] == ["host", "post", "long", "glob", "any"]
    assert find_event(rules, get("/checkout/pay")) == "long"
    assert find_event(rules, get("/checkout/pay", method="POST")) == "post"
    assert find_event(rules, get("/x/pay")) == "glob"
    assert find_event(rules, get("/x")) == "any"
    assert rules == sort_rules(reversed(rules))


def test_a_bypass_of_one_event_leaves_the_rules_of_others() -> None:
    rules = sort_rules(
        [
            ("vip", False, {"path": "/shop/vip"}),
            ("vip", True, {"cookie": "staff"}),
            ("sale", False, {"path": "/shop"}),
        ]
    )
    staff = get("/shop/vip", cookies={"staff": ["1"]})
    assert find_event(rules, get("/shop/vip")) == "vip"
    assert find_event(rules, staff) == "sale"


@pytest.mark.parametrize(
    "to",
    [
        "", "//evil", "/\\evil", "https://evil", "/a b", "/a\n", "/a\r\nset-cookie: x", "a",
        "\\evil", "/é",
    ],
)  # fmt: skip
def test_an_address_that_leads_elsewhere_becomes_the_root(to: str) -> None:
    assert local_path(to) == "/"
    assert local_path("/a?b=//c#d") == "/a?b=//c#d"


def test_a_session_under_the_cookie_of_another_event_is_none() -> None:
    name = "__Host-waiting-room-vip"
    other = get("/checkout/vip", cookies={name: [encoded()]})
    assert Case("", "", other).response()["reason"] == "no_session"
    wrong_name = get("/checkout/vip", cookies={NAME: [encoded()]})
    assert Case("", "", wrong_name).response()["reason"] == "no_session"
    own = replace(other, cookies={name: [encoded(event_id="vip")]})
    assert Case("", "", own).response()["reason"] == "session"
