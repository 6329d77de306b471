# SPDX-License-Identifier: Apache-2.0
"""``events apply``: read files, show the difference, ask, and write.

Reads run concurrently. Writes run one after the other, because each changes the same list of
events in the room. A failed write does not stop the others, unless the room is unreachable or
rejects the credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from apps.command_line import output, views
from apps.command_line.api_client import RoomApi
from apps.command_line.connection import Options
from apps.command_line.diff import EventDiff, InvalidEntry, compare
from apps.command_line.errors import CommandError, ExitCode, usage
from apps.command_line.event_files import FileError, parse_files

CONCURRENT_READS = 8
FINAL = (ExitCode.UNREACHABLE, ExitCode.NOT_PERMITTED)  # of a write: the next one would fail too
Item = TypeVar("Item")


def apply_files(options: Options, files: Iterable[TextIO], *, dry_run: bool, yes: bool) -> int:
    """Apply files of events and return the exit code; raises CommandError."""
    wanted = read_files(files)
    api = options.connect()
    diffs = differences(options, api, wanted)
    todo = [one for one in diffs if one.kind in ("create", "update")]
    refused = any(one.refusal for one in diffs)
    if not options.as_json:
        views.console().print(views.diff_view(diffs))
    if dry_run or not todo:
        if options.as_json:
            output.print_json(_report(diffs, {}))
        if refused:
            return ExitCode.REFUSED
        return ExitCode.DIFFERENCE if todo else ExitCode.DONE
    output.confirm(yes, f"Apply {_count(len(todo), 'change')}?")
    results = write(options, api, todo)
    failed = [result for result in results.values() if isinstance(result, CommandError)]
    if options.as_json:
        output.print_json(_report(diffs, results))
    else:
        _print_summary(todo, results)
    if failed:
        return failed[0].exit_code
    return ExitCode.REFUSED if refused else ExitCode.DONE


def read_files(files: Iterable[TextIO]) -> dict[str, dict[str, Any]]:
    """Return the documents of files by event id; raises CommandError."""
    texts = []
    for file in files:
        try:
            texts.append((file.name, file.read()))
        except (OSError, UnicodeDecodeError) as error:
            raise usage(f"{file.name} is not a readable UTF-8 file: {error}") from None
    try:
        return parse_files(texts)
    except FileError as error:
        raise usage(str(error)) from None


def differences(
    options: Options, api: RoomApi, wanted: Mapping[str, dict[str, Any]]
) -> list[EventDiff]:
    """Return the difference of each event to the room; raises CommandError."""
    with ThreadPoolExecutor(CONCURRENT_READS) as threads:
        reads = threads.map(api.find, wanted)
        try:
            current = dict(
                zip(wanted, _progress(options, "Reading", reads, len(wanted)), strict=True)
            )
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    now = options.clock()
    try:
        return [compare(one, current[one], document, now) for one, document in wanted.items()]
    except InvalidEntry as error:
        raise usage(str(error)) from None


def write(
    options: Options, api: RoomApi, todo: Sequence[EventDiff]
) -> dict[str, int | CommandError]:
    """Return the new version of each event, or its error; events after a final error are absent."""
    results: dict[str, int | CommandError] = {}
    for one in _progress(options, "Applying", todo, len(todo)):
        try:
            if one.version is None:
                document = api.create(one.event_id, one.content)
            else:
                document = api.patch(one.event_id, one.content, one.version)
            results[one.event_id] = document["version"]
        except CommandError as error:
            results[one.event_id] = error
            if error.exit_code in FINAL:
                break
    return results


def _progress(options: Options, what: str, items: Iterable[Item], total: int) -> Iterator[Item]:
    """Yield the items with a progress bar on a terminal."""
    console = views.console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    off = options.as_json or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off) as bar:
        yield from bar.track(items, total=total)


def _print_summary(todo: Sequence[EventDiff], results: Mapping[str, int | CommandError]) -> None:
    errors = views.console(stderr=True)
    for event_id, result in results.items():
        if isinstance(result, CommandError):
            errors.print(views.cell(f"Error: {event_id}: {result.message}"), soft_wrap=True)
    done = [one for one in todo if isinstance(results.get(one.event_id), int)]
    created = sum(one.version is None for one in done)
    parts = [f"{created} created", f"{len(done) - created} changed"]
    if left := len(todo) - len(done):
        parts.append(f"{left} not applied")
    views.console().print(", ".join(parts) + ".")


def _report(
    diffs: Sequence[EventDiff], results: Mapping[str, int | CommandError]
) -> dict[str, Any]:
    """Return the JSON output."""
    return {"events": [_entry(one, results.get(one.event_id)) for one in diffs]}


def _entry(one: EventDiff, result: int | CommandError | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "event_id": one.event_id,
        "difference": one.kind,
        "version": one.version,
        "changes": [
            {"member": change.member, "before": change.before, "after": change.after}
            for change in one.changes
        ],
        "applied": isinstance(result, int),
    }
    if isinstance(result, int):
        entry["version"] = result
    if one.refusal or isinstance(result, CommandError):
        entry["error"] = one.refusal or str(result)
    return entry


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
