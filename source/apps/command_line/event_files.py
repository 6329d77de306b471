# SPDX-License-Identifier: Apache-2.0
"""Files of events, in YAML or JSON: a list, a mapping of id to document, or one document.

Members that only a response has, and ``control``, are not part of a file: they are left out, so
that the output of ``events show`` is a valid file.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import yaml

from waiting_room.domain.limits import NEW_EVENT_ID

Document = dict[str, Any]
NOT_IN_A_FILE = ("event_id", "version", "phase", "message", "control")
TIMES = ("pre_queue_at", "opens_at", "closes_at")  # of the schedule
DEEPEST = 20  # levels; a document has fewer


class FileError(Exception):
    """A file is invalid; the text names the file, the event and the member."""


class _Loader(yaml.SafeLoader):
    """YAML that refuses a name which a mapping contains twice: PyYAML takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for name, _ in node.value:
            if name.tag != "tag:yaml.org,2002:merge" and isinstance(name, yaml.ScalarNode):
                if name.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{name.value} is given twice", problem_mark=name.start_mark
                    )
                seen.add(name.value)
        return super().construct_mapping(node, deep)


def parse_files(texts: Iterable[tuple[str, str]]) -> dict[str, Document]:
    """Return the documents of files, of name and text each, by event id; raises FileError."""
    found: dict[str, Document] = {}
    for name, text in texts:
        try:
            # _Loader is a SafeLoader: it creates no objects of Python.
            content = yaml.load(text, Loader=_Loader)  # nosec B506
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = f" in line {mark.line + 1}" if mark else ""
            raise FileError(f"{name}: invalid YAML or JSON{line}: {error.problem}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise FileError(f"{name}: invalid YAML or JSON: {error}") from None
        for event_id, document in _entries(name, content):
            if not isinstance(event_id, str) or not NEW_EVENT_ID.fullmatch(event_id):
                raise FileError(
                    f"{name}: {event_id!r} is not an event id: a text of 1 to 64 letters, digits,"
                    " _, . and -, which begins with a letter or digit"
                )
            where = f"{name}: {event_id}"
            if not isinstance(document, dict):
                raise FileError(f"{where} must be a mapping of members")
            if document.get("event_id", event_id) != event_id:
                raise FileError(f"{where}: event_id must be {event_id}")
            if event_id in found:
                raise FileError(f"{where} is given twice")
            members = {one: value for one, value in document.items() if one not in NOT_IN_A_FILE}
            found[event_id] = _as_json(_with_epoch_seconds(members, where), where)
    return found


def _entries(name: str, content: Any) -> list[tuple[Any, Any]]:
    if isinstance(content, list):
        if not all(isinstance(one, dict) and "event_id" in one for one in content):
            raise FileError(f"{name}: each event of the list needs an event_id")
        return [(one["event_id"], one) for one in content]
    if not isinstance(content, dict):
        raise FileError(f"{name} must be a list of events, or a mapping of event id to document")
    if isinstance(content.get("event_id"), str):
        return [(content["event_id"], content)]
    if isinstance(content.get("events"), list) and len(content) == 1:
        return _entries(name, content["events"])
    return list(content.items())


def _with_epoch_seconds(document: Document, where: str) -> Document:
    """Return the document with the times of its schedule in epoch seconds."""
    schedule = document.get("schedule")
    if not isinstance(schedule, dict):
        return document
    times = {
        name: epoch_seconds(value, f"{where}: schedule.{name}") if name in TIMES else value
        for name, value in schedule.items()
    }
    return {**document, "schedule": times}


def epoch_seconds(value: Any, what: str) -> Any:
    """Convert an ISO 8601 time with a time zone to epoch seconds; other values stay.

    Raises FileError for a time without a time zone or with a fraction of a second.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise FileError(
                f"{what} must be epoch seconds or a time such as 2027-03-01T12:00:00+01:00"
            ) from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise FileError(f"{what} needs a time zone, such as 2027-03-01T12:00:00+01:00")
        if value.microsecond:
            raise FileError(f"{what} must be a whole second")
        return int(value.timestamp())
    if isinstance(value, date):
        raise FileError(f"{what} needs a time of day and a time zone")
    return value


def _as_json(value: Any, where: str, depth: int = 0) -> Any:
    """Return a value that JSON can express; raises FileError with the name of the member."""
    if depth > DEEPEST:  # also an alias of YAML that contains itself
        raise FileError(f"{where.partition('.')[0]} is nested too deeply")
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise FileError(f"{where}: the name {name!r} must be in quotation marks")
        separator = ": " if where.count(": ") == 1 else "."
        return {
            name: _as_json(one, f"{where}{separator}{name}", depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_as_json(one, f"{where}[{index}]", depth + 1) for index, one in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise FileError(f"{where} is not a text, number, boolean, list or mapping: use quotation marks")
