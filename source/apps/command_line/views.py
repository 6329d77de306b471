# SPDX-License-Identifier: Apache-2.0
"""Tables for people. Texts of the room are printed without control characters and markup."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from apps.command_line.diff import EventDiff
from apps.command_line.errors import printable
from waiting_room.domain.gate.explanation import Effect, Explanation, GateState, Protection

WIDTH_OF_A_PIPE = 1_000  # columns
LONGEST_CHANGE = 300  # characters of a change in the audit log; --json has all
NONE = "–"
COLORS = {
    "open": "green", "pass_through": "cyan", "pre_queue": "yellow", "scheduled": "yellow",
    "paused": "red", "draining": "red", "closed": "dim",
}  # fmt: skip
# The members of /status, with their labels.
STATUS_LABELS = {
    "queue_counter": "Positions assigned",
    "serving_counter": "Serving counter",
    "waiting_num": "Waiting",
    "admission_rate_per_minute": "Admitted per minute",
}
HISTORY = (
    "joined", "admitted", "arrived", "waiting", "active", "left", "no_shows", "wait_p50",
    "wait_p95",
)  # fmt: skip
SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "refused": ("!", "red")}


def console(stderr: bool = False) -> Console:
    """Return the console of this process; a pipe gets no colors and wide lines."""
    found = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found.width = WIDTH_OF_A_PIPE
    return found


def events_table(events: Iterable[Mapping[str, Any]]) -> Table:
    """Return the list of events."""
    table = _table("EVENT", "PHASE", "VERSION", "TITLE")
    for one in events:
        phase = str(one["phase"])
        table.add_row(
            cell(one["event_id"]), cell(phase, COLORS.get(phase, "")), cell(one["version"]),
            cell(one["title"]),
        )  # fmt: skip
    return table


def status_view(
    document: Mapping[str, Any], status: Mapping[str, Any] | None, now: float, problem: str = ""
) -> RenderableType:
    """Return phase, times and counters of an event at ``now`` (epoch s)."""
    phase, schedule = str(document["phase"]), document["schedule"]
    rows: list[tuple[str, Text]] = [("Phase", cell(phase, COLORS.get(phase, "")))]
    for label, name in (
        ("Pre-queue", "pre_queue_at"), ("Opens", "opens_at"), ("Closes", "closes_at"),
    ):  # fmt: skip
        if schedule[name] is not None:
            rows.append(
                (label, cell(f"{moment(schedule[name])} ({countdown(schedule[name], now)})"))
            )
    rows.append(("Admission", cell(document["admission"]["strategy"])))
    if status is not None:
        rows += [(label, cell(status.get(name))) for name, label in STATUS_LABELS.items()]
        if status.get("message"):
            rows.append(("Message", cell(status["message"])))
    table = Table.grid(padding=(0, 2))
    for label, value in rows:
        table.add_row(Text(label, style="bold"), value)
    heading = f"{document['event_id']}  version {document['version']}  {moment(now)}"
    title = cell(heading, "bold")
    return Group(title, table, *([cell(problem, "red")] if problem else []))


def audit_table(entries: Iterable[Mapping[str, Any]], *, terminal: bool = False) -> Table:
    """Return the audit log. A terminal gets a line for each member, and ARNs without account."""
    table = _table("TIME", "ROLE", "WHO", "WHAT", "CHANGE")
    for one in entries:
        before, after = one.get("before"), one.get("after")
        if terminal:
            lines = _member_changes(before, after)
            change = Text("\n").join(cell(_cut(line)) for line in lines)
            who = str(one["who"]).split(":", 5)[-1] if str(one["who"]).startswith("arn:") else None
        else:
            change = cell(_cut(f"{compact(before)} → {compact(after)}") if before or after else "")
            who = None
        table.add_row(
            cell(moment(one["at"])), cell(one["role"]), cell(who or one["who"]), cell(one["what"]),
            change,
        )  # fmt: skip
    return table


def _cut(change: str) -> str:
    return change if len(change) <= LONGEST_CHANGE else f"{change[:LONGEST_CHANGE]}…"


def _member_changes(before: Any, after: Any, path: str = "") -> list[str]:
    """Return each changed member as text, such as ``phase: "pre_queue" → "open"``."""
    old, new = (one if isinstance(one, Mapping) else {} for one in (before, after))
    found: list[str] = []
    for name in [*old, *(name for name in new if name not in old)]:
        member = f"{path}{name}"
        if isinstance(old.get(name), Mapping) or isinstance(new.get(name), Mapping):
            found += _member_changes(old.get(name), new.get(name), f"{member}.")
            continue
        values = [_value_at(member, one[name]) for one in (old, new) if name in one]
        found.append(f"{member}: {' → '.join(values)}{'' if name in new else ' →'}")
    return found


def _value_at(member: str, value: Any) -> str:
    """Return a value as JSON; a time of the document as a date."""
    is_time = member.startswith(("schedule.", "control.")) and isinstance(value, int)
    return moment(value) if is_time else compact(value)


def explanation_view(found: Explanation) -> RenderableType:
    """Return which rule decides about an address, its gate, and the effect of each rule."""
    table = _table("EVENT", "LIST", "RULE", "EFFECT")
    for one in found.rules:
        shown = one.to_json()
        effect = one.effect.value + (f": {', '.join(one.misses)}" if one.misses else "")
        style = "bold" if one.effect in (Effect.DECIDES, Effect.BYPASSES) else ""
        table.add_row(
            cell(one.event_id), cell(shown["list"]), cell(compact(shown["rule"])),
            cell(effect, style),
        )  # fmt: skip
    lines = [cell(found.reason, "bold"), *(_gate_lines(found.protection, found.readings))]
    return Group(*lines, *([table] if found.rules else []))


def _gate_lines(found: Protection | None, readings: int) -> list[Text]:
    """Return the matching reading, the state of the gate, and the responses without a session."""
    if found is None:
        return []
    state = found.state.value
    if found.state is GateState.OPEN and found.open_until:
        state += f", until {moment(found.open_until)}"
    elif found.state is GateState.NOT_OPEN:
        state += f", opens at {moment(found.opens_at)}"
    lines = [] if found.reading is None else [f"reading: {found.reading} (of {readings})"]
    lines.append(f"gate of {found.event_id}: {state}")
    lines += [
        f"{one.client} without a session: "
        + (f"{one.status}, {one.reason}" if one.status else "goes to the site")
        for one in found.outcomes
    ]
    if found.when_unreachable == "open":
        lines.append("while the waiting room does not respond: the watchdog opens the gate")
    return [cell(one) for one in lines]


def history_table(points: Iterable[Mapping[str, Any]]) -> Table:
    """Return the history, one row for each point; waits in seconds."""
    table = _table("TIME", *(name.upper() for name in HISTORY))
    for point in points:
        table.add_row(cell(moment(point["at"])), *(cell(point.get(name)) for name in HISTORY))
    return table


def diff_view(diffs: Sequence[EventDiff]) -> RenderableType:
    """Return the differences: a heading for each event, and a line for each member."""
    lines = Text()
    for one in diffs:
        if one.kind == "none":
            continue
        sign, color = SIGNS[one.kind]
        what = "new" if one.version is None else f"version {one.version}"
        lines.append(f"{sign} {one.event_id} ({what})\n", style=f"bold {color}")
        for change in one.changes:
            if one.version is None:
                shown = value_text(change.member, change.after)
            else:
                shown = (
                    f"{value_text(change.member, change.before)}"
                    f" → {value_text(change.member, change.after)}"
                )
            lines.append(printable(f"    {change.member}: {shown}") + "\n")
        if one.refusal:
            lines.append(printable(f"    refused: {one.refusal}") + "\n", style="red")
    same = sum(one.kind == "none" for one in diffs)
    lines.append(f"{same} of {len(diffs)} events without a difference.")
    return lines


def value_text(member: str, value: Any) -> str:
    """Return a value of a document as JSON, and a time also as a date."""
    text = compact(value)
    is_time = member.startswith("schedule.") and isinstance(value, int)
    return f"{text} ({moment(value)})" if is_time else text


def compact(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


def moment(at: float) -> str:
    """Return a time (epoch s) in UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(at)


def countdown(at: float, now: float) -> str:
    """Return the time from ``now`` until ``at``, such as ``in 1 h 05 min``."""
    seconds = abs(int(at - now))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    if days:
        text = f"{days} d {hours} h"
    elif hours:
        text = f"{hours} h {minutes:02} min"
    else:
        text = f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
    return f"in {text}" if at > now else f"{text} ago"


def cell(value: Any, style: str = "") -> Text:
    """Return a value as text without markup."""
    return Text(NONE if value is None else printable(str(value)), style=style, overflow="fold")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
