# SPDX-License-Identifier: Apache-2.0
"""Commands of the command line against an API in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click import Context
from click.testing import Result

from apps.command_line.app import main
from apps.command_line.connection import Options
from apps.command_line.errors import unreachable
from apps.command_line.parameters import EventId
from tests.support.fakes.events_api import Call
from tests.support.in_memory_room import START
from tests.unit.command_line.conftest import CommandLine, assert_one_line
from waiting_room.domain.errors import Unavailable

STATUS = {
    "event_id": "Sale", "serving_counter": 20, "waiting_num": 80, "queue_counter": 100,
    "admission_rate_per_minute": 60.0, "message": "Nearly [bold]there[/bold] \x1b[31m",
}  # fmt: skip


def rows(result: Result) -> list[list[str]]:
    """The words of each line."""
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.stdout.splitlines()]


def test_events_are_listed_with_their_phase(cli: CommandLine) -> None:
    cli.event("Sale", title="Spring sale [red]")
    cli.event("Winter", "close")
    assert rows(cli.run("events", "list")) == [
        ["EVENT", "PHASE", "VERSION", "TITLE"],
        ["Sale", "open", "1", "Spring", "sale", "[red]"],
        ["Winter", "closed", "2"],
    ]
    assert cli.json("events", "list")["events"][0] == {
        "event_id": "Sale", "title": "Spring sale [red]", "phase": "open", "version": 1,
            "gated": False,
    }  # fmt: skip


def test_the_list_has_all_pages(cli: CommandLine) -> None:
    cli.event("Sale")
    for one in range(204):
        cli.api.events[f"event-{one:03}"] = cli.api.events["Sale"]
    cli.api.calls.clear()
    assert len(cli.json("events", "list")["events"]) == 205
    assert len(cli.api.calls) == 3


def test_show_prints_yaml_or_json(cli: CommandLine) -> None:
    cli.event("Sale", title="Spring sale")
    result = cli.run("events", "show", "Sale")
    assert result.stdout.startswith("event_id: Sale\nversion: 1\nphase: open\ntitle: Spring sale\n")
    assert cli.json("events", "show", "Sale")["turn"]["expires_after"] == 900


def test_delete_asks_and_sends_the_version(cli: CommandLine) -> None:
    cli.event("Sale", "close")
    assert_one_line(cli.run("events", "delete", "Sale", stdin="n\n"), 1, "nothing was changed")
    assert not cli.api.changing
    assert_one_line(cli.run("events", "delete", "Sale", "--yes", "--version", "1"), 3, "version")
    result = cli.run("events", "delete", "Sale", "--version", "2", stdin="y\n")
    assert (result.exit_code, result.stdout) == (0, "Sale is deleted.\n")
    assert cli.api.events == {}


def test_an_open_event_is_not_deleted(cli: CommandLine) -> None:
    cli.event("Sale")
    assert_one_line(cli.run("events", "delete", "Sale", "--yes"), 3, "must be closed")


@pytest.mark.parametrize(
    ("command", "before", "action", "phase"),
    [
        ("open", ["close"], "open", "open"),
        ("pause", [], "pause", "paused"),
        ("resume", ["pause"], "resume", "open"),
        ("drain", [], "drain", "draining"),
        ("close", [], "close", "closed"),
        ("pass-through", [], "pass_through", "pass_through"),
        ("queue", ["pass-through"], "queue", "open"),
    ],
)
def test_an_action_has_its_path_and_prints_the_phase(
    cli: CommandLine, command: str, before: list[str], action: str, phase: str
) -> None:
    cli.event("Sale", *before)
    result = cli.run(command, "Sale")
    assert (result.exit_code, result.stdout) == (0, f"Sale is {phase}.\n")
    (call,) = cli.api.calls
    assert (call.method, call.path) == ("POST", f"/api/events/Sale/actions/{action}")
    assert call.content is None


def test_a_forbidden_phase_is_a_refusal(cli: CommandLine) -> None:
    cli.event("Sale", "close")
    assert_one_line(cli.run("pause", "Sale"), 1, "does not allow this action (phase: closed)")


@pytest.mark.parametrize(
    ("arguments", "path", "content"),
    [
        (["admit", "Sale", "50"], "admit", {"by": 50}),
        (["admit", "Sale", "-5"], "admit", {"by": -5}),
        (["reset", "Sale", "--yes"], "reset", None),
        (["reset", "Sale", "--yes", "--generation", "3"], "reset", {"generation": 3}),
        (
            ["end-session", "Sale", "--request-id", "r1"],
            "end_session",
            {"request_id": "r1", "status": 1},
        ),
        (
            ["end-session", "Sale", "--session", "s1", "--status", "abandoned"],
            "end_session",
            {"session": "s1", "status": -1},
        ),
    ],
)
def test_the_content_of_an_action(
    cli: CommandLine, arguments: list[str], path: str, content: Any
) -> None:
    cli.event("Sale")
    assert cli.json(*arguments)["event_id"] == "Sale"
    (call,) = cli.api.calls
    sent = call.content and {one: call.content[one] for one in call.content if one != "call_id"}
    assert (call.path, sent) == (f"/api/events/Sale/actions/{path}", content)


def test_reset_asks(cli: CommandLine) -> None:
    cli.event("Sale")
    assert_one_line(cli.run("reset", "Sale", stdin="n\n"), 1, "nothing was changed")
    assert not cli.api.changing
    result = cli.run("reset", "Sale", stdin="y\n")
    assert result.stdout == "Sale is reset; it is open.\n"


def test_status_shows_document_and_counters(cli: CommandLine) -> None:
    cli.event("Sale", schedule={"opens_at": START + 3_900, "closes_at": START + 200_000})
    cli.status = lambda _: STATUS
    result = cli.run("status", "Sale")
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "Sale  version 1  2027-01-15 08:00:00 UTC",
        "Phase                scheduled",
        "Opens                2027-01-15 09:05:00 UTC (in 1 h 05 min)",
        "Closes               2027-01-17 15:33:20 UTC (in 2 d 7 h)",
        "Admission            manual",
        "Positions assigned   100",
        "Serving counter      20",
        "Waiting              80",
        "Admitted per minute  60.0",
        "Message              Nearly [bold]there[/bold]  [31m",
    ]
    assert cli.addresses == ["http://127.0.0.1:9000/api/status?event_id=Sale"]
    found = cli.json("status", "Sale")
    assert found["status"] == STATUS
    assert found["document"]["phase"] == "scheduled"


def test_status_without_a_public_api_shows_the_document(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    cli.event("Sale")
    where = ("--api", "http://127.0.0.1:9001/api", "--region", "eu-central-1")
    result = cli.run("status", "Sale", *where)
    assert result.exit_code == 0
    assert "Waiting" not in result.stdout
    assert cli.addresses == []


def test_watch_updates_until_ctrl_c(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.status = lambda _: STATUS

    def after(pause: int) -> None:
        if pause == 1:
            assert cli.run("pause", "Sale").exit_code == 0
        if pause == 2:
            raise KeyboardInterrupt

    cli.after_pause = after
    result = cli.run("status", "Sale", "--watch", "--json", "--every", "5")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["document"]["phase"] for one in found] == ["open", "paused"]
    assert cli.pauses == [5, 5]


def test_the_live_view_ends_with_ctrl_c(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.status = lambda _: STATUS

    def after(pause: int) -> None:
        raise KeyboardInterrupt

    cli.after_pause = after
    result = cli.run("status", "Sale", "--watch")
    assert result.exit_code == 0
    assert "Serving counter" in result.stdout
    assert "Abort" not in result.output


def test_watch_goes_on_while_the_room_is_unreachable(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.status = lambda _: STATUS

    def unavailable(_: str) -> Any:
        raise Unavailable("the room returned status 503")

    def after(pause: int) -> None:
        cli.status = unavailable if pause == 1 else lambda _: {**STATUS, "serving_counter": 21}
        if pause == 3:
            raise KeyboardInterrupt

    cli.after_pause = after
    result = cli.run("status", "Sale", "--watch", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["status"]["serving_counter"] for one in found] == [20, 20, 21]
    assert ["problem" in one for one in found] == [False, True, False]


def test_watch_ends_with_another_error(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.status = lambda _: STATUS
    cli.after_pause = lambda _: cli.api.events.clear()
    assert_one_line(cli.run("status", "Sale", "--watch"), 1, "no event of this waiting room")


def test_audit_shows_who_changed_what(cli: CommandLine) -> None:
    cli.event("Sale", "pause")
    first, second, third = cli.run("audit", "Sale").stdout.splitlines()
    assert first.split() == ["TIME", "ROLE", "WHO", "WHAT", "CHANGE"]
    assert second.split()[3:7] == [
        "person", "arn:aws:iam::123456789012:user/operator", "pause", '{"control":',
    ]  # fmt: skip
    assert '{"paused_at": null}} → {"control": {"paused_at": 1800000000}}' in second
    assert "put" in third
    assert cli.json("audit", "Sale")["entries"][0]["what"] == "pause"


def test_audit_reads_pages_up_to_the_limit(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.api.entries["Sale"] *= 250
    for arguments, entries, calls in (
        (["--limit", "120"], 120, 2),
        (["--all"], 250, 3),
        ([], 100, 1),
    ):
        cli.api.calls.clear()
        assert len(cli.json("audit", "Sale", *arguments)["entries"]) == entries
        assert len(cli.api.calls) == calls


def test_history_is_a_table_of_points(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.api.points = [
        {"at": START, "joined": 9, "admitted": 8, "arrived": 7, "waiting": 6, "active": 5,
         "left": 4, "no_shows": 3, "wait_p50": 2.5, "wait_p95": None},
    ]  # fmt: skip
    found = rows(cli.run("history", "Sale"))
    assert found[0][:3] == ["TIME", "JOINED", "ADMITTED"]
    assert found[1] == [
        "2027-01-15", "08:00:00", "UTC", "9", "8", "7", "6", "5", "4", "3", "2.5", "–",
    ]  # fmt: skip
    assert cli.api.window == {}
    times = ["--from", "1800000000", "--to", "2027-01-15T09:00:00+00:00", "--step", "300"]
    assert cli.json("history", "Sale", *times) == {"points": cli.api.points}
    assert cli.api.window == {"from": "1800000000", "to": "1800003600", "step": "300"}


@pytest.mark.parametrize("time", ["noon", "2027-01-15", "2027-01-15T09:00:00", "-1"])
def test_an_invalid_time_is_a_usage_error(cli: CommandLine, time: str) -> None:
    assert_one_line(cli.run("history", "Sale", "--from", time), 2, "--from")


@pytest.mark.parametrize("event", ["my event", "", "a/b", "x" * 65, "ä"])
def test_an_invalid_event_id_is_a_usage_error(cli: CommandLine, event: str) -> None:
    assert_one_line(cli.run("events", "show", event), 2, "is not an event id")
    assert not cli.api.calls


@pytest.mark.parametrize(
    "arguments",
    [
        ["admit", "Sale"],
        ["admit", "Sale", "many"],
        ["end-session", "Sale"],
        ["end-session", "Sale", "--request-id", "1", "--session", "2"],
        ["history", "Sale", "--step", "7"],
        ["nothing"],
        ["events", "nothing"],
        ["status", "Sale", "--every", "0"],
    ],
)
def test_invalid_arguments_are_a_usage_error(cli: CommandLine, arguments: list[str]) -> None:
    assert_one_line(cli.run(*arguments), 2)
    assert not cli.api.calls


def test_the_options_stand_before_or_after_the_command(cli: CommandLine) -> None:
    cli.event("Sale")
    texts = {
        cli.run(*arguments).stdout
        for arguments in (
            ["--json", "events", "list"],
            ["events", "--json", "list"],
            ["events", "list", "--json"],
        )
    }
    assert len(texts) == 1
    assert json.loads(texts.pop())["events"]


@pytest.mark.parametrize(
    ("status", "content", "code", "text"),
    [
        (400, {"error": "by must be a whole number"}, 2, "by must be a whole number"),
        (403, {"Message": "User is not authorized"}, 5, "rejects the call"),
        (403, {"message": "Forbidden"}, 5, "rejects the call: Forbidden"),
        (404, {"error": "no event has this id"}, 1, "no event has this id"),
        (409, {"error": "paused", "reason": "paused"}, 1, "paused"),
        (409, {"error": "stale", "version": 7}, 3, "stale (current version: 7)"),
        (409, {"error": "other", "generation": 7}, 3, "other"),
        (410, {"error": "gone"}, 1, "gone"),
        (429, {"message": "Too Many Requests"}, 4, "status 429"),
        (500, {"error": "internal error"}, 4, "internal error"),
        (200, {}, 4, "status 200"),
        (302, {}, 4, "status 302"),
    ],
)
def test_each_status_has_its_exit_code_and_one_line(
    cli: CommandLine, status: int, content: dict[str, Any], code: int, text: str
) -> None:
    cli.event("Sale")
    cli.api.before = lambda _: (status, content)
    assert_one_line(cli.run("admit", "Sale", "5"), code, text)


def test_an_error_of_the_room_is_one_line_without_control_characters(cli: CommandLine) -> None:
    cli.api.before = lambda _: (400, {"error": "first\nsecond\x1b[31m"})
    assert_one_line(cli.run("pause", "Sale"), 2, "first second [31m")


def test_an_unexpected_error_is_one_line(cli: CommandLine) -> None:
    cli.event("Sale")
    cli.api.before = lambda _: (200, {"entries": [{"at": 5}]})
    assert_one_line(cli.run("audit", "Sale"), 1, "unexpected KeyError")


@pytest.mark.parametrize(
    ("shell", "text"), [("zsh", "#compdef"), ("fish", "complete"), ("bash", "complete")]
)
def test_completion_scripts(cli: CommandLine, shell: str, text: str) -> None:
    result = cli.run("completion", shell)
    assert result.exit_code == 0
    assert text in result.stdout
    assert "_WAITING_ROOM_COMPLETE" in result.stdout
    assert_one_line(cli.run("completion", "tcsh"), 2, "tcsh")


def test_the_shell_completes_event_ids(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.event("Sale")
    cli.event("Winter")
    context = Context(main, obj=Options(folder=cli.folder, pool=cli.api))
    found = EventId().shell_complete(context, None, "S")
    assert [(one.value, one.help) for one in found] == [("Sale", "open")]

    def fails(_: Call) -> Any:
        raise unreachable("no")

    cli.api.before = fails
    assert EventId().shell_complete(context, None, "S") == []
