# SPDX-License-Identifier: Apache-2.0
"""The phase of an event, compared with a table written from the API contract."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.domain.errors import InvalidInput, PhaseForbids
from waiting_room.domain.events.actions import ACTIONS, act
from waiting_room.domain.events.document import complete
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.registry import SETTLING, Registry, decode, encode, entry_of

times = st.one_of(st.none(), st.integers(0, 12))
documents = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["queue", "pass_through"]),
        "schedule": st.fixed_dictionaries(
            {
                "pre_queue_at": times,
                "opens_at": times,
                "closes_at": times,
                "after": st.sampled_from(["closed", "pass_through"]),
            }
        ),
        "control": st.fixed_dictionaries(
            {"paused_at": times, "draining_since": times, "closed_at": times}
        ),
    }
).map(complete)


def phase_of_the_contract(document: dict[str, Any], now: float) -> str:
    """Return the phase by the table of the contract: the first row that holds decides."""

    def reached(group: str, name: str) -> bool:
        time = document[group][name]
        return time is not None and now >= time

    table = [
        (reached("control", "closed_at"), "closed"),
        (reached("schedule", "closes_at"), document["schedule"]["after"]),
        (document["mode"] == "pass_through", "pass_through"),
        (reached("control", "draining_since"), "draining"),
        (reached("control", "paused_at"), "paused"),
        (document["schedule"]["opens_at"] is None, "open"),
        (reached("schedule", "opens_at"), "open"),
        (reached("schedule", "pre_queue_at"), "pre_queue"),
        (True, "scheduled"),
    ]
    return next(phase for holds, phase in table if holds)


@given(documents, st.integers(0, 13))
def test_the_phase_is_that_of_the_contract(document: dict[str, Any], now: int) -> None:
    assert phase_of(document, now) == phase_of_the_contract(document, now)
    assert phase_of(document, now + 0.999) == phase_of_the_contract(document, now)


@given(documents, st.integers(0, 12))
def test_the_registry_entry_has_the_phase_of_the_document(
    document: dict[str, Any], now: int
) -> None:
    entry = decode(encode(entry_of(7, document)))
    assert entry == entry_of(7, document)
    assert entry.phase(now) == phase_of(document, now)
    assert Registry({"a": encode(entry)})["a"] == entry


ALLOWED = {
    "open": set(Phase),
    "pause": {Phase.OPEN},
    "resume": {Phase.PAUSED},
    "drain": {Phase.OPEN, Phase.PAUSED},
    "close": set(Phase) - {Phase.CLOSED},
    "pass_through": set(Phase) - {Phase.CLOSED},
    "queue": set(Phase) - {Phase.CLOSED},
}
LEADS_TO = {
    "open": Phase.OPEN, "pause": Phase.PAUSED, "drain": Phase.DRAINING,
    "close": Phase.CLOSED, "pass_through": Phase.PASS_THROUGH,
}  # fmt: skip


@given(documents, st.sampled_from(sorted(ACTIONS)), st.integers(0, 12))
def test_an_action_is_allowed_in_its_phases_and_leads_to_its_phase(
    document: dict[str, Any], action: str, now: int
) -> None:
    phase = phase_of(document, now)
    if phase not in ALLOWED[action]:
        with pytest.raises(PhaseForbids) as refused:
            act(document, action, now)
        assert refused.value.members == {"reason": phase.value}
        return
    after = act(document, action, now)
    if action == "queue":
        assert after["mode"] == "queue"
    elif action == "resume":
        assert after["control"] == {**document["control"], "paused_at": None}
    else:
        assert phase_of(after, now) is LEADS_TO[action]


def test_an_unknown_action_is_invalid() -> None:
    with pytest.raises(InvalidInput, match="action must be one of open, pause"):
        act(complete({}), "explode", 5)


@given(
    documents,
    st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 3)), max_size=2),
    st.floats(0, 14),
)
def test_a_join_is_judged_by_the_document_of_its_time(
    document: dict[str, Any], actions: list[tuple[str, int]], sent_at: float
) -> None:
    """The registry remembers the documents of the last two changes of the phase."""
    history = [(0.0, document)]
    entry, now = entry_of(1, document), 1
    for action, later in actions:
        now += later
        try:
            document = act(document, action, now)
        except PhaseForbids:
            continue
        entry = entry_of(entry.version + 1, document, entry, now)
        history.append((float(now), document))
    at_that_time = [one for since, one in history if since <= sent_at][-1]
    assert decode(encode(entry)).phase_when(sent_at) is phase_of(at_that_time, sent_at)


def test_a_closed_event_has_work_until_the_last_session_at_its_gate_can_end() -> None:
    members = {"session": {"valid_for": 86_400}, "control": {"closed_at": 1_000}}
    for protect, work_until in (([], 900 + 3_600), ([{"path": "/a"}], 900 + 86_400 + 300)):
        entry = decode(encode(entry_of(1, complete({**members, "protect": protect}))))
        end = 1_000 + work_until + SETTLING
        assert entry.gated is bool(protect)
        assert entry.has_minute_work(end - 1)
        assert not entry.has_minute_work(end)
