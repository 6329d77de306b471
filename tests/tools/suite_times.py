# SPDX-License-Identifier: Apache-2.0
"""Print the tests and seconds of each folder: ``python -m tests.tools.suite_times [FOLDER…]``.

The folders run one after the other, as ``make test`` runs them all: four processes, files apart.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time

FOLDERS = (
    "unit", "contract", "apps", "integration", "infrastructure", "local", "fuzz", "chaos", "sites",
    "docs", "tools", "e2e",
)  # fmt: skip


def main(folders: list[str]) -> int:
    """Print one row of a Markdown table for each folder; 1 when a test failed."""
    print("| Folder | Tests | Seconds |\n|---|---|---|")
    failed = 0
    for folder in folders or FOLDERS:
        options = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder", "-q"]
        command = [sys.executable, "-m", "pytest", *options, f"tests/{folder}"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        passed = re.search(r"(\d+) passed", done.stdout)
        failed |= done.returncode
        note = "" if not done.returncode else " (failed)"
        print(
            f"| `tests/{folder}` | {passed[1] if passed else 0}{note} | {seconds:.0f} |", flush=True
        )
    return int(bool(failed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="*", help="such as unit; without one, all")
    sys.exit(main(parser.parse_args().folder))
