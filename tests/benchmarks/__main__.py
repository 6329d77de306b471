# SPDX-License-Identifier: Apache-2.0
"""``make bench``: every benchmark, or those named in ONLY; then tables and plots into the docs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.benchmarks.document import fill
from tests.benchmarks.plots import draw

BENCHMARKS = (
    "calls_per_visitor",
    "handler_time",
    "cold_start",
    "first_response",
    "worker_throughput",
    "straight_through",
    "joins_beside_invalid_input",
    "growth",
    "poll_policy",
    "page_load",
    "counter_reads",
    "counter_memory",
    "floors",
    "service_models",
)

FOLDERS = {
    **dict.fromkeys(("first_response", "floors", "service_models"), "floors."),
    "page_load": "pages.",
}


def main() -> int:
    """Run them one after the other, each in a process of its own."""
    wanted = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(BENCHMARKS)
    unknown = set(wanted) - set(BENCHMARKS)
    if unknown:
        print(f"No benchmark is called {', '.join(sorted(unknown))}: {', '.join(BENCHMARKS)}.")
        return 2
    for name in wanted:
        module = f"tests.benchmarks.{FOLDERS.get(name, '')}{name}"
        done = subprocess.run([sys.executable, "-m", module], check=False)
        if done.returncode:
            return done.returncode
    fill()
    draw()
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make bench", description=__doc__).parse_args()
    sys.exit(main())
