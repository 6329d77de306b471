# SPDX-License-Identifier: Apache-2.0
"""The serving counter: how it moves, and since when it has stood above a position."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.limits import CLOCK_STEP, MAX_INCREMENT, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.records import Counts, EventState, Segment, ServingMove

SHORTEST_SPAN = 5  # s; five moves that one caller makes at once say nothing about the next
PAUSE = 3  # usual gaps; a longer one was a pause, and counts as a usual one


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


def segments(
    moves: Iterable[ServingMove],
    *,
    expired_through: int,
    version: int = 0,
    start: Iterable[Segment] = (),
) -> list[Segment]:
    """Replay moves in order of version: who has been served since when, lowest positions first.

    ``start`` is how it stood at ``version``. A move that is not there keeps nobody out: positions
    above ``expired_through`` that it may have reached are taken as reached by the
    next move that is there.
    """
    served = list(start)
    for step in sorted(moves, key=lambda step: step.version):
        if step.version != version + 1:
            served = _up_to(served, min(expired_through, step.previous))
            if step.previous > expired_through:
                served.append(Segment(expired_through + 1, step.previous, step.at))
        if step.current > step.previous:
            served.append(Segment(step.previous + 1, step.current, step.at))
        else:
            served = _up_to(served, step.current)
        version = step.version
    return served


def _up_to(parts: Iterable[Segment], position: int) -> list[Segment]:
    return [
        replace(part, last=min(part.last, position)) for part in parts if part.first <= position
    ]


def reaches_back(state: EventState, oldest: ServingMove, after_version: int) -> bool:
    """Whether moves before ``oldest`` are of no use to who knows ``after_version``.

    Earlier ones concern swept positions only, and no rate that is asked for.
    """
    if oldest.version <= after_version + 1 or state.move is None:
        return True
    return oldest.previous <= state.expired_through and oldest.at < state.move.at - RATE_WINDOW


def served_at(parts: Sequence[Segment], position: int) -> int | None:
    """When the serving counter last reached ``position``; None when it stands below.

    ``parts`` are in order of position, as ``segments`` returns them.
    """
    index = bisect_left(parts, position, key=lambda part: part.last)
    if index < len(parts) and parts[index].first <= position:
        return parts[index].at
    return None


def admitted_recently(parts: Iterable[Segment], now: int, window: int = RATE_WINDOW) -> int:
    """How many positions the counter has reached within the rate window, or another (s)."""
    return sum(_size(part) for part in parts if part.at > now - window)


def _size(part: Segment) -> int:
    return part.last - part.first + 1


def rate_per_minute(admitted: int, since: int, now: int) -> float:
    """Positions per minute, of ``admitted`` within the rate window.

    A room that opened within the window, at ``since``, is measured from then on; over a minute at
    least, as one move says nothing about the next.
    """
    return admitted * 60 / max(SHORTEST_RATE, min(RATE_WINDOW, now - since))


def optimistic_rate(counts: Counts, now: int) -> float:
    """Positions per minute that a page expects so as not to come late; 0 before anything moved.

    The largest rate of the last minute, of the rate window, and of the latest moves over their own
    time without a pause: neither a pause nor a fresh opening lowers it.
    """
    lately = [part for part in counts.latest if part.at > now - SHORTEST_RATE]
    steady = len(lately) * (usual_gap(counts.latest) or 0)  # the time that these moves stand for
    shortly = counts.admitted_shortly * 60 / max(SHORTEST_RATE, steady)
    return max(shortly, counts.admitted_recently * 60 / RATE_WINDOW, _own_rate(counts.latest))


def _own_rate(latest: Sequence[Segment]) -> float:
    """Positions per minute of moves, oldest first, since the first of them."""
    usual = usual_gap(latest)
    if len(latest) < 2:
        return 0.0
    gaps = [later.at - earlier.at for earlier, later in pairwise(latest)]
    span = sum(gap if usual is None or gap <= PAUSE * usual else usual for gap in gaps)
    return sum(map(_size, latest[1:])) * 60 / max(SHORTEST_SPAN, span)


def usual_gap(latest: Sequence[Segment]) -> int | None:
    """Seconds that usually lie between two moves, oldest first; None while it is not known.

    The middle of the gaps, so that a pause or a move by hand counts as one among others.
    """
    times = sorted({part.at for part in latest})
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    return gaps[(len(gaps) - 1) // 2] if gaps else None


def poll_after(waiting: int, rate_per_minute: float) -> int:
    """Seconds after which a waiting page should ask again; a page near the front scales it down.

    Long lines that move slowly need no hurry: about a fiftieth of the time to the end, 2 to 30 s.
    """
    if waiting == 0:
        return 2
    minutes = waiting / rate_per_minute if rate_per_minute > 0 else 10.0
    return max(2, min(30, round(minutes * 60 / 50)))
