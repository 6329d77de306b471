# SPDX-License-Identifier: Apache-2.0
"""``events apply`` against an API in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fakes.events_api import Call, Reply
from tests.support.in_memory_room import START
from tests.unit.command_line.conftest import CommandLine, assert_one_line

FILE = """\
Sale:
  title: Spring sale
  schedule: {opens_at: 2027-03-01T12:00:00+01:00}
Winter:
  turn: {expires_after: 60}
"""


def test_apply_shows_the_difference_asks_and_creates(cli: CommandLine) -> None:
    result = cli.run("events", "apply", cli.file(FILE), stdin="y\n")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "+ Sale (new)",
        '    title: "Spring sale"',
        "    schedule.opens_at: 1803898800 (2027-03-01 11:00:00 UTC)",
        "+ Winter (new)",
        "    turn.expires_after: 60",
        "0 of 2 events without a difference.",
        "2 created, 0 changed.",
    ]
    assert "Apply 2 changes? [y/N]" in result.stderr
    assert [(one.method, one.path) for one in cli.api.changing] == [
        ("PUT", "/api/events/Sale"),
        ("PUT", "/api/events/Winter"),
    ]
    assert cli.api.document("Winter")["turn"]["expires_after"] == 60


def test_a_second_run_changes_nothing(cli: CommandLine) -> None:
    path = cli.file(FILE)
    assert cli.run("events", "apply", path, "--yes").exit_code == 0
    cli.api.calls.clear()
    result = cli.run("events", "apply", path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["2 of 2 events without a difference."]
    assert cli.api.calls
    assert not cli.api.changing


def test_a_change_is_a_patch_of_the_version_that_was_shown(cli: CommandLine) -> None:
    cli.event("Sale", title="Sale")
    result = cli.run("events", "apply", cli.file("Sale: {title: More}"), "--yes")
    assert result.exit_code == 0
    assert '    title: "Sale" → "More"' in result.stdout
    (call,) = cli.api.changing
    assert (call.method, call.content) == ("PATCH", {"title": "More"})
    assert call.headers["If-Match"] == '"1"'


def test_a_concurrent_change_is_a_conflict(cli: CommandLine) -> None:
    cli.event("Sale")

    def other_change(call: Call) -> Reply | None:
        if call.method == "PATCH" and len(cli.api.changing) == 1:
            assert cli.run("pause", "Sale").exit_code == 0
        return None

    cli.api.before = other_change
    result = cli.run("events", "apply", cli.file("Sale: {title: More}"), "--yes")
    assert_one_line(result, 3, "Sale: the event has changed", "(current version: 2)")
    assert cli.api.document("Sale")["title"] == ""


def test_without_agreement_nothing_is_changed(cli: CommandLine) -> None:
    for stdin in ("n\n", ""):
        result = cli.run("events", "apply", cli.file(FILE), stdin=stdin)
        assert_one_line(result, 1, "nothing was changed")
    assert not cli.api.changing


def test_a_dry_run_has_an_exit_code_for_a_difference(cli: CommandLine) -> None:
    path = cli.file(FILE)
    assert cli.run("events", "apply", path, "--dry-run").exit_code == 10
    assert not cli.api.changing
    assert cli.run("events", "apply", path, "--yes").exit_code == 0
    assert cli.run("events", "apply", path, "--dry-run").exit_code == 0


def test_apply_reads_the_standard_input(cli: CommandLine) -> None:
    assert cli.run("events", "apply", "-", "--yes", stdin="Sale: {}").exit_code == 0
    assert "Sale" in cli.api.events


@pytest.mark.parametrize("output", [(), ("--json",)])
def test_the_output_of_show_applies_without_a_difference(
    cli: CommandLine, output: tuple[str, ...]
) -> None:
    cli.event("Sale", "pause", title="Ünïcode: # 1", admission={"alarm": "busy"})
    path = cli.file(cli.run("events", "show", "Sale", *output).stdout)
    assert cli.run("events", "apply", path, "--dry-run").exit_code == 0


@pytest.mark.parametrize(("action", "phase"), [("close", "closed"), ("pause", "paused")])
def test_a_stopped_event_stays_so_whatever_the_file_contains(
    cli: CommandLine, action: str, phase: str
) -> None:
    cli.event("Sale", action)
    control = cli.api.document("Sale")["control"]
    cleared = "control: {paused_at: null, closed_at: null}"
    path = cli.file(f"Sale: {{title: More, schedule: {{opens_at: {START - 9}}}, {cleared}}}")
    assert cli.run("events", "apply", path, "--yes").exit_code == 0
    (call,) = cli.api.changing
    assert "control" not in call.content
    assert cli.api.document("Sale")["control"] == control
    assert cli.json("events", "show", "Sale")["phase"] == phase
    assert cli.api.document("Sale")["title"] == "More"


def test_a_file_that_would_reopen_an_event_is_refused_and_the_others_are_applied(
    cli: CommandLine,
) -> None:
    cli.event("Sale", "pause")
    path = cli.file("Sale: {mode: pass_through}\nWinter: {}")
    result = cli.run("events", "apply", path, "--yes")
    assert result.exit_code == 1
    assert "! Sale (version 2)" in result.stdout
    assert "refused: the event is paused, and the file would make it pass_through" in result.stdout
    assert cli.json("events", "show", "Sale")["phase"] == "paused"
    assert "Winter" in cli.api.events
    cli.api.calls.clear()
    assert cli.run("events", "apply", path, "--dry-run").exit_code == 1
    assert not cli.api.changing


def test_an_invalid_member_is_found_before_the_first_change(cli: CommandLine) -> None:
    path = cli.file("Sale: {}\nWinter: {titel: A}")
    for more in (("--yes",), ("--dry-run",)):
        result = cli.run("events", "apply", path, *more)
        assert_one_line(result, 2, "Winter: titel is not a member of an event")
    assert not cli.api.changing


def test_a_member_that_only_the_room_rejects_is_named(cli: CommandLine) -> None:
    cli.api.before = lambda call: (400, {"error": "title is taken"}) if call.changes else None
    result = cli.run("events", "apply", cli.file("Sale: {title: A}"), "--yes")
    assert_one_line(result, 2, "Sale: title is taken")


def test_one_failure_does_not_stop_the_other_events(cli: CommandLine) -> None:
    def reply(call: Call) -> Reply | None:
        too_many = (409, {"error": "there are 1000 events, the most of a deployment"})
        return too_many if call.changes and call.path.endswith("Sale") else None

    cli.api.before = reply
    result = cli.run("events", "apply", cli.file(FILE), "--yes")
    assert_one_line(result, 3, "Sale: there are 1000 events")
    assert result.stdout.splitlines()[-1] == "1 created, 0 changed, 1 not applied."
    assert list(cli.api.events) == ["Winter"]


@pytest.mark.parametrize(("status", "code"), [(503, 4), (403, 5)])
def test_a_final_failure_stops_the_other_events(cli: CommandLine, status: int, code: int) -> None:
    cli.api.before = lambda call: (status, {"message": "no"}) if call.changes else None
    result = cli.run("events", "apply", cli.file(FILE), "--yes")
    assert_one_line(result, code, "Sale: ")
    assert {call.path for call in cli.api.changing} == {"/api/events/Sale"}
    assert result.stdout.splitlines()[-1] == "0 created, 0 changed, 2 not applied."


def test_a_failed_read_changes_nothing(cli: CommandLine) -> None:
    cli.api.before = lambda call: (403, {"Message": "denied"}) if "Winter" in call.path else None
    assert_one_line(cli.run("events", "apply", cli.file(FILE), "--yes"), 5)
    assert not cli.api.changing


def test_the_json_output_has_every_event(cli: CommandLine) -> None:
    cli.event("Same")
    cli.event("Held", "pause")
    text = "Same: {}\nSale: {title: A}\nHeld: {mode: pass_through}"
    result = cli.run("events", "apply", cli.file(text), "--yes", "--json")
    assert result.exit_code == 1
    same, sale, held = json.loads(result.stdout)["events"]
    assert same == {
        "event_id": "Same", "difference": "none", "version": 1, "changes": [], "applied": False,
    }  # fmt: skip
    assert sale == {
        "event_id": "Sale", "difference": "create", "version": 1, "applied": True,
        "changes": [{"member": "title", "before": None, "after": "A"}],
    }  # fmt: skip
    assert (held["difference"], held["applied"]) == ("refused", False)
    assert held["error"].startswith("the event is paused")


def test_a_thousand_events_are_created_changed_and_listed(cli: CommandLine) -> None:
    def text(title: str) -> str:
        return json.dumps({f"event-{one:04}": {"title": title} for one in range(1000)})

    for title, method in (("First", "PUT"), ("Second", "PATCH")):
        cli.api.calls.clear()
        result = cli.run("events", "apply", cli.file(text(title)), "--yes")
        assert result.exit_code == 0
        assert {call.method for call in cli.api.changing} == {method}
        assert len(cli.api.changing) == 1000
    listed: list[dict[str, Any]] = cli.json("events", "list")["events"]
    assert len(listed) == 1000
    assert {one["title"] for one in listed} == {"Second"}
    cli.api.calls.clear()
    assert cli.run("events", "apply", cli.file(text("Second")), "--yes").exit_code == 0
    assert not cli.api.changing


@pytest.mark.parametrize(
    ("text", "message"), [("Sale: [", "invalid YAML or JSON"), ("Sale: 5", "must be a mapping")]
)
def test_an_invalid_file_is_one_line(cli: CommandLine, text: str, message: str) -> None:
    assert_one_line(cli.run("events", "apply", cli.file(text)), 2, "events.yaml", message)


def test_a_missing_or_unreadable_file_is_one_line(cli: CommandLine) -> None:
    assert_one_line(cli.run("events", "apply", "missing.yaml"), 2, "missing.yaml")
    path = cli.folder / "latin.yaml"
    path.write_bytes(b"Sale: {title: \xff}")
    assert_one_line(cli.run("events", "apply", str(path)), 2, "UTF-8")
