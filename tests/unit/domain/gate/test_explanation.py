# SPDX-License-Identifier: Apache-2.0
"""Explanation of a gate's decision: the same event as the decision, the rule and the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.explanation import Effect, explain, request_of
from waiting_room.domain.gate.rules import find_event, sort_rules
from waiting_room.domain.gate.store import rules_of

NOW = 1_800_000_000
STAFF = {"header": "x-staff: 3f0c9a1d5b7e4c26"}


def documents(**rules: tuple[list[Any], list[Any]]) -> dict[str, Any]:
    return {
        event_id: {**defaults(), "protect": protect, "bypass": bypass}
        for event_id, (protect, bypass) in rules.items()
    }


SHOP = documents(
    sale=([{"path": "/checkout"}, {"host": "api.example", "methods": ["POST"]}], [STAFF]),
    vip=([{"path": "/checkout/vip"}], [{"path": "/checkout/vip/help"}]),
)


def effects(address: str, **more: Any) -> tuple[str | None, list[tuple[str, str, str]]]:
    found = explain(request_of(address, **more), SHOP, NOW)
    return found.event_id, [
        (one.event_id, one.effect.name, " ".join(one.misses)) for one in found.rules
    ]


def test_the_most_specific_rule_decides() -> None:
    assert effects("https://shop.example/checkout/vip/now") == ("vip", [
        ("sale", "NONE", "host methods"), ("vip", "NONE", "path"), ("vip", "DECIDES", ""),
        ("sale", "LATER", ""), ("sale", "NONE", "header"),
    ])  # fmt: skip


def test_a_bypass_rule_suspends_the_rules_of_its_event_only() -> None:
    address = "https://shop.example/checkout/vip"
    assert effects(address, headers=[("X-Staff", "3f0c9a1d5b7e4c26")]) == ("vip", [
        ("sale", "NONE", "host methods"), ("vip", "NONE", "path"), ("vip", "DECIDES", ""),
        ("sale", "BYPASSED", ""), ("sale", "BYPASSES", ""),
    ])  # fmt: skip
    event_id, found = effects(f"{address}/help", headers=[("x-staff", "3f0c9a1d5b7e4c26")])
    assert event_id is None
    assert [effect for _, effect, _ in found].count("BYPASSED") == 2


@pytest.mark.parametrize(
    ("address", "more", "text"),
    [
        ("https://a/checkout", {}, "sale protects it"),
        ("https://a/x/..//CHECKOUT", {}, "sale protects it, in one of 5 readings of the path"),
        ("https://a/%63heckout?x=1", {}, "sale protects it, in one of 2 readings of the path"),
        ("https://a/%c0%ae", {}, "vip protects it, because the path cannot be read"),
        ("https://a/", {}, "no rule protects it"),
        ("https://a", {}, "no rule protects it"),
        ("https://a/_waiting-room/enter", {}, "the path belongs to the waiting room itself"),
        (
            "https://a/checkout", {"headers": [("X-Staff", "3f0c9a1d5b7e4c26")]},
            "a bypass rule lets it pass at sale, and no other event protects it",
        ),
        (
            "https://api.example/", {"method": "options", "headers": [
                ("Origin", "https://a"), ("Access-Control-Request-Method", "POST"),
                ("X-Method-Override", "POST"),
            ]},
            "sale protects it; the gate answers this CORS preflight itself",
        ),
    ],
)  # fmt: skip
def test_the_reason_is_a_sentence(address: str, more: Any, text: str) -> None:
    assert explain(request_of(address, **more), SHOP, NOW).reason == text


def test_the_explanation_has_the_fail_mode() -> None:
    sale = SHOP["sale"]
    for choice in ("closed", "open"):
        session = {**sale["session"], "when_unreachable": choice}
        shop = {"sale": {**sale, "session": session}}
        found = explain(request_of("https://a/checkout"), shop, NOW).to_json()
        assert found["gate"]["when_unreachable"] == choice


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("", "must begin with"), ("shop.example", "must begin with"), ("ftp://a/", "must begin"),
        ("/checkout", "must begin with"), ("https:///a", "must begin with"),
        ("http://[", "the host must be as a browser sends it"),
        ("https://bücher.example/", "the host must be"),
        ("https://a/\ud800", "has a character that cannot be sent"),
    ],
)  # fmt: skip
def test_an_address_has_scheme_and_host(address: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        request_of(address)


def test_the_gate_has_reading_state_and_responses_without_a_session() -> None:
    later = {**SHOP, "sale": {**SHOP["sale"], "schedule": {**defaults()["schedule"],
                                                           "opens_at": NOW + 60}}}  # fmt: skip
    request = request_of(
        "https://a/%63heckout", "POST", cookies=[("__Host-waiting-room-sale", "x")]
    )
    found = explain(request, later, NOW).to_json()
    assert found["readings"] == 2
    assert found["gate"] == {
        "reading": "/checkout", "state": "not open yet", "open_from": 0, "open_until": 0,
        "opens_at": NOW + 60, "when_unreachable": "closed",
        "without_session": {
            "page": {"status": 303, "reason": "not_open"},
            "script": {"status": 403, "reason": "not_open"},
        },
    }  # fmt: skip
    through = {"sale": {**SHOP["sale"], "mode": "pass_through"}}
    found = explain(request, through, NOW).to_json()
    assert found["gate"]["state"] == "open to all"
    assert found["gate"]["without_session"]["page"] == {"status": 0, "reason": "open"}
    assert explain(request_of("https://a/"), SHOP, NOW).to_json()["gate"] is None


def test_a_request_is_as_it_was_written() -> None:
    made = request_of(
        "https://user@Shop.example:8443/a b/%2e/é?x=é#part", "post", [("X-A", " 1 ")],
        [("c", "1"), ("c", "2")], "Agent",
    )  # fmt: skip
    assert (made.method, made.host, made.path) == ("POST", "Shop.example:8443", "/a%20b/%2e/%C3%A9")
    assert made.query == "x=%C3%A9"
    assert made.headers == {"user-agent": ["Agent"], "x-a": ["1"]}
    assert made.cookies == {"c": ["1", "2"]}
    assert request_of("https://a/").query is None
    assert request_of("https://a/?").query == ""


RULE = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["/", "/a", "/a/*", "/**/b", "/a/b"]),
        "host": st.sampled_from(["x", "y"]),
        "methods": st.sampled_from([["GET"], ["POST"]]),
        "header": st.sampled_from(["h", "h: 1"]),
        "cookie": st.sampled_from(["c", "c=1"]),
        "user_agent": st.just("bot"),
    },
)
RULES = st.lists(RULE, max_size=4)


@given(
    st.fixed_dictionaries({"one": st.tuples(RULES, RULES), "two": st.tuples(RULES, RULES)}),
    st.sampled_from(["/", "/a", "/a/b", "/A//b", "/a/%62", "/x/b", "/%c0"]),
    st.sampled_from(["x", "y"]), st.sampled_from(["GET", "POST"]), st.booleans(),
)  # fmt: skip
def test_the_explanation_is_that_of_the_decision(
    rules: Any, path: str, host: str, method: str, more: bool
) -> None:
    given_more = {"headers": [("h", "1")], "cookies": [("c", "1")], "user_agent": "Bot"}
    request = request_of(f"https://{host}{path}", method, **(given_more if more else {}))
    every = documents(**rules)
    found = explain(request, every, NOW)
    ordered = sort_rules(one for name, kept in every.items() for one in rules_of(name, kept))
    assert found.event_id == find_event(ordered, request)
    deciding = [one.event_id for one in found.rules if one.effect is Effect.DECIDES]
    assert deciding == ([found.event_id] if found.event_id else [])
    for one in found.rules:
        assert bool(one.misses) == (one.effect is Effect.NONE)
