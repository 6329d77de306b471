# SPDX-License-Identifier: Apache-2.0
"""Counts of generated requests and of their responses, for ``python -m tests.fuzz``."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

ANSWERS: Counter[str] = Counter()  # by class of status: "2xx" … "5xx"


def note(status: int, times: int = 1) -> None:
    """Count answers with a status."""
    ANSWERS[f"{status // 100}xx"] += times


def write() -> None:
    """Leave the counts in the file that FUZZ_TALLY names, if it names one."""
    if path := os.environ.get("FUZZ_TALLY"):
        Path(path).write_text(json.dumps(ANSWERS))
