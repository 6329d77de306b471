# SPDX-License-Identifier: Apache-2.0
"""Content of the store of the edge: parts of rules, states of events, their phase."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.decision import GateEvent, Pass, decide
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.root_keys import derive
from waiting_room.domain.gate.rules import sort_rules
from waiting_room.domain.gate.store import MAX_VALUE, GatedEvent, gate_event, store_items

KEYS = MemoryGateKeys()
NOW = 1_800_000_000


def event(event_id: str = "sale", **members: Any) -> GatedEvent:
    document = defaults()
    for name, value in members.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    return GatedEvent(event_id, document, 3, NOW)


def rules_of(items: Mapping[str, str], host: str) -> list[Any]:
    head = json.loads(items[f"h:{host}"])
    further = [f"h:{host}:{head['v']}:{at}" for at in range(1, head.get("n", 0) + 1)]
    parts = [json.loads(items[name])["r"] for name in further]
    return sum(parts, head["r"])


def test_a_host_has_its_rules_and_those_of_all_hosts() -> None:
    items = store_items(
        [
            event(
                protect=[{"path": "/checkout"}, {"host": "vip.example"}], bypass=[{"path": "/x"}]
            ),
            event("other", protect=[{"path": "/checkout/other"}]),
        ],
        KEYS,
    )
    assert set(items) == {"h:*", "h:vip.example", "e:sale", "e:other"}
    everywhere = [["other", 0, "/checkout/other"], ["sale", 0, "/checkout"], ["sale", 1, "/x"]]
    assert rules_of(items, "*") == everywhere
    assert rules_of(items, "vip.example") == [["sale", 0, 0, "vip.example"], *everywhere]


def test_a_room_without_a_gate_protects_nothing() -> None:
    assert rules_of(store_items([], KEYS), "*") == []
    assert rules_of(store_items([event()], KEYS), "*") == []


@given(st.lists(st.integers(1, 400), min_size=1, max_size=120))
def test_each_value_fits_and_no_rule_is_lost(lengths: list[int]) -> None:
    protect = [{"path": f"/{at}-{'é' * (length // 2)}"} for at, length in enumerate(lengths)]
    items = store_items([event(protect=protect)], KEYS)
    assert max(len(value.encode()) for value in items.values()) <= MAX_VALUE
    expected = [
        rule["path"] for _, _, rule in sort_rules([("sale", False, one) for one in protect])
    ]
    assert [rule[2] for rule in rules_of(items, "*")] == expected


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="a rule of sale"):
        store_items([event(protect=[{"path": "/" + "a" * 1_000}])], KEYS)
    origins = {"origins": [f"https://{at}.example" for at in range(60)]}
    with pytest.raises(ValueError, match=r"site\.origins of sale"):
        store_items([event(site=origins)], KEYS)


def test_a_state_has_the_keys_and_what_happens_without_a_decision() -> None:
    items = store_items([event(), event("open", session={"when_unreachable": "open"})], KEYS)
    state = json.loads(items["e:sale"])
    keys = {"new": derive("6" * 64, "sale"), "old": derive("5" * 64, "sale")}
    assert state == {"g": 3, "r": 300, "k": {"signing": "new", "keys": keys}}
    assert json.loads(items["e:open"])["u"] == 1


TIME = st.one_of(st.none(), st.integers(NOW - 3, NOW + 3))


@given(
    mode=st.sampled_from(["queue", "pass_through"]),
    opens_at=TIME, closes_at=TIME, closed_at=st.sampled_from([None, NOW]),
    after=st.sampled_from(["closed", "pass_through"]), now=st.integers(NOW, NOW + 5),
)  # fmt: skip
def test_the_gate_follows_the_phase_of_each_second(
    mode: str,
    opens_at: int | None,
    closes_at: int | None,
    closed_at: int | None,
    after: str,
    now: int,
) -> None:
    """Without a session a request passes in pass-through only, and the refusal names the phase."""
    gated = event(
        mode=mode,
        schedule={"opens_at": opens_at, "closes_at": closes_at, "after": after},
        control={"closed_at": closed_at},
    )
    rules = [("sale", False, {"path": "/"})]
    found = decide(
        GateRequest("GET", "a", "/"), rules, {"sale": gate_event(gated)}, KEYS.keys("sale"), now
    )
    phase = phase_of(gated.document, now)
    assert isinstance(found, Pass) == (phase is Phase.PASS_THROUGH), phase
    expected = {Phase.CLOSED: "closed", Phase.SCHEDULED: "not_open", Phase.PASS_THROUGH: "open"}
    assert found.reason == expected.get(phase, "no_session")


def test_the_store_has_no_default_values() -> None:
    assert GateEvent().to_json() == {"g": 1, "r": 300}
