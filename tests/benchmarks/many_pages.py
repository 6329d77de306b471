# SPDX-License-Identifier: Apache-2.0
"""How many calls of ``/status`` reach the origin when many waiting pages wait.

The pages run the module that browsers run, in one node process without a browser's own cache, so
that the edge gets every poll. ``python -m tests.benchmarks.many_pages [pages] [seconds]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.support.local_stack import RunningRoom, running_room
from tests.support.servers import ROOT

SCRIPT = ROOT / "tests" / "benchmarks" / "many_pages.mjs"
NODE = Path(sys.executable).with_name("node")


@dataclass(frozen=True)
class Polls:
    """What the edge counted for ``/status`` while all pages waited."""

    pages: int
    seconds: float
    polls: int
    origin_calls: int
    phases: Mapping[str, int]

    @property
    def hit_rate(self) -> float:
        """The share of polls that the origin never saw."""
        return 1 - self.origin_calls / self.polls

    def __str__(self) -> str:
        return (
            f"{self.pages} pages, {self.seconds:.0f} s: {self.polls} polls of /status "
            f"({self.polls / self.seconds:.1f}/s), {self.origin_calls} calls of the origin "
            f"({self.origin_calls / self.seconds:.2f}/s), hit rate {self.hit_rate:.1%}"
        )


def run(room: RunningRoom, pages: int, visitors: int, seconds: float) -> Polls:
    """Let ``pages``, tabs of ``visitors``, wait for ``seconds`` once each of them has a place."""
    api = str(room.endpoints["public_api"])
    with subprocess.Popen(
        [str(NODE), str(SCRIPT), api, room.event_id, str(pages), str(visitors), str(seconds)],
        stdout=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        assert started.stdout
        try:
            assert json.loads(started.stdout.readline())["joined"] == visitors
            before, at = counted(api), time.monotonic()
            phases = json.loads(started.stdout.readline())["phases"]
            after, passed = counted(api), time.monotonic() - at
        finally:
            started.kill()
    polls = sum(after.get(name, 0) - before.get(name, 0) for name in ("hits", "misses"))
    calls = after["origin_calls"] - before["origin_calls"]
    return Polls(pages, passed, polls, calls, phases)


def counted(api: str) -> dict[str, int]:
    """The edge's counts for ``/status``."""
    parts = urlsplit(api)
    stats = httpx.get(f"{parts.scheme}://{parts.netloc}/__edge/stats").json()
    found: dict[str, int] = stats["paths"]["/status"]
    return found


def main() -> None:
    """Start a room, measure, and say what came out."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.many_pages", description=__doc__)
    parser.add_argument("pages", nargs="?", type=int, default=500)
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    chosen = parser.parse_args()
    pages, seconds = chosen.pages, chosen.seconds
    with (
        tempfile.TemporaryDirectory() as folder,
        running_room(Path(folder)) as room,
    ):
        print(run(room, pages, pages, seconds))


if __name__ == "__main__":
    main()
