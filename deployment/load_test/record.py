# SPDX-License-Identifier: Apache-2.0
"""Observations of a load test: visitors, requests, and raises of the serving counter."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

NAMES = ("join", "queue_num", "status", "token", "store")


@dataclass
class VisitorRecord:
    """One visitor; times in seconds since the start of the test, None if not reached."""

    arrived: float
    joined: float | None = None
    learned: float | None = None
    number: int | None = None
    admitted: float | None = None
    paid: float | None = None
    ended: str = ""  # reason why the visitor left without a token

    @property
    def to_position(self) -> float | None:
        """Seconds from the arrival to the position."""
        return None if self.learned is None else self.learned - self.arrived


@dataclass(frozen=True)
class Request:
    """One request: time of the response, duration (ms), status (0: no response)."""

    name: str
    at: float
    ms: float
    status: int

    @property
    def failed(self) -> bool:
        """Whether the waiting page would show an error."""
        return self.status == 0 or self.status == 429 or self.status >= 500


@dataclass
class Record:
    """All observations. ``raises`` are the times of the raises with the new upper bounds."""

    visitors: list[VisitorRecord] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    raises: list[tuple[float, int]] = field(default_factory=list)

    def bound_at(self, moment: float) -> int:
        """Return the upper bound of the serving counter at a time."""
        index = bisect_right(self.raises, moment, key=lambda step: step[0])
        return max((counter for _, counter in self.raises[:index]), default=0)

    def latencies(self, name: str) -> list[float]:
        """Return the milliseconds of the requests of a kind that got a response."""
        return [one.ms for one in self.requests if one.name == name and one.status]

    def statuses(self, name: str) -> Counter[int]:
        """Return the number of responses of each status."""
        return Counter(one.status for one in self.requests if one.name == name)

    def per_second(self, name: str) -> list[int]:
        """Return the requests of a kind in each second of the test."""
        seconds = Counter(int(one.at) for one in self.requests if one.name == name)
        return [seconds[second] for second in range(max(seconds, default=-1) + 1)]

    def as_json(self) -> dict[str, Any]:
        """Return the visitors and the raises, without the requests."""
        return {"visits": [asdict(one) for one in self.visitors], "raises": self.raises}


@dataclass(frozen=True)
class LoadTestOptions:
    """Options of a test: visitors, curve, length of the arrivals, admission rate, limit."""

    users: int
    curve: str
    seconds: float
    admission_per_minute: float
    limit: float  # seconds for the whole test


@dataclass(frozen=True)
class Share:
    """The visitors of one process: each ``of``-th of all, from ``index``.

    ``began`` is the start of the test on the monotonic clock of the machine; None for now.
    """

    index: int = 0
    of: int = 1
    began: float | None = None


@dataclass(frozen=True)
class ShareResults:
    """The results of the visitors of one or of all processes."""

    record: Record
    seconds: float
    processor_share: float  # of one core
    in_time: bool

    def as_json(self) -> dict[str, Any]:
        """Return the results as JSON data, with all requests."""
        return {
            "visitors": [asdict(one) for one in self.record.visitors],
            "requests": [[one.name, one.at, one.ms, one.status] for one in self.record.requests],
            "seconds": self.seconds,
            "processor_share": self.processor_share,
            "in_time": self.in_time,
        }

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> ShareResults:
        """Return the results that ``as_json`` wrote."""
        record = Record(
            [VisitorRecord(**one) for one in content["visitors"]],
            [Request(*one) for one in content["requests"]],
        )
        return cls(record, content["seconds"], content["processor_share"], bool(content["in_time"]))


@dataclass(frozen=True)
class LoadTestResults:
    """The results of a test. ``edge`` holds the counts of the local edge during the test."""

    record: Record
    metrics: dict[str, Any] | None
    admitted: int | None
    troubles: int
    edge: dict[str, dict[str, int]]
    seconds: float
    processor_share: float  # of one core, used by the simulated visitors
    in_time: bool
    parts: dict[str, float]  # seconds of processor time of each process of the local room


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of the values do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
