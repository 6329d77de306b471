# SPDX-License-Identifier: Apache-2.0
"""The serving counter: how it moves, and since when it has stood above a position."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace

from waiting_room.errors import InvalidInput
from waiting_room.records import EventState, Segment, ServingMove, Snapshot
from waiting_room.settings import CLOCK_STEP, MAX_INCREMENT, RATE_WINDOW, SHORTEST_RATE


def check_increment(value: object) -> int:
    """An increment that an operator can mean; raises InvalidInput otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput("increment_by must be a whole number")
    if value == 0:
        raise InvalidInput("increment_by must not be zero")
    if abs(value) > MAX_INCREMENT:
        raise InvalidInput(f"increment_by must be between -{MAX_INCREMENT} and {MAX_INCREMENT}")
    return value


def move(
    state: EventState, by: int, now: int, reason: str, mark: str = "", actor: str = ""
) -> EventState:
    """The event after the serving counter moved by ``by``, never below 0.

    A move is not earlier than the one before it: a clock that stepped back, or runs behind others,
    would take time from those who are served now.
    """
    current = max(0, state.serving + by)
    version = state.version + 1
    last = state.move.at if state.move else 0
    if now < last <= now + CLOCK_STEP:
        now = last
    return replace(
        state,
        serving=current,
        version=version,
        move=ServingMove(version, state.serving, current, now, reason, mark, actor),
    )


def segments(moves: Iterable[ServingMove], start: Iterable[Segment] = ()) -> list[Segment]:
    """Replay moves in order of version: who has been served since when, lowest positions first.

    ``start`` is how it stood before the first of them.
    """
    served = list(start)
    for step in sorted(moves, key=lambda step: step.version):
        if step.current > step.previous:
            served.append(Segment(step.previous + 1, step.current, step.at))
        else:
            served = [
                replace(part, last=min(part.last, step.current))
                for part in served
                if part.first <= step.current
            ]
    return served


def of_snapshot(snapshot: Snapshot) -> list[Segment]:
    """The segments as the tables tell them."""
    start = snapshot.checkpoint.segments if snapshot.checkpoint else ()
    return segments(snapshot.moves, start)


def served_at(parts: Sequence[Segment], position: int) -> int | None:
    """When the serving counter last reached ``position``; None when it stands below.

    ``parts`` are in order of position, as ``segments`` returns them.
    """
    index = bisect_left(parts, position, key=lambda part: part.last)
    if index < len(parts) and parts[index].first <= position:
        return parts[index].at
    return None


def admitted_recently(parts: Iterable[Segment], now: int) -> int:
    """How many positions the counter has reached within the rate window."""
    return sum(part.last - part.first + 1 for part in parts if part.at > now - RATE_WINDOW)


def rate_per_minute(admitted: int, since: int, now: int) -> float:
    """Positions per minute, of ``admitted`` within the rate window.

    A room that opened within the window, at ``since``, is measured from then on; over a minute at
    least, as one move says nothing about the next.
    """
    return admitted * 60 / max(SHORTEST_RATE, min(RATE_WINDOW, now - since))


def poll_after(waiting: int, rate_per_minute: float) -> int:
    """Seconds after which a waiting page should ask again; a page near the front scales it down.

    Long lines that move slowly need no hurry: about a fiftieth of the time to the end, 2 to 30 s.
    """
    if waiting == 0:
        return 2
    minutes = waiting / rate_per_minute if rate_per_minute > 0 else 10.0
    return max(2, min(30, round(minutes * 60 / 50)))
