# SPDX-License-Identifier: Apache-2.0
"""Rules of the watchdog: its requests to the room, their readings, and when an event opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import is_whole, json_object

STEP = 10.0  # s between two probes while one fails
FAILING_FOR = 70.0  # s of faults without another reading after which an event is lost
MAX_BODY = 16_384  # bytes of a response that are read
BUSY_STATUS = 429
UNAVAILABLE = "unavailable"
WAYS = ("go", "wait")


class WatchFailed(Exception):
    """The watchdog has no verdict about at least one event."""


class Reading(StrEnum):
    """Result of a probe."""

    HEALTHY = "healthy"
    BUSY = "busy"  # the room responds, and limits its callers: anyone can cause that
    REFUSED = "refused"  # it responds, but not to the watchdog: a wrong key, a deleted event
    FAULT = "fault"  # no response in time, a failure, or a response that the room never makes


class Verdict(StrEnum):
    """State of one event in a run of the watchdog."""

    RESPONDS = "responds"
    UNDECIDED = "undecided"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe that ended at ``at`` (epoch s)."""

    at: float
    reading: Reading


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """A GET request without effect: path in its API, member of the query with the event, headers.

    ``sec-purpose`` says that no visitor asks: the entrance then does not stop visitors from going
    straight through.
    """

    path: str
    member: str
    headers: Mapping[str, str]


STATUS = ProbeRequest("/status", "event_id", {"accept": "application/json"})
ENTER = ProbeRequest("/enter", "event", {"accept": "application/json", "sec-purpose": "prefetch"})


def read_response(request: ProbeRequest, event_id: str, status: int, body: bytes) -> Reading:
    """Return the reading of a response.

    429 is a limit that callers reached, unless the entrance says that its store does not respond.
    """
    if status == BUSY_STATUS:
        return Reading.FAULT if _reason(body) == UNAVAILABLE else Reading.BUSY
    if 400 <= status < 500:
        return Reading.REFUSED
    content = _content(body) if status == 200 else {}
    known = _is_status(content, event_id) if request is STATUS else _is_decision(content)
    return Reading.HEALTHY if known else Reading.FAULT


def _content(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a response; empty for any other content."""
    if len(body) > MAX_BODY:
        return {}
    try:
        return json_object(body, "the response")
    except InvalidInput:
        return {}


def _reason(body: bytes) -> object:
    return _content(body).get("reason")


def _is_status(content: Mapping[str, Any], event_id: str) -> bool:
    numbers = ("serving_counter", "waiting_num", "queue_counter")
    return content.get("event_id") == event_id and all(
        is_whole(content.get(name)) for name in numbers
    )


def _is_decision(content: Mapping[str, Any]) -> bool:
    return content.get("decision") in WAYS and is_whole(content.get("retry_after"))


def worst(readings: Sequence[Reading]) -> Reading:
    """Return the reading of an event from those of its requests; a fault of one is a fault."""
    order = (Reading.FAULT, Reading.REFUSED, Reading.BUSY)
    return next((one for one in order if one in readings), Reading.HEALTHY)


def verdict(probes: Sequence[Probe]) -> Verdict:
    """Return the verdict about an event after its probes of one run, in the order of their times.

    An event is lost when its probes were faults, and nothing else, for FAILING_FOR seconds.
    """
    if not probes:
        return Verdict.UNDECIDED
    last = probes[-1]
    if last.reading is not Reading.FAULT:
        return Verdict.RESPONDS
    began = last.at
    for probe in reversed(probes):
        if probe.reading is not Reading.FAULT:
            break
        began = probe.at
    return Verdict.LOST if last.at - began >= FAILING_FOR else Verdict.UNDECIDED
