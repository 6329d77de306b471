# SPDX-License-Identifier: Apache-2.0
"""How ``make test`` shares the tests out to its workers.

All tests of a file run in one worker. Files that use the same expensive fixture of the session run
in one worker too, so that it is made once and not in each worker. The order of the files decides
how long a run takes: those that take longest begin first, and those that wait for pages and for
servers run beside those that keep a processor busy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import count

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

from tests.support.servers import ROOT

LONGEST = (
    "tests/e2e/test_console_running.py", "tests/infrastructure/test_journey.py",
    "tests/infrastructure/test_core.py", "tests/chaos/test_chaos.py",
    "tests/e2e/test_waiting_page.py", "tests/infrastructure/test_changes.py",
    "tests/e2e/test_make_run.py",
)  # fmt: skip
WAITING = ("tests/e2e/", "tests/local/")
SHARED = {  # what the fixtures make: how a file asks for one of them
    "the running room": r"\b(running: RunningRoom|demo: Demo)\b",
    "the bundles": r"\btests\.support\.templates\.lambda_process\b",
    "the stacks": r"\b(Assembly|Synthesized|Reviewed)\b",
}


class SharedFixtures(LoadFileScheduling):
    """A unit of work is a file, or all files with the same fixture of SHARED."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid.partition("::")[0])


def sort(items: list[pytest.Item]) -> None:
    """Sort the tests by their files, and leave the order inside a file."""
    of = {item: item.nodeid.partition("::")[0] for item in items}
    place = dict(zip(in_order(list(dict.fromkeys(of.values()))), count(), strict=False))
    items.sort(key=lambda item: place[of[item]])


def in_order(files: Sequence[str]) -> list[str]:
    """The longest files, then those that wait, spread over most of the others."""
    first = [file for file in LONGEST if file in files]
    waiting = [file for file in files if file.startswith(WAITING) and file not in first]
    others = [file for file in files if file not in {*first, *waiting}]
    step = 0.7 * len(others) / (len(waiting) or 1)
    place = {file: float(at) for at, file in enumerate(others)}
    place |= {file: at * step for at, file in enumerate(waiting)}
    return [*first, *sorted(place, key=lambda file: (place[file], file))]


@cache
def unit(file: str) -> str:
    """The unit of work of a file: the first fixture of SHARED that it uses, or the file itself."""
    path = ROOT / file
    text = path.read_text("utf-8") if path.is_file() else ""
    return next((made for made, sign in SHARED.items() if re.search(sign, text)), file)
