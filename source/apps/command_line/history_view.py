# SPDX-License-Identifier: Apache-2.0
"""The history of an event as a plot and a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apps.command_line.views import NONE, cell, history_table, moment

BARS = "▁▂▃▄▅▆▇█"
LONGEST_PLOT = 72  # columns
BESIDE = 44  # columns of a plot's label and numbers
LONGEST_TABLE = 60  # rows below a plot; --json and a pipe have all points
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A member of the points: its label, the member and whether its values are added."""

    label: str
    member: str
    added: bool
    style: str


LINES = (
    Line("Joined", "joined", True, "cyan"),
    Line("Admitted", "admitted", True, "green"),
    Line("Arrived", "arrived", True, "green"),
    Line("Waiting", "waiting", False, "yellow"),
    Line("Active", "active", False, "blue"),
    Line("Left", "left", True, "dim"),
    Line("No-shows", "no_shows", True, "red"),
    Line("Wait p50 (s)", "wait_p50", False, "magenta"),
    Line("Wait p95 (s)", "wait_p95", False, "magenta"),
)


def history_view(points: Sequence[Point], width: int, *, terminal: bool) -> RenderableType:
    """Return the plots of a terminal of ``width`` columns with a short table; a pipe's table."""
    if not terminal or len(points) < 2:
        return history_table(points) if points else cell("No minute of this time is stored.")
    first, last = points[0]["at"], points[-1]["at"]
    step = min(later["at"] - earlier["at"] for earlier, later in pairwise(points))
    places = (last - first) // step + 1
    plots = _plots(points, min(places, LONGEST_PLOT, max(10, width - BESIDE)))
    heading = cell(f"{moment(first)} – {moment(last)}, {len(points):,} points", "bold")
    if len(points) <= LONGEST_TABLE:
        return Group(heading, plots, Text(), history_table(points))
    hint = "A table has at most 60 rows: use --from, --to or a larger --step, or --json."
    return Group(heading, plots, Text(), cell(hint, "dim"))


def _plots(points: Sequence[Point], columns: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "", "TOTAL", "HIGHEST", "LAST"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for line in LINES:
        values = [point[line.member] for point in points if point[line.member] is not None]
        total = f"{sum(values):,}" if line.added else ""
        highest = f"{max(values):,}" if values else NONE
        last = points[-1][line.member]
        table.add_row(
            cell(line.label), Text(bars(points, line, columns), style=line.style), cell(total),
            cell(highest), cell(NONE if last is None else f"{last:,}"),
        )  # fmt: skip
    return table


def bars(points: Sequence[Point], line: Line, columns: int) -> str:
    """Return a member over time as one line of bars; a space where no point exists.

    A column shows the sum of its points, or the largest value of a member that is not added.
    """
    first, span = points[0]["at"], points[-1]["at"] - points[0]["at"] + 1
    combine: Callable[[list[int]], int] = sum if line.added else max
    found: dict[int, list[int]] = {}
    for point in points:
        if point[line.member] is not None:
            column = (point["at"] - first) * columns // span
            found.setdefault(column, []).append(point[line.member])
    heights = {column: combine(values) for column, values in found.items()}
    top = max(heights.values(), default=0)
    return "".join(
        BARS[-(-heights[column] * (len(BARS) - 1) // top) if top else 0]
        if column in heights
        else " "
        for column in range(columns)
    )
