# SPDX-License-Identifier: Apache-2.0
"""Runs a load test with Locust."""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Callable

import gevent
from locust import LoadTestShape
from locust.env import Environment

from deployment.load_test.operator import Admission, Operator
from deployment.load_test.processor import seconds_by_part
from deployment.load_test.record import LoadTestOptions, LoadTestResults, percentile
from deployment.load_test.target import RoomUnderTest
from deployment.load_test.visitor import LoadTestRun, Visitor
from deployment.visitor_model.arrivals import CURVES, arrival_times

PROGRESS = 2.0  # seconds between two lines of progress


def shape_of(load_run: LoadTestRun, limit: float) -> LoadTestShape:
    """Return Locust's shape: the users that have arrived, until all have left or the time is up."""

    class Arrivals(LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            if load_run.all_left or load_run.now > limit:
                return None
            # a second early: each visitor waits for its arrival time
            here = sum(arrival <= load_run.now + 1 for arrival in load_run.arrivals)
            return max(1, here), float(max(1, here))

    return Arrivals()  # type: ignore[no-untyped-call]


def run(
    asked: LoadTestOptions, target: RoomUnderTest, tell: Callable[[str], None]
) -> LoadTestResults:
    """Run a test and return its results."""
    operator = Operator(target) if target.private_api else None
    load_run = LoadTestRun(target, arrival_times(CURVES[asked.curve], asked.users, asked.seconds))
    Visitor.load_run, Visitor.host = load_run, target.public_api
    shape = shape_of(load_run, asked.limit)
    logging.getLogger("locust.runners").setLevel(logging.ERROR)  # it warns about fast arrivals
    environment = Environment(user_classes=[Visitor], shape_class=shape, stop_timeout=1)
    runner = environment.create_local_runner()
    edge, used = _edge(target), time.process_time()
    parts = seconds_by_part(target.pid) if target.local else {}
    load_run.began = time.monotonic()
    runner.start_shape()
    admission = None
    if operator:
        admission = Admission(
            operator, load_run.record, per_minute=asked.admission_per_minute, most=asked.users,
            began=load_run.began, sleep=gevent.sleep,
        )  # fmt: skip
        gevent.spawn(admission.run)
    while not load_run.all_left and load_run.now < asked.limit:
        gevent.sleep(min(PROGRESS, max(0.1, asked.limit - load_run.now)))
        tell(progress(load_run))
    seconds, in_time = load_run.now, load_run.all_left
    share = (time.process_time() - used) / seconds
    load_run.over.set()
    runner.quit()
    return LoadTestResults(
        record=load_run.record,
        metrics=operator.metrics() if operator else None,
        admitted=admission.admitted if admission else None,
        troubles=admission.troubles if admission else 0,
        edge=_since(edge, _edge(target)),
        seconds=seconds,
        processor_share=share,
        in_time=in_time,
        parts={
            name: round(spent - parts.get(name, 0.0), 2)
            for name, spent in (seconds_by_part(target.pid) if target.local else {}).items()
        },
    )


def progress(load_run: LoadTestRun) -> str:
    """Return one line of progress."""
    visitors, requests = load_run.record.visitors, load_run.record.requests
    now = load_run.now
    lately = [one for one in requests[-5_000:] if one.at > now - PROGRESS]
    numbered = sum(one.number is not None for one in visitors)
    admitted = sum(one.admitted is not None for one in visitors)
    return (
        f"{now:5.0f} s  arrived {len(visitors):,}  assigned {numbered:,}  admitted {admitted:,}"
        f"  gone {load_run.left:,}  {len(lately) / PROGRESS:,.0f} requests/s"
        f"  p95 {percentile([one.ms for one in lately], 0.95):,.0f} ms"
        f"  failed {sum(one.failed for one in requests):,}"
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
