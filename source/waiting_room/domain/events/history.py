# SPDX-License-Identifier: Apache-2.0
"""History of an event: one point per minute, computed from the counts that each minute stored.

A stored minute has the totals since the start of its generation. A point is the difference between
two minutes. So a minute that failed loses no visitor, and one that ran twice counts none twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.records import Counts, Segment

MINUTE = 60
HISTORY_LIFE = 30 * 86_400  # seconds for which the table keeps a minute
STEPS = (60, 300, 3_600)  # seconds between two points
MAX_POINTS = 1_440
DEFAULT_WINDOW = 86_400  # seconds
SAMPLES = 20  # positions whose waits a minute reads, at most


@dataclass(frozen=True, slots=True)
class MinuteTotals:
    """Counts at the end of the minute that began at ``at`` (epoch s).

    ``queue``, ``admitted``, ``tokens`` and ``expired`` are totals of the generation; ``waiting``
    and ``active`` are current values. ``moved_at`` is when the serving counter last rose (epoch s;
    0: never). The waits (s) are of positions that the serving counter reached in the minute; None
    without one.
    """

    at: int
    generation: int
    queue: int = 0
    admitted: int = 0
    tokens: int = 0
    expired: int = 0
    waiting: int = 0
    active: int = 0
    moved_at: int = 0
    wait_p50: int | None = None
    wait_p95: int | None = None


def totals_of(counts: Counts, now: int, waits: Sequence[int] = ()) -> MinuteTotals:
    """Return the counts of the minute of ``now`` (epoch s); ``waits`` are those of a sample (s)."""
    return MinuteTotals(
        at=now - now % MINUTE,
        generation=counts.generation,
        queue=counts.queue,
        admitted=min(counts.serving, counts.queue),
        tokens=counts.tokens,
        expired=counts.expired,
        waiting=counts.waiting,
        active=counts.active,
        moved_at=counts.admitted_at,
        wait_p50=percentile(waits, 50),
        wait_p95=percentile(waits, 95),
    )


def percentile(values: Sequence[int], share: int) -> int | None:
    """Return the smallest value that ``share`` percent of the values do not exceed."""
    if not values:
        return None
    return sorted(values)[-(-len(values) * share // 100) - 1]


def sampled_positions(counts: Counts, now: int) -> list[tuple[int, int]]:
    """Return positions that were served in the last minute, each with its time (epoch s).

    They are at most SAMPLES, at equal distances. Only the latest moves are known
    (``Counts.latest``), and only assigned positions have a wait.
    """
    served = [
        Segment(part.first, min(part.last, counts.queue), part.at)
        for part in counts.latest
        if part.at > now - MINUTE and part.first <= counts.queue
    ]
    number = sum(part.last - part.first + 1 for part in served)
    taken = min(number, SAMPLES)
    wanted = [(2 * index + 1) * number // (2 * taken) for index in range(taken)]
    found: list[tuple[int, int]] = []
    before = 0
    for part in served:
        size = part.last - part.first + 1
        found += [
            (part.first + index - before, part.at)
            for index in wanted
            if before <= index < before + size
        ]
        before += size
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """Points whose time is from ``since`` to before ``until`` (epoch s), one each ``step`` s."""

    since: int
    until: int
    step: int

    @property
    def first(self) -> int:
        """Time of the first point."""
        return -(-self.since // self.step) * self.step

    @property
    def last_minute(self) -> int:
        """Start of the last minute of the last point."""
        return -(-self.until // self.step) * self.step - MINUTE


def check_window(since: int | None, until: int | None, step: int | None, now: float) -> Window:
    """Return the window of a request; raises InvalidInput, which names the member.

    The default is the last 24 hours. Without ``step``, it is the smallest one with which the window
    has at most MAX_POINTS points.
    """
    if step is not None and step not in STEPS:
        raise InvalidInput(f"step must be one of {', '.join(map(str, STEPS))}")
    end = int(now) + 1 if until is None else until
    start = max(0, end - DEFAULT_WINDOW) if since is None else since
    if start >= end:
        raise InvalidInput("from must be before to")
    fitting = [one for one in STEPS if end - start <= one * MAX_POINTS]
    if not fitting:
        days = STEPS[-1] * MAX_POINTS // 86_400
        raise InvalidInput(f"from must be at most {days} days before to")
    if step is not None and step not in fitting:
        raise InvalidInput(
            f"step must be at least {fitting[0]} for this period: "
            f"a response has at most {MAX_POINTS} points"
        )
    return Window(start, end, step or fitting[0])


def points(minutes: Sequence[MinuteTotals], window: Window) -> list[dict[str, Any]]:
    """Return the points of a window. ``minutes`` are those of ``History.between``.

    A point exists only if one of its minutes is stored. With a step above a minute, counts are
    added; waiting and active are those of the last minute; waits are the largest of the minutes.
    """
    found: dict[int, dict[str, Any]] = {}
    first = MinuteTotals(at=-1, generation=0)
    for before, minute in pairwise([first, *minutes]):
        at = minute.at - minute.at % window.step
        if minute.at < window.first or at >= window.until:
            continue
        found[at] = _added(found.get(at), _point(at, before, minute))
    return [found[at] for at in sorted(found)]


def _point(at: int, before: MinuteTotals, minute: MinuteTotals) -> dict[str, Any]:
    """Return the point of one minute; ``before`` is the stored minute before it.

    After a reset, and without an earlier minute, the totals count from the start of the generation.
    """
    if before.generation != minute.generation:
        before = MinuteTotals(before.at, minute.generation, moved_at=before.moved_at)
    admitted = max(0, minute.admitted - before.admitted)
    # Without a move, the positions were below the serving counter when they were assigned.
    at_once = 0 if admitted and minute.moved_at == before.moved_at else None
    return {
        "at": at,
        "joined": max(0, minute.queue - before.queue),
        "admitted": admitted,
        "arrived": max(0, minute.tokens - before.tokens),
        "waiting": minute.waiting,
        "active": minute.active,
        "left": max(0, (minute.tokens - minute.active) - (before.tokens - before.active)),
        "no_shows": max(0, minute.expired - before.expired),
        "wait_p50": at_once if minute.wait_p50 is None else minute.wait_p50,
        "wait_p95": at_once if minute.wait_p95 is None else minute.wait_p95,
    }


def _added(point: dict[str, Any] | None, later: dict[str, Any]) -> dict[str, Any]:
    """Return a point with a later minute added to it."""
    if point is None:
        return later
    added = ("joined", "admitted", "arrived", "left", "no_shows")
    result = {**later, **{name: point[name] + later[name] for name in added}}
    for name in ("wait_p50", "wait_p95"):
        waits = [one[name] for one in (point, later) if one[name] is not None]
        result[name] = max(waits, default=None)
    return result
