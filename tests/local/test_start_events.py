# SPDX-License-Identifier: Apache-2.0
"""The events with which `make run` starts: two examples, or those of the file EVENTS."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deployment.local import events
from tests.support.local_stack import RunningRoom, ended_run
from waiting_room.domain.events.document import merge_patch
from waiting_room.domain.events.phase import phase_of
from waiting_room.domain.events.validation import replace_document

NOW = 1_800_000_123.0


def test_the_examples_are_one_scheduled_and_one_closed_event() -> None:
    found = {
        name: replace_document(merge_patch({}, one), name, None)
        for name, one in events.examples(NOW).items()
    }
    assert [phase_of(one, NOW).value for one in found.values()] == ["scheduled", "closed"]
    opens_at = found["SpringTour"]["schedule"]["opens_at"]
    assert NOW + 3_600 < opens_at <= NOW + 7_200
    assert opens_at % 3_600 == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Sale: {turn: {expires_after: -1}}", "Sale: turn.expires_after must be from 0 to 86400"),
        ("Sale: {opening: draw}", "Sale: opening must be"),
        ("Sale: {schedule: {opens_at: noon}}", "Sale: schedule.opens_at must be"),
        ("Sale: [", "invalid YAML or JSON in line 1"),
        ("'a b': {}", "'a b' is not an event id"),
    ],
)
def test_an_invalid_file_is_named_with_event_and_member(
    tmp_path: Path, text: str, error: str
) -> None:
    path = tmp_path / "events.yaml"
    path.write_text(text)
    with pytest.raises(events.EventsError) as raised:
        events.read(str(path), NOW)
    assert str(raised.value).startswith(f"EVENTS: {path}: {error}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, error in (("none", "cannot be read: No such file"), ("binary", "is not a readable")):
        with pytest.raises(events.EventsError, match=error) as raised:
            events.read(str(tmp_path / name), NOW)
        assert str(tmp_path / name) in str(raised.value)


def test_an_invalid_file_ends_the_run_before_it_starts_a_process(tmp_path: Path) -> None:
    file = tmp_path / "events.yaml"
    file.write_text("Sale: {token: {valid_for: 0}}")
    ended = ended_run(tmp_path / "room", EVENTS=str(file))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"EVENTS: {file}: Sale: token.valid_for must be from 1 to 86400")
    assert ended.stdout == ""
    assert list((tmp_path / "room" / "logs").iterdir()) == []


@pytest.mark.server
def test_a_room_starts_with_three_events_and_prints_them(running: RunningRoom) -> None:
    address = f"{running.endpoints['private_api']}/events"
    found = {one["event_id"]: one for one in running.call("GET", address).json()["events"]}
    phases = {name: found[name]["phase"] for name in (running.event_id, *events.examples(0))}
    assert list(phases.values()) == ["open", "scheduled", "closed"]
    document = running.call("GET", f"{address}/{running.event_id}").json()
    assert document["version"] >= 2, "created, then protected; later tests may change it again"
    assert document["protect"], "for the shop"
    opens_at = running.call("GET", f"{address}/SpringTour").json()["schedule"]["opens_at"]
    local = time.strftime("%Y-%m-%d %H:%M", time.localtime(opens_at))
    printed = (running.folder / "make-run.log").read_text()
    assert f"SpringTour  scheduled  opens {local}" in printed
    assert ".venv/bin/waiting-room" in printed
