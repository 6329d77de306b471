# SPDX-License-Identifier: Apache-2.0
"""Updates of the edge's store: order, limits, and what an edge sees in between."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.decision import GateEvent, Pass, decide
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.rules import decode_rules
from waiting_room.domain.gate.store import GatedEvent, store_items
from waiting_room.domain.gate.store_plan import MAX_BYTES, MAX_KEYS, StoreUpdate, plan_updates

NOW = 1_800_000_000
KEYS = MemoryGateKeys()
ITEMS = st.dictionaries(
    st.sampled_from([f"{kind}{number}" for kind in ("e:", "h:", "h:a:t:") for number in range(60)]),
    st.text("xy", min_size=1, max_size=3),
    max_size=150,
)


def apply(items: dict[str, str], update: StoreUpdate) -> dict[str, str]:
    kept = {key: value for key, value in items.items() if key not in update.deletes}
    return {**kept, **update.puts}


@given(ITEMS, ITEMS, st.booleans())
def test_the_updates_lead_to_the_content(
    stored: dict[str, str], wanted: dict[str, str], sweep: bool
) -> None:
    found = stored
    for update in plan_updates(stored, wanted, sweep=sweep):
        assert 0 < len(update.puts) + len(update.deletes) <= MAX_KEYS
        assert not set(update.puts) & set(update.deletes)
        assert all(stored.get(key) != value for key, value in update.puts.items())
        found = apply(found, update)
    parts = {key for key in found if key.startswith("h:a:")}
    assert {key: found[key] for key in found if key not in parts - set(wanted)} == wanted
    (swept,) = plan_updates(found, wanted, sweep=True) or (StoreUpdate(),)
    assert apply(found, swept) == wanted
    assert plan_updates(wanted, wanted, sweep=sweep) == []


def test_states_and_parts_are_first_and_deletions_last() -> None:
    stored = {"e:gone": "1", "h:gone": "1", "h:a": "1", "h:a:old:1": "1", "h:same": "1"}
    wanted = {"h:a": "2", "h:a:new:1": "1", "e:b": "1", "h:*": "1", "h:same": "1"}
    (update,) = plan_updates(stored, wanted)
    assert list(update.puts) == ["e:b", "h:a:new:1", "h:*", "h:a"]
    assert update.deletes == ("h:gone", "e:gone")


def test_an_update_has_limits() -> None:
    wanted = {f"e:{number:03}": "x" for number in range(101)}
    assert [len(one.puts) for one in plan_updates({}, wanted)] == [50, 50, 1]
    large = {f"e:{number}": "x" * 1_000_000 for number in range(4)}
    sizes = [sum(map(len, one.puts.values())) for one in plan_updates({}, large)]
    assert sum(sizes) == 4_000_000
    assert max(sizes) <= MAX_BYTES


PATHS = [f"/{letter}{'x' * 120}" for letter in "abcdefghijklmnop"]
CHOICE = st.lists(st.sampled_from(PATHS), max_size=12, unique=True)
EVENTS = st.fixed_dictionaries({"one": CHOICE, "two": CHOICE, "three": CHOICE})


def content(events: dict[str, list[str]]) -> dict[str, str]:
    found = []
    for event_id, paths in events.items():
        if paths:
            rules = [{"path": f"{path}/{event_id}"} for path in paths]
            document: dict[str, Any] = {**defaults(), "protect": rules}
            found.append(GatedEvent(event_id, document, 1, NOW))
    return store_items(found, KEYS)


def passes(items: dict[str, str], path: str) -> bool:
    """Return whether an edge with these items lets a visitor without a session pass."""
    head = json.loads(items.get("h:*", '{"r":[]}'))
    rules = list(head["r"])
    for part in range(1, head.get("n", 0) + 1):
        key = f"h:*:{head['v']}:{part}"
        if key not in items:
            return False  # the function responds 503
        rules += json.loads(items[key])["r"]
    states = {key[2:]: GateEvent() for key in items if key.startswith("e:")}
    request = GateRequest("GET", "shop.example", path)
    return isinstance(decide(request, decode_rules(rules), states, KEYS.keys("one"), NOW), Pass)


@given(EVENTS, EVENTS, st.integers(1, 5))
def test_no_state_in_between_is_more_open(
    before: dict[str, list[str]], after: dict[str, list[str]], most: int
) -> None:
    """With updates of few items, which an edge receives one after the other."""
    stored, wanted = content(before), content(after)
    updates = plan_updates(stored, wanted)
    keys = [key for one in updates for key in (*one.puts, *one.deletes)]
    found = stored
    for start in range(0, len(keys), most):
        for key in keys[start : start + most]:
            found = {**found, key: wanted[key]} if key in wanted else {
                one: value for one, value in found.items() if one != key
            }  # fmt: skip
        for event_id in before:
            for path in {*before[event_id]} & {*after[event_id]}:
                assert not passes(found, f"{path}/{event_id}")
    for event_id, paths in after.items():
        assert not [path for path in paths if passes(found, f"{path}/{event_id}")]
