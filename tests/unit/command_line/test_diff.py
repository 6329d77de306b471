# SPDX-License-Identifier: Apache-2.0
"""Differences between files and documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.command_line.diff import EventDiff, InvalidEntry, compare
from waiting_room.domain.events.document import StoredEvent, complete
from waiting_room.domain.events.phase import Phase, phase_of
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.events.validation import patch_document

NOW = 1_800_000_000


def current(**members: Any) -> dict[str, Any]:
    """A document as the API returns it."""
    document = complete(members)
    return StoredEvent("Sale", 3, document).response(NOW)


def diff(wanted: dict[str, Any], **members: Any) -> EventDiff:
    return compare("Sale", current(**members), wanted, NOW)


def test_a_new_event_is_created_with_the_members_of_the_file() -> None:
    found = compare("Sale", None, {"title": "Sale", "turn": {"expires_after": 60}}, NOW)
    assert found.kind == "create"
    assert found.content == {"title": "Sale", "turn": {"expires_after": 60}}
    assert [(one.member, one.after) for one in found.changes] == [
        ("title", "Sale"),
        ("turn.expires_after", 60),
    ]


def test_null_in_a_new_event_is_the_default() -> None:
    assert compare("Sale", None, {"title": None, "turn": {"expires_after": None}}, NOW).content == {
        "turn": {}
    }


def test_only_members_that_differ_are_sent() -> None:
    found = diff({"title": "Sale", "turn": {"expires_after": 60}}, turn={"expires_after": 60})
    assert (found.kind, found.version) == ("update", 3)
    assert found.content == {"title": "Sale"}
    assert [(one.member, one.before, one.after) for one in found.changes] == [("title", "", "Sale")]


def test_members_that_the_file_leaves_out_stay() -> None:
    assert diff({}, title="Sale").kind == "none"


def test_null_restores_the_default() -> None:
    found = diff({"turn": None, "title": None}, title="Sale", turn={"expires_after": 60})
    assert found.content == {"title": "", "turn": {"expires_after": 900}}
    assert diff({"turn": None, "title": None}).kind == "none"


def test_an_equal_number_is_no_difference() -> None:
    assert diff({"turn": {"expires_after": 900.0}}).kind == "none"


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"titel": "Sale"}, "Sale: titel is not a member of an event"),
        ({"titel": None}, ""),
        ({"turn": {"expires_after": True}}, "Sale: turn.expires_after must be a whole number"),
        ({"opening": "draw"}, "Sale: opening must be"),
    ],
)
def test_an_invalid_member_is_named(wanted: dict[str, Any], named: str) -> None:
    if not named:
        assert diff(wanted).kind == "none"
        return
    for document in (None, current()):
        with pytest.raises(InvalidEntry) as error:
            compare("Sale", document, wanted, NOW)
        assert str(error.value).startswith(named)


@pytest.mark.parametrize("stopped", ["closed_at", "paused_at", "draining_since"])
def test_a_file_whose_schedule_is_open_leaves_a_stopped_event_stopped(stopped: str) -> None:
    """``control`` wins over the schedule: the change is made, and the phase stays."""
    before = current(control={stopped: NOW - 60}, schedule={"opens_at": NOW + 3600})
    found = compare("Sale", before, {"schedule": {"opens_at": NOW - 1, "closes_at": None}}, NOW)
    assert found.kind == "update"
    after = patch_document(
        found.content, StoredEvent("Sale", 3, {name: before[name] for name in defaults()})
    )
    assert after["control"] == before["control"]
    assert phase_of(after, NOW) == before["phase"] == phase_of(before, NOW)


@pytest.mark.parametrize(
    ("members", "wanted", "phases"),
    [
        ({"control": {"paused_at": NOW}}, {"mode": "pass_through"}, "paused pass_through"),
        ({"control": {"draining_since": NOW}}, {"mode": "pass_through"}, "draining pass_through"),
        ({"schedule": {"closes_at": NOW}}, {"schedule": {"closes_at": NOW + 9}}, "closed open"),
        ({"schedule": {"closes_at": NOW}}, {"schedule": None}, "closed open"),
        (
            {"schedule": {"closes_at": NOW}},
            {"schedule": {"after": "pass_through"}},
            "closed pass_through",
        ),
    ],
)
def test_a_file_that_would_reopen_an_event_is_refused(
    members: dict[str, Any], wanted: dict[str, Any], phases: str
) -> None:
    found = diff(wanted, **members)
    assert found.kind == "refused"
    before, after = phases.split()
    assert found.refusal.startswith(f"the event is {before}, and the file would make it {after}")


def test_a_file_may_close_a_paused_event() -> None:
    found = diff({"schedule": {"closes_at": NOW}}, control={"paused_at": NOW - 1})
    assert found.kind == "update"


TIMES = st.one_of(st.none(), st.integers(NOW - 2, NOW + 2))
SCHEDULES = st.fixed_dictionaries(
    {},
    optional={
        "opens_at": TIMES, "closes_at": TIMES, "after": st.sampled_from(["closed", "pass_through"]),
    },
)  # fmt: skip
CONTROLS = st.fixed_dictionaries({"closed_at": TIMES, "paused_at": TIMES, "draining_since": TIMES})
MODES = st.sampled_from(["queue", "pass_through"])


@given(SCHEDULES, CONTROLS, MODES, SCHEDULES, MODES)
def test_no_file_ends_a_pause_or_a_closing(
    schedule: Any, control: Any, mode: str, new_schedule: Any, new_mode: str
) -> None:
    before = current(schedule=schedule, control=control, mode=mode)
    stored = StoredEvent("Sale", 3, {name: before[name] for name in defaults()})
    try:
        found = compare("Sale", before, {"schedule": new_schedule, "mode": new_mode}, NOW)
    except InvalidEntry:  # times in a wrong order
        return
    if found.kind != "update":
        return
    assert "control" not in found.content
    then = phase_of(patch_document(found.content, stored), NOW)
    if before["phase"] in (Phase.PAUSED, Phase.DRAINING, Phase.CLOSED):
        assert then in (before["phase"], Phase.CLOSED)


@given(SCHEDULES, MODES, SCHEDULES, MODES)
def test_a_second_run_finds_no_difference(
    schedule: Any, mode: str, new_schedule: Any, new_mode: str
) -> None:
    before = current(schedule=schedule, mode=mode)
    stored = StoredEvent("Sale", 3, {name: before[name] for name in defaults()})
    wanted = {"schedule": new_schedule, "mode": new_mode}
    try:
        found = compare("Sale", before, wanted, NOW)
    except InvalidEntry:
        return
    after = StoredEvent("Sale", 4, patch_document(found.content, stored)).response(NOW)
    assert compare("Sale", after, wanted, NOW).kind == "none"
