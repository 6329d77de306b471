# SPDX-License-Identifier: Apache-2.0
"""A load test in several processes: Locust uses one core in each of them.

Each process runs a share of the visitors, with the same start on the monotonic clock of the
machine. This process raises the serving counter, waits, and merges the results. If it ends early,
for example by Ctrl+C, it ends the others.
"""

from __future__ import annotations

import json
import subprocess  # nosec B404 - starts this program
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deployment.load_test.observer import RoomObserver
from deployment.load_test.record import (
    LoadTestOptions,
    LoadTestResults,
    Record,
    Share,
    ShareResults,
)
from deployment.load_test.target import RoomUnderTest

START = 5.0  # seconds for all processes to start
GRACE = 30.0  # seconds after the limit until a process is ended
POLL = 0.2
Start = Callable[[Share, Path], "subprocess.Popen[bytes]"]


class ProcessFailed(Exception):
    """A process of the load test ended without results; the message names it."""


def run(
    asked: LoadTestOptions, target: RoomUnderTest, processes: int, start: Start
) -> LoadTestResults:
    """Run a test in several processes and return its results; raises ProcessFailed."""
    around = RoomObserver(target)
    began = time.monotonic() + START
    raises = Record()
    with tempfile.TemporaryDirectory(prefix="load-test-") as folder:
        files = [Path(folder) / f"{index}.json" for index in range(processes)]
        with _started(began, files, start) as running:
            around.start_admission(raises, asked, began)
            deadline = began + asked.limit + GRACE
            while any(one.poll() is None for one in running) and time.monotonic() < deadline:
                time.sleep(POLL)
            for number, one in enumerate(running, start=1):
                if one.poll() != 0:
                    raise ProcessFailed(f"Process {number} of {processes} ended without results.")
        parts = [ShareResults.of_json(json.loads(file.read_text())) for file in files]
    return around.results(merged(parts, raises))


def merged(parts: Sequence[ShareResults], raises: Record) -> ShareResults:
    """Return the results of all processes, in the order of time, with the raises of the counter."""
    visitors = [one for part in parts for one in part.record.visitors]
    requests = [one for part in parts for one in part.record.requests]
    record = Record(
        sorted(visitors, key=lambda one: one.arrived),
        sorted(requests, key=lambda one: one.at),
        raises.raises,
    )
    return ShareResults(
        record,
        max(part.seconds for part in parts),
        sum(part.processor_share for part in parts),
        all(part.in_time for part in parts),
    )


def start_process(arguments: Sequence[str]) -> Start:
    """Return a function that starts the load test with ``arguments`` for one share."""

    def start(share: Share, file: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "deployment.load_test", *arguments]
        command += ["--share", f"{share.index}/{share.of}", "--began", repr(share.began)]
        return subprocess.Popen([*command, "--share-results", str(file)])  # nosec B603

    return start


@contextmanager
def _started(
    began: float, files: Sequence[Path], start: Start
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a process for each file; end those that still run at the end."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for index, file in enumerate(files):
            running.append(start(Share(index, len(files), began), file))
        yield running
    finally:
        for one in running:
            if one.poll() is None:
                one.terminate()
                one.wait()
