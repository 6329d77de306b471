# SPDX-License-Identifier: Apache-2.0
"""The model and the load test ask as the waiting page asks: the same figures from both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.polling import RETRY_SPREAD, ask_after, retry_after, spread, status_after
from tests.servers import ROOT

MODULE = ROOT / "source" / "sites" / "waiting_room" / "waiting-room.js"
NODE = Path(sys.executable).with_name("node")
STATUSES = [
    (says, ahead, waiting)
    for says in (0, 2, 5, 30, 500)
    for ahead, waiting in ((0, 0), (0, 9), (1, 1_000), (500, 1_000), (1_000, 1_000), (3, 2))
]
SCRIPT = """
const { askDelay, backOff, pollDelay } = await import(process.argv[1]);
const given = JSON.parse(process.argv[2]);
console.log(JSON.stringify({
  ask: [0, 1, 2, 3, 9, 30].map((asked) => askDelay(asked)),
  retry: [0, 0.5, 1].map((r) => [1, 2, 3, 7, 40].map((failures) => backOff(failures, 0, r))),
  status: [0, 0.5, 1].map((r) =>
    given.map(([pollAfter, ahead, waiting]) => pollDelay({ pollAfter, ahead, waiting }, r))),
}));
"""


def test_the_page_and_the_model_wait_equally_long() -> None:
    command = [str(NODE), "--input-type=module", "-e", SCRIPT, str(MODULE), json.dumps(STATUSES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    page = json.loads(done.stdout)
    assert page["ask"] == pytest.approx([ask_after(asked) for asked in (0, 1, 2, 3, 9, 30)])
    for index, chance in enumerate((0.0, 0.5, 1.0)):
        assert page["retry"][index] == pytest.approx(
            [spread(retry_after(count - 1), chance, RETRY_SPREAD) for count in (1, 2, 3, 7, 40)]
        )
        assert page["status"][index] == pytest.approx(
            [spread(status_after(*given), chance) for given in STATUSES]
        )
