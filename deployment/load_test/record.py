# SPDX-License-Identifier: Apache-2.0
"""What happened in a load test: to each visitor, in each request, at each raise of the counter."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

NAMES = ("join", "queue_num", "status", "token", "store")


@dataclass
class Visit:
    """One visitor; moments in seconds since the test began, None for what did not happen."""

    arrived: float
    joined: float | None = None
    learned: float | None = None
    number: int | None = None
    admitted: float | None = None
    paid: float | None = None
    ended: str = ""  # why the visit is over when no token was given

    @property
    def to_position(self) -> float | None:
        """From the arrival to the own number."""
        return None if self.learned is None else self.learned - self.arrived


@dataclass(frozen=True)
class Request:
    """One request: when it was answered, how long it took (ms), its status (0: no answer)."""

    name: str
    at: float
    ms: float
    status: int

    @property
    def failed(self) -> bool:
        """Whether a page would say that there is trouble."""
        return self.status == 0 or self.status == 429 or self.status >= 500


@dataclass
class Record:
    """Everything about a test. ``raises`` holds when the counter may have reached what."""

    visits: list[Visit] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    raises: list[tuple[float, int]] = field(default_factory=list)

    def bound_at(self, moment: float) -> int:
        """The most that the serving counter can have been at a moment."""
        index = bisect_right(self.raises, moment, key=lambda step: step[0])
        return max((counter for _, counter in self.raises[:index]), default=0)

    def latencies(self, name: str) -> list[float]:
        """Milliseconds of the requests of a kind that were answered."""
        return [one.ms for one in self.requests if one.name == name and one.status]

    def statuses(self, name: str) -> Counter[int]:
        """How often which status came."""
        return Counter(one.status for one in self.requests if one.name == name)

    def per_second(self, name: str) -> list[int]:
        """Requests of a kind in each second of the test."""
        seconds = Counter(int(one.at) for one in self.requests if one.name == name)
        return [seconds[second] for second in range(max(seconds, default=-1) + 1)]

    def as_json(self) -> dict[str, Any]:
        """The visits and the raises; requests are kept as counts."""
        return {"visits": [asdict(one) for one in self.visits], "raises": self.raises}


@dataclass(frozen=True)
class Asked:
    """What to do: how many come, how, in how many seconds; when to give up."""

    users: int
    curve: str
    seconds: float
    admission_per_minute: float
    limit: float  # seconds for the whole test


@dataclass(frozen=True)
class Done:
    """What a test leaves behind. ``edge`` is what the local edge counted in the meantime."""

    record: Record
    metrics: dict[str, Any] | None
    admitted: int | None
    troubles: int
    edge: dict[str, dict[str, int]]
    seconds: float
    processor_share: float  # of one core, that the visitors themselves took
    in_time: bool
    parts: dict[str, float]  # seconds of processor time of the parts of this machine's room


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
