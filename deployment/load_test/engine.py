# SPDX-License-Identifier: Apache-2.0
"""Runs a load test with Locust."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from locust import LoadTestShape
from locust.env import Environment

from deployment.load_test.observer import RoomObserver
from deployment.load_test.record import (
    LoadTestOptions,
    LoadTestResults,
    Record,
    Share,
    ShareResults,
    percentile,
)
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
    """Run a test in this process and return its results."""
    around = RoomObserver(target)
    share = run_share(asked, target, tell, Share(), around.start_admission)
    return around.results(share)


def run_share(
    asked: LoadTestOptions,
    target: RoomUnderTest,
    tell: Callable[[str], None],
    share: Share,
    started: Callable[[Record, LoadTestOptions, float], None] = lambda *_: None,
) -> ShareResults:
    """Run the visitors of one process; call ``started`` with the record and the start."""
    arrivals = arrival_times(CURVES[asked.curve], asked.users, asked.seconds)
    load_run = LoadTestRun(target, arrivals[share.index :: share.of])
    Visitor.load_run, Visitor.host = load_run, target.public_api
    shape = shape_of(load_run, asked.limit)
    logging.getLogger("locust.runners").setLevel(logging.ERROR)  # it warns about fast arrivals
    environment = Environment(user_classes=[Visitor], shape_class=shape, stop_timeout=1)
    runner = environment.create_local_runner()
    used = time.process_time()
    load_run.began = time.monotonic() if share.began is None else share.began
    runner.start_shape()
    started(load_run.record, asked, load_run.began)
    while not load_run.all_left and load_run.now < asked.limit:
        gevent.sleep(min(PROGRESS, max(0.1, asked.limit - load_run.now)))
        tell(progress(load_run))
    seconds, in_time = load_run.now, load_run.all_left
    spent = (time.process_time() - used) / seconds
    load_run.over.set()
    runner.quit()
    return ShareResults(load_run.record, seconds, spent, in_time)


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
