# SPDX-License-Identifier: Apache-2.0
"""The operator of a load test, and the counts of the room before and after it.

Locust replaces threads and sleeps by its own; without Locust they are those of Python.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request

from deployment.load_test.operator import Admission, Operator
from deployment.load_test.processor import seconds_by_part
from deployment.load_test.record import LoadTestOptions, LoadTestResults, Record, ShareResults
from deployment.load_test.target import RoomUnderTest


class RoomObserver:
    """Operator and counts of the tested room, read before and after the visitors."""

    def __init__(self, target: RoomUnderTest) -> None:
        self._target = target
        self._operator = Operator(target) if target.private_api else None
        self._admission: Admission | None = None
        self._edge = _edge(target)
        self._parts = seconds_by_part(target.pid) if target.local else {}

    def start_admission(self, record: Record, asked: LoadTestOptions, began: float) -> None:
        """Raise the serving counter from ``began`` on, in a thread; raises go to ``record``."""
        if self._operator:
            self._admission = Admission(
                self._operator,
                record,
                per_minute=asked.admission_per_minute,
                most=asked.users,
                began=began,
                sleep=time.sleep,
            )
            threading.Thread(target=self._admission.run, daemon=True).start()

    def results(self, share: ShareResults) -> LoadTestResults:
        """Return the results of all visitors, with the counts since the start."""
        target, admission = self._target, self._admission
        return LoadTestResults(
            record=share.record,
            metrics=self._operator.metrics() if self._operator else None,
            admitted=admission.admitted if admission else None,
            troubles=admission.troubles if admission else 0,
            edge=_since(self._edge, _edge(target)),
            seconds=share.seconds,
            processor_share=share.processor_share,
            in_time=share.in_time,
            parts={
                name: round(spent - self._parts.get(name, 0.0), 2)
                for name, spent in (seconds_by_part(target.pid) if target.local else {}).items()
            },
        )


def _edge(target: RoomUnderTest) -> dict[str, dict[str, int]]:
    if not target.local:
        return {}
    with urllib.request.urlopen(target.edge_stats, timeout=10) as answer:  # nosec B310 - loopback
        paths: dict[str, dict[str, int]] = json.loads(answer.read())["paths"]
    return paths


def _since(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    return {
        path: {name: count - before.get(path, {}).get(name, 0) for name, count in counts.items()}
        for path, counts in after.items()
        if path
    }
