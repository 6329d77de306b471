# SPDX-License-Identifier: Apache-2.0
"""The operator's page names what there is."""

from __future__ import annotations

import re

from infrastructure.blueprint.resources import (
    ADMIT,
    ASSIGN,
    PUBLISH,
    READ_ALARMS,
    REPORT,
    ROTATE,
    SEND_OUTBOX,
    SWEEP,
)
from tests.support.servers import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()


def test_every_alarm_is_explained() -> None:
    named = set()
    for file in (ROOT / "infrastructure").rglob("*.py"):
        text = file.read_text()
        named |= set(re.findall(r'alarms\.add\(\s*"(\w+)"', text))
        named |= set(re.findall(r'^\s*\("([A-Z]\w+)", (?:watched|")', text, re.MULTILINE))
    named |= {
        f"{worker.name.title().replace('_', '')}Errors"
        for worker in (ASSIGN, PUBLISH, SEND_OUTBOX, SWEEP, ADMIT, READ_ALARMS, REPORT, ROTATE)
    }
    assert len(named) >= 15
    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_every_decision_that_the_pages_name_is_there() -> None:
    numbers = {path.name[:4] for path in (ROOT / "docs" / "decisions").iterdir()}
    for page in ("operations.md", "reliability.md"):
        text = (ROOT / "docs" / page).read_text()
        assert set(re.findall(r"decision (\d{4})", text)) <= numbers
