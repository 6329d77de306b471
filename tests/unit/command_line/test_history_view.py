# SPDX-License-Identifier: Apache-2.0
"""The plots and the table of the command ``history``, and the audit log in a terminal."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from apps.command_line.history_view import BARS, LINES, bars, history_view
from apps.command_line.views import audit_table

JOINED = LINES[0]
WAITING = next(line for line in LINES if line.member == "waiting")
WAIT = LINES[-1]


def point(at: int, value: int = 0, wait: int | None = None) -> dict[str, Any]:
    members = {line.member: value for line in LINES}
    return {"at": at, **members, "wait_p50": wait, "wait_p95": wait}


def shown(points: list[dict[str, Any]], width: int = 120, *, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    console.print(history_view(points, width, terminal=terminal))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_bars_rise_with_the_values_and_leave_gaps() -> None:
    points = [point(0, 0), point(60, 1), point(120, 7), point(240, 14)]
    assert bars(points, JOINED, 5) == "▁▂▅ █"
    assert bars(points, WAIT, 5) == "     "
    assert bars([point(0), point(60)], JOINED, 2) == "▁▁"


def test_a_column_holds_several_points() -> None:
    points = [point(60 * minute, minute % 3) for minute in range(6)]
    assert bars(points, JOINED, 2) == "██"  # 3 and 3
    assert bars(points, WAITING, 3) == "▅██"  # 1, 2 and 2


@given(
    st.dictionaries(st.integers(0, 1_439), st.integers(0, 10**6), min_size=1),
    st.integers(10, 72),
)
def test_a_plot_has_its_width_and_its_highest_bar(values: dict[int, int], columns: int) -> None:
    points = [point(60 * minute, value) for minute, value in sorted(values.items())]
    for line in (JOINED, WAITING):
        found = bars(points, line, columns)
        assert len(found) == columns
        assert found[0] != " "
        assert (BARS[-1] in found) == any(values.values())


def test_a_terminal_gets_plots_and_a_short_table() -> None:
    found = shown([point(1_800_000_000 + 60 * n, n, 5) for n in range(30)])
    assert "2027-01-15 08:00:00 UTC – 2027-01-15 08:29:00 UTC, 30 points" in found
    assert "Joined" in found
    assert "435" in found  # the sum
    assert len(found.splitlines()) == 1 + 1 + len(LINES) + 1 + 1 + 30
    assert "▁▂▂▂▂▃▃▃▃▄▄▄▄▅▅▅▅▆▆▆▆▇▇▇▇█████" in found  # a bar for each point
    long = shown([point(60 * n, n) for n in range(1_440)])
    assert len(long.splitlines()) == 1 + 1 + len(LINES) + 1 + 1
    assert "--json" in long


def test_lines_fit_into_a_narrow_terminal() -> None:
    found = shown([point(60 * n, 10**6, 10**5) for n in range(1_440)], width=80)
    assert max(map(len, found.splitlines())) <= 80
    assert found.count("\n") <= 14


def test_a_pipe_gets_every_point() -> None:
    points = [point(60 * n, n) for n in range(100)]
    assert len(shown(points, 1000, terminal=False).splitlines()) == 101
    assert "No minute" in shown([], terminal=False)
    assert "No minute" in shown([])
    assert len(shown([point(0)]).splitlines()) == 2


def test_a_terminal_gets_a_line_for_each_changed_member_of_the_audit_log() -> None:
    entries = [
        {"at": 1_800_000_060, "who": "arn:aws:iam::123456789012:user/ada", "role": "person",
         "what": "pause", "before": {"control": {"paused_at": None}},
         "after": {"control": {"paused_at": 1_800_000_060}}},
        {"at": 1_800_000_000, "who": "set_up", "role": "deployment", "what": "create",
         "before": {}, "after": {"title": "A [b]", "turn": {"expires_after": 60}}},
        {"at": 1_799_999_999, "who": "user/ada", "role": "person", "what": "delete",
         "before": {"title": "A"}, "after": {}},
    ]  # fmt: skip
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    console.print(audit_table(entries, terminal=True))
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert lines[1:] == [
        "2027-01-15 08:01:00 UTC person user/ada pause "
        "control.paused_at: null → 2027-01-15 08:01:00 UTC",
        '2027-01-15 08:00:00 UTC deployment set_up create title: "A [b]"',
        "turn.expires_after: 60",
        '2027-01-15 07:59:59 UTC person user/ada delete title: "A" →',
    ]
