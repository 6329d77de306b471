# SPDX-License-Identifier: Apache-2.0
"""The events of a new one-machine room: two examples, or the events of the file ``EVENTS``.

They are created through the private API, by the functions of the command line's ``events apply``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.command_line.api_client import RoomApi
from apps.command_line.apply import differences, read_files, write
from apps.command_line.connection import Options
from apps.command_line.diff import InvalidEntry, compare
from apps.command_line.errors import CommandError, printable

HOUR, DAY = 3_600, 86_400  # s
SHOWN = 10  # events that are printed
# The rules of the ticket shop: everything needs a session but the search and the style sheet.
SHOP_RULES: dict[str, Any] = {
    "protect": [{"path": "/"}],
    "bypass": [{"path": "/search"}, {"path": "/assets"}],
}
HINT = "Control them in the console, or with .venv/bin/waiting-room --help"

Documents = dict[str, dict[str, Any]]
Say = Callable[[str], None]


class EventsError(Exception):
    """The events cannot be created; the message names the file, the event and the member."""


def read(path: str, now: float) -> Documents:
    """Return the valid documents of a file, by event id; raises EventsError."""
    try:
        with open(path, encoding="utf-8") as file:
            found = read_files([file])
        for event_id, document in found.items():
            compare(event_id, None, document, now)
    except OSError as error:
        raise EventsError(f"EVENTS: {path} cannot be read: {error.strerror}.") from None
    except CommandError as error:
        raise EventsError(f"EVENTS: {error.message}") from None
    except InvalidEntry as error:
        raise EventsError(f"EVENTS: {path}: {error}") from None
    return found


def examples(now: float) -> Documents:
    """Return two documents: one scheduled, one closed by its schedule at ``now`` (epoch s)."""
    hour = int(now) // HOUR * HOUR
    opens_at, opened_at = hour + 2 * HOUR, hour - DAY
    return {
        "SpringTour": {
            "title": "Spring tour",
            "schedule": {"pre_queue_at": opens_at - HOUR // 2, "opens_at": opens_at},
        },
        "WinterSale": {
            "title": "Winter sale",
            "schedule": {"opens_at": opened_at, "closes_at": opened_at + 6 * HOUR},
        },
    }


def create_missing(options: Options, api: RoomApi, documents: Mapping[str, Any]) -> None:
    """Create the events that do not exist; existing ones stay. Raises EventsError."""
    try:
        existing = {one["event_id"] for one in api.events()}
        missing = {name: one for name, one in documents.items() if name not in existing}
        results = write(options, api, differences(options, api, missing))
    except CommandError as error:
        raise EventsError(f"The events cannot be created: {error.message}") from None
    _raise_first(results, "The events cannot be created")


def protect_shop(api: RoomApi, event_id: str) -> None:
    """Give the event the rules of the shop, unless it has rules. Raises EventsError."""
    try:
        document = api.event(event_id)
        if not document["protect"]:
            api.patch(event_id, SHOP_RULES, document["version"])
    except CommandError as error:
        raise EventsError(f"The shop cannot be protected: {error.message}") from None


def apply(
    options: Options, api: RoomApi, path: str, documents: Mapping[str, Any], say: Say
) -> None:
    """Apply the documents of a file. An event that it would reopen stays. Raises EventsError."""
    try:
        diffs = differences(options, api, documents)
        for one in diffs:
            if one.refusal:
                say(f"{one.event_id} stays as it is: {one.refusal}")
        todo = [one for one in diffs if one.kind in ("create", "update")]
        results = write(options, api, todo)
    except CommandError as error:
        raise EventsError(f"EVENTS: {path}: {error.message}") from None
    _raise_first(results, f"EVENTS: {path}")


def _raise_first(results: Mapping[str, int | CommandError], what: str) -> None:
    for event_id, result in results.items():
        if isinstance(result, CommandError):
            raise EventsError(f"{what}: {event_id}: {result.message}")


def lines(api: RoomApi, now: float) -> Iterator[str]:
    """Yield a table of the events, with opening times in the local time zone, and a hint.

    Raises CommandError.
    """
    found = api.events()
    rows = []
    for one in found[:SHOWN]:
        opens_at = api.event(one["event_id"])["schedule"]["opens_at"]
        rows.append((one["event_id"], one["phase"], _opening(opens_at, now), one["title"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield printable("  ".join(cells).rstrip())
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN} more"
    yield HINT


def _opening(opens_at: int | None, now: float) -> str:
    if opens_at is None:
        return ""
    text = f"{datetime.fromtimestamp(opens_at).astimezone():%Y-%m-%d %H:%M %Z}"
    return f"{'opens' if opens_at > now else 'opened'} {text}"
