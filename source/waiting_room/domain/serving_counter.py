# SPDX-License-Identifier: Apache-2.0
"""Serving counter: its moves, the time at which it reached a position, and admission rates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.limits import CLOCK_STEP, MAX_INCREMENT, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.records import Counts, EventState, Segment, ServingMove

SHORTEST_SPAN = 5  # s; five moves made at once by one caller do not predict the next
PAUSE = 3  # usual gaps; a longer gap is a pause and counts as one usual gap


def check_increment(value: object) -> int:
    """Return a valid increment; raises InvalidInput otherwise."""
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
    """Return the state after the serving counter moved by ``by``, never below 0.

    A move is never earlier than the previous move. Otherwise a clock that stepped back, or runs
    behind others, would shorten the expiry period of the positions that are served.
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
        unlogged=state.row_moves,
    )


def segments(
    moves: Iterable[ServingMove],
    *,
    expired_through: int,
    version: int = 0,
    start: Iterable[Segment] = (),
) -> list[Segment]:
    """Replay moves in order of version; return the served positions, lowest first, with times.

    ``start`` is the result at ``version``. A missing move excludes no position: positions above
    ``expired_through`` that it may have reached count as reached by the next move in ``moves``.
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
    """Return whether a reader that has ``after_version`` needs no moves before ``oldest``.

    Earlier moves concern only expired positions, and lie outside the rate window.
    """
    if oldest.version <= after_version + 1 or state.move is None:
        return True
    return oldest.previous <= state.expired_through and oldest.at < state.move.at - RATE_WINDOW


def served_at(parts: Sequence[Segment], position: int) -> int | None:
    """Return when (epoch s) the serving counter last reached ``position``; None if it is below.

    ``parts`` are in order of position, as ``segments`` returns them.
    """
    index = bisect_left(parts, position, key=lambda part: part.last)
    if index < len(parts) and parts[index].first <= position:
        return parts[index].at
    return None


def admitted_recently(parts: Iterable[Segment], now: int, window: int = RATE_WINDOW) -> int:
    """Count the positions that the serving counter reached within ``window`` (s)."""
    return sum(_size(part) for part in parts if part.at > now - window)


def _size(part: Segment) -> int:
    return part.last - part.first + 1


def rate_per_minute(admitted: int, since: int, now: int) -> float:
    """Return positions per minute, from ``admitted`` positions within the rate window.

    For an event that opened within the window, at ``since``, the rate is measured from then, over
    at least SHORTEST_RATE seconds: one move does not predict the next.
    """
    return admitted * 60 / max(SHORTEST_RATE, min(RATE_WINDOW, now - since))


def optimistic_rate(counts: Counts, now: int) -> float:
    """Return the highest plausible admission rate (positions per minute); 0 before the first move.

    A waiting page uses it so that it does not poll too late. It is the largest of three rates: the
    last minute, the rate window, and the latest moves over their own time without pauses. Neither a
    pause nor a recent opening lowers it.
    """
    lately = [part for part in counts.latest if part.at > now - SHORTEST_RATE]
    steady = len(lately) * (usual_gap(counts.latest) or 0)  # seconds that these moves cover
    shortly = counts.admitted_shortly * 60 / max(SHORTEST_RATE, steady)
    return max(shortly, counts.admitted_recently * 60 / RATE_WINDOW, _own_rate(counts.latest))


def _own_rate(latest: Sequence[Segment]) -> float:
    """Return positions per minute of moves, oldest first, since the first of them."""
    usual = usual_gap(latest)
    if len(latest) < 2:
        return 0.0
    gaps = [later.at - earlier.at for earlier, later in pairwise(latest)]
    span = sum(gap if usual is None or gap <= PAUSE * usual else usual for gap in gaps)
    return sum(map(_size, latest[1:])) * 60 / max(SHORTEST_SPAN, span)


def without_headroom(counts: Counts) -> Counts:
    """Return the counts as if positions that no visitor has were not served, for rates."""
    ahead = counts.serving - counts.queue
    if ahead <= 0:
        return counts
    return replace(
        counts,
        admitted_recently=max(0, counts.admitted_recently - ahead),
        admitted_shortly=max(0, counts.admitted_shortly - ahead),
        latest=tuple(_up_to(counts.latest, counts.queue)),
    )


def usual_gap(latest: Sequence[Segment]) -> int | None:
    """Return the median gap (s) between moves, oldest first; None with fewer than two times.

    The median limits the effect of a single pause or manual move.
    """
    times = sorted({part.at for part in latest})
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    return gaps[(len(gaps) - 1) // 2] if gaps else None


def poll_after(waiting: int, rate_per_minute: float) -> int:
    """Return the poll interval of a waiting page in seconds; pages near the front shorten it.

    The interval is about 1/50 of the time until the queue is served, from 2 to 30 s.
    """
    if waiting == 0:
        return 2
    minutes = waiting / rate_per_minute if rate_per_minute > 0 else 10.0
    return max(2, min(30, round(minutes * 60 / 50)))
