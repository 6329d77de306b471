# SPDX-License-Identifier: Apache-2.0
"""Rules of the watchdog: readings of responses, verdicts, and openings in the store's values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.support.fakes.gate_keys import MemoryGateKeys
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.gate.decision import Pass, decide
from waiting_room.domain.gate.opening import (
    OPEN_FOR,
    RENEW_BELOW,
    may_open,
    openable,
    opened,
    opening_changes,
    with_openings,
)
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.store import GatedEvent, gate_event, store_items
from waiting_room.domain.gate.watchdog import (
    ENTER,
    FAILING_FOR,
    MAX_BODY,
    STATUS,
    Probe,
    ProbeRequest,
    Reading,
    Verdict,
    read_response,
    verdict,
    worst,
)

KEYS = MemoryGateKeys()
NOW = 1_800_000_000
GOOD_STATUS = {"event_id": "sale", "serving_counter": 5, "waiting_num": 0, "queue_counter": 5}
GOOD_ENTER = {"decision": "go", "retry_after": 10}


def event(generation: int = 3, **members: Any) -> GatedEvent:
    document = defaults() | {"protect": [{"path": "/"}]}
    document["session"] = {**document["session"], "when_unreachable": "open"}
    for name, value in members.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    return GatedEvent("sale", document, generation, NOW)


def items(generation: int = 3, until: int = 0, **members: Any) -> dict[str, str]:
    """The store with one event, which is open until a time."""
    found = store_items([event(generation, **members)], KEYS)
    if until:
        found["e:sale"] = json.dumps(
            {**json.loads(found["e:sale"]), "w": until}, separators=(",", ":")
        )
    return found


# --- readings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "content"),
    [
        (STATUS, GOOD_STATUS), (STATUS, {**GOOD_STATUS, "more": None}), (ENTER, GOOD_ENTER),
        (ENTER, {"decision": "wait", "retry_after": 600}),
    ],
)  # fmt: skip
def test_a_response_of_the_room_is_healthy(request_: ProbeRequest, content: Any) -> None:
    body = json.dumps(content).encode()
    assert read_response(request_, "sale", 200, body) is Reading.HEALTHY


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<!doctype html><title>Sorry</title>", b"{", b"[]", b"null", b"{}", b"\xff",
        b"[" * 600,
        json.dumps(GOOD_STATUS).encode()[:-1], b'{"message": "Internal server error"}',
        json.dumps({**GOOD_STATUS, "event_id": "vip"}).encode(),
        json.dumps({**GOOD_STATUS, "serving_counter": "5"}).encode(),
        json.dumps({**GOOD_STATUS, "waiting_num": True}).encode(),
        json.dumps({"decision": "maybe", "retry_after": 1}).encode(),
        json.dumps({"decision": "go"}).encode(),
        json.dumps({**GOOD_STATUS, **GOOD_ENTER, "x": "y" * MAX_BODY}).encode(),
    ],
)  # fmt: skip
def test_other_content_is_a_fault(body: bytes) -> None:
    for request in (STATUS, ENTER):
        assert read_response(request, "sale", 200, body) is Reading.FAULT


@given(st.integers(100, 599))
def test_the_status_decides_before_the_content(status: int) -> None:
    found = read_response(STATUS, "sale", status, json.dumps(GOOD_STATUS).encode())
    if status == 429:
        assert found is Reading.BUSY, "anyone can cause it"
    elif 400 <= status < 500:
        assert found is Reading.REFUSED
    else:
        assert found is (Reading.HEALTHY if status == 200 else Reading.FAULT)


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        (b'{"reason": "unavailable"}', Reading.FAULT), (b"", Reading.BUSY), (b"{}", Reading.BUSY),
        (b'{"message": "Too Many Requests"}', Reading.BUSY), (b"<p>busy</p>", Reading.BUSY),
        (b'{"reason": "no_session"}', Reading.BUSY), (b'["unavailable"]', Reading.BUSY),
    ],
)  # fmt: skip
def test_429_is_a_fault_only_if_the_store_of_the_entrance_does_not_respond(
    body: bytes, reading: Reading
) -> None:
    assert read_response(ENTER, "sale", 429, body) is reading


def test_a_fault_of_one_request_is_a_fault_of_the_event() -> None:
    assert worst([Reading.HEALTHY, Reading.HEALTHY]) is Reading.HEALTHY
    assert worst([Reading.BUSY, Reading.FAULT]) is Reading.FAULT
    assert worst([Reading.BUSY, Reading.REFUSED]) is Reading.REFUSED
    assert worst([Reading.HEALTHY, Reading.BUSY]) is Reading.BUSY


# --- verdicts -------------------------------------------------------------------------------

PROBES = st.lists(
    st.tuples(st.floats(0, 40), st.sampled_from([Reading.FAULT] * 6 + list(Reading))), max_size=20
)


@given(PROBES)
def test_an_event_is_lost_only_after_faults_alone_for_the_whole_time(
    steps: list[tuple[float, Reading]],
) -> None:
    probes, at = [], 0.0
    for wait, reading in steps:
        at += wait
        probes.append(Probe(at, reading))
    found = verdict(probes)
    others = [index for index, one in enumerate(probes) if one.reading is not Reading.FAULT]
    streak = probes[others[-1] + 1 :] if others else probes
    if probes and not streak:
        assert found is Verdict.RESPONDS
    elif streak and streak[-1].at - streak[0].at >= FAILING_FOR:
        assert found is Verdict.LOST
    else:
        assert found is Verdict.UNDECIDED


@pytest.mark.parametrize("reading", [Reading.HEALTHY, Reading.BUSY, Reading.REFUSED])
def test_one_other_reading_begins_the_time_again(reading: Reading) -> None:
    faults = [Probe(float(at), Reading.FAULT) for at in range(0, 71, 10)]
    assert verdict(faults) is Verdict.LOST
    assert verdict(faults[:-1]) is Verdict.UNDECIDED
    for at in range(len(faults) - 1):
        changed = [*faults[:at], Probe(faults[at].at, reading), *faults[at + 1 :]]
        assert verdict(changed) is Verdict.UNDECIDED


# --- openings in the store --------------------------------------------------------------------

TIME = st.one_of(st.none(), st.integers(NOW - 3, NOW + 3))


@example(
    mode="queue", opens_at=NOW + 1, closes_at=None, paused_at=None, draining=NOW, closed_at=None,
    now=NOW, after="closed", unreachable="open", generation=1,
)  # fmt: skip
@given(
    mode=st.sampled_from(["queue", "pass_through"]), opens_at=TIME, closes_at=TIME,
    paused_at=st.sampled_from([None, NOW]), draining=st.sampled_from([None, NOW]),
    closed_at=st.sampled_from([None, NOW]), now=st.integers(NOW, NOW + 5),
    after=st.sampled_from(["closed", "pass_through"]),
    unreachable=st.sampled_from(["closed", "open"]), generation=st.integers(1, 4),
)  # fmt: skip
def test_only_an_event_that_admits_visitors_opens(
    mode: str, opens_at: int | None, closes_at: int | None, paused_at: int | None,
    draining: int | None, closed_at: int | None, now: int, after: str, unreachable: str,
    generation: int,
) -> None:  # fmt: skip
    """A fault starts no sale early, and opens no paused or closed event."""
    gated = event(
        generation,
        mode=mode,
        schedule={"opens_at": opens_at, "closes_at": closes_at, "after": after},
        control={"paused_at": paused_at, "draining_since": draining, "closed_at": closed_at},
        session={"when_unreachable": unreachable},
    )
    phase = phase_of(gated.document, now)
    assume(phase is not Phase.PASS_THROUGH)  # the gate is open anyway
    stored = store_items([gated], KEYS)
    after_fault = {**stored, **opening_changes(stored, ["sale"], now)}
    began = opens_at is None or opens_at <= now  # drained, then scheduled for later
    opens = unreachable == "open" and phase in (Phase.OPEN, Phase.DRAINING) and began
    assert may_open(json.loads(stored["e:sale"]), now) == opens
    assert openable(stored, now) == (["sale"] if opens else [])
    assert opened(after_fault, now) == ({"sale": now + OPEN_FOR} if opens else {})
    assert (after_fault == stored) != opens


@given(
    opens_at=TIME, closes_at=TIME, closed_at=st.sampled_from([None, NOW]),
    until=st.integers(NOW - 2, NOW + 6), now=st.integers(NOW, NOW + 5),
)  # fmt: skip
def test_the_gate_honours_an_opening_in_the_phases_that_admit_visitors(
    opens_at: int | None, closes_at: int | None, closed_at: int | None, until: int, now: int
) -> None:
    gated = event(
        schedule={"opens_at": opens_at, "closes_at": closes_at}, control={"closed_at": closed_at}
    )
    state = replace(gate_event(gated), fault_until=until)
    rules = [("sale", False, {"path": "/"})]
    found = decide(GateRequest("GET", "a", "/"), rules, {"sale": state}, KEYS.keys("sale"), now)
    is_open = phase_of(gated.document, now) is Phase.OPEN and now < until
    assert isinstance(found, Pass) == is_open


def test_an_opening_is_renewed_when_half_of_it_is_over() -> None:
    for left in (RENEW_BELOW, RENEW_BELOW + 1, OPEN_FOR):
        assert opening_changes(items(until=NOW + left), ["sale"], NOW) == {}
    for left in (RENEW_BELOW - 1, 1, 0, -1):
        changes = opening_changes(items(until=NOW + left), ["sale"], NOW)
        assert opened(changes, NOW) == {"sale": NOW + OPEN_FOR}


def test_an_event_that_is_not_lost_closes() -> None:
    """The value is again the one that the writer makes."""
    assert opening_changes(items(until=NOW + 1), [], NOW) == {"e:sale": items()["e:sale"]}
    assert opening_changes(items(until=NOW), [], NOW) == {}, "it has closed by itself"
    assert opening_changes(items(), [], NOW) == {}
    paused = items(until=NOW + 9, control={"paused_at": NOW})
    assert "w" not in json.loads(opening_changes(paused, ["sale"], NOW)["e:sale"])


def test_the_writer_keeps_an_opening_that_lasts_and_drops_any_other() -> None:
    stored = items(until=NOW + 9)
    assert with_openings(stored, items(), NOW) == stored
    assert with_openings(stored, items(session={"renew_every": 60}), NOW) == items(
        until=NOW + 9, session={"renew_every": 60}
    )
    for wanted in (
        items(generation=4), items(control={"paused_at": NOW}), items(control={"closed_at": NOW}),
        items(schedule={"closes_at": NOW}), items(schedule={"opens_at": NOW + 1}),
        items(session={"when_unreachable": "closed"}), {},
    ):  # fmt: skip
        assert with_openings(stored, wanted, NOW) == wanted
    assert with_openings(stored, items(), NOW + 9) == items(), "it is past"


@pytest.mark.parametrize(
    "value", ["", "{", "[]", "7", '{"u":1,"w":"x"}', '{"u":1,"w":true}', "null"]
)
def test_a_damaged_value_is_no_opening(value: str) -> None:
    stored = {"e:sale": value, "h:*": "{"}
    assert opened(stored, NOW) == {}
    assert opening_changes(stored, [], NOW) == {}
    assert with_openings(stored, items(), NOW) == items()


@given(st.integers(NOW - 2, NOW + 700), st.integers(1, 4), st.booleans(), st.booleans())
def test_writer_and_watchdog_agree_on_the_text(
    until: int, generation: int, is_lost: bool, is_paused: bool
) -> None:
    """After both, in either order, another run of each writes nothing."""
    control = {"paused_at": NOW if is_paused else None}
    wanted, lost = items(generation, control=control), ["sale"] if is_lost else []
    stored = items(until=until)
    for order in ("wd", "dw"):
        now_stored = stored
        for one in order * 2:
            if one == "w":
                now_stored = with_openings(now_stored, wanted, NOW)
            else:
                now_stored = {**now_stored, **opening_changes(now_stored, lost, NOW)}
        assert with_openings(now_stored, wanted, NOW) == now_stored
        assert opening_changes(now_stored, lost, NOW) == {}
        assert bool(opened(now_stored, NOW)) == (is_lost and not is_paused)
