# SPDX-License-Identifier: Apache-2.0
"""What was measured during a soak, minute by minute, and the rules that judge it.

Pure. Times are seconds since the start of the load.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployment.load_test.record import percentile
from tests.soak.observations import Check

RECOVERY = 20.0  # s after a disturbance that count as part of it
SLOWER = 2.0  # how many times the p95 of the first minutes a later one may be
FLOOR = 50.0  # ms; a p95 below it is never too slow: clocks and neighbours differ by that much
BASE_MINUTES = 5  # minutes that the later ones are compared with
FEWEST = 20  # requests of a route in a span that say something about its p95
LONGEST_WAIT = 15.0  # s from the join to the position, p99
GROWTH, GROWTH_MB = 0.10, 8.0  # of a process in the second half of a run: 10 %, at least 8 MB
ROW_KB = 10.0  # that the emulator may keep for a visit: its rows stay for 30 days
MORE_FILES = 50  # file descriptors in the second half above the most of the first


@dataclass(frozen=True)
class Asked:
    """A request: when it began, what it asked, how long it took (ms), the status (0: none)."""

    at: float
    route: str
    ms: float
    status: int


@dataclass(frozen=True)
class Size:
    """What a process takes at a moment."""

    at: float
    part: str
    pid: int
    megabytes: float
    files: int


@dataclass
class Samples:
    """Everything that was measured."""

    asked: list[Asked] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    windows: list[tuple[float, float, str]] = field(default_factory=list)  # disturbances
    seconds: float = 0.0

    def disturbed(self, at: float) -> bool:
        """Whether a request at this moment belongs to a disturbance."""
        return any(first <= at < last + RECOVERY for first, last, _ in self.windows)

    def times(self, route: str, first: float, last: float, *, calm: bool = False) -> list[float]:
        """Milliseconds of the answered requests of a route in a span."""
        return [
            one.ms
            for one in self.asked
            if one.route == route and first <= one.at < last and one.status
            and not (calm and self.disturbed(one.at))
        ]  # fmt: skip

    @property
    def routes(self) -> list[str]:
        """The routes, in alphabetical order."""
        return sorted({one.route for one in self.asked})

    @property
    def minutes(self) -> int:
        """Whole and begun minutes."""
        return max(1, -int(-self.seconds // 60))

    def failures(self) -> dict[int, Counter[int]]:
        """Statuses of 500 and more, and 0 for no answer, by minute."""
        found: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for one in self.asked:
            if one.status >= 500 or one.status == 0:
                found[int(one.at // 60)][one.status] += 1
        return dict(found)


def judge(samples: Samples, waits: Sequence[float], visits_in_second_half: int) -> list[Check]:
    """What must hold of a run."""
    return [
        *_speed(samples),
        _waits(waits),
        *_memory(samples, visits_in_second_half),
        *_files(samples),
        _statuses(samples),
    ]


def _speed(samples: Samples) -> list[Check]:
    """p95 of each route, disturbances left out, in each later span as long as the first."""
    base = 60.0 * min(BASE_MINUTES, max(1, samples.minutes // 3))
    checks = []
    for route in samples.routes:
        first = samples.times(route, 0, base, calm=True)
        if len(first) < FEWEST:
            continue
        limit = max(FLOOR, SLOWER * percentile(first, 0.95))
        worst, start = 0.0, base
        while start + base / 2 <= samples.seconds:
            later = samples.times(route, start, start + base, calm=True)
            if len(later) >= FEWEST:
                worst = max(worst, percentile(later, 0.95))
            start += base
        checks.append(
            Check(
                f"{route} stays as fast as in its first {base / 60:.0f} min",
                worst <= limit,
                f"p95 {percentile(first, 0.95):.0f} ms, later at most {worst:.0f} ms",
            )
        )
    return checks


def _waits(waits: Sequence[float]) -> Check:
    p99 = percentile(waits, 0.99)
    return Check(
        f"p99 from the join to the position is at most {LONGEST_WAIT:.0f} s",
        bool(waits) and p99 <= LONGEST_WAIT,
        f"{len(waits):,} visits, p99 {p99:.1f} s",
    )


def _memory(samples: Samples, visits: int) -> list[Check]:
    checks = []
    for part, sizes in _by_part(samples).items():
        half = [one for one in sizes if one.at >= samples.seconds / 2]
        if len(half) < 2:
            continue
        before, after = half[0].megabytes, half[-1].megabytes
        allowed = max(GROWTH * before, GROWTH_MB)
        if part == "AWS emulator":
            allowed += visits * ROW_KB / 1024
        checks.append(
            Check(
                f"the memory of {part} levels off",
                after - before <= allowed,
                f"{sizes[0].megabytes:.0f} MB at the start, {before:.0f} MB at half time, "
                f"{after:.0f} MB in the end ({allowed:.0f} MB more allowed)",
            )
        )
    return checks


def _files(samples: Samples) -> list[Check]:
    checks = []
    for part, sizes in _by_part(samples).items():
        early = [one.files for one in sizes if one.at < samples.seconds / 2]
        late = [one.files for one in sizes if one.at >= samples.seconds / 2]
        if early and late:
            checks.append(
                Check(
                    f"{part} does not open files without end",
                    max(late) <= max(early) + MORE_FILES,
                    f"at most {max(early)}, then {max(late)}",
                )
            )
    return checks


def _by_part(samples: Samples) -> Mapping[str, list[Size]]:
    """The sizes of each part's last process: one that was started again begins anew."""
    last = {one.part: one.pid for one in samples.sizes}
    found: defaultdict[str, list[Size]] = defaultdict(list)
    for one in samples.sizes:
        if one.pid == last[one.part]:
            found[one.part].append(one)
    return found


def _statuses(samples: Samples) -> Check:
    wrong = Counter(one.status for one in samples.asked if one.status in (500, 502, 504))
    refused = sum(one.status == 503 for one in samples.asked)
    calm = sum(one.status == 503 and not samples.disturbed(one.at) for one in samples.asked)
    return Check(
        "no 500, 502 or 504",
        not wrong,
        f"{dict(wrong) if wrong else 'none'}; 503: {refused}, {calm} of them outside disturbances",
    )
