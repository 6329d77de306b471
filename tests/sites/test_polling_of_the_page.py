# SPDX-License-Identifier: Apache-2.0
"""The model and the load test ask as the waiting page asks: the same figures from both."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployment.visitor_model.polling import (
    RETRY_SPREAD,
    ask_after,
    next_poll,
    retry_after,
    spread,
    status_after,
)
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.servers import ROOT

MODULE = ROOT / "source" / "sites" / "waiting_room" / "waiting-room.js"
POLICY = MODULE.with_name("policy.js")
NODE = Path(sys.executable).with_name("node")
STATUSES = [
    (says, ahead, waiting)
    for says in (0, 2, 5, 30, 500)
    for ahead, waiting in ((0, 0), (0, 9), (1, 1_000), (500, 1_000), (1_000, 1_000), (3, 2))
]
SCRIPT = """
const { askDelay, backOff } = await import(process.argv[1]);
const { nextPoll } = await import(process.argv[1].replace("waiting-room.js", "policy.js"));
const given = JSON.parse(process.argv[2]);
console.log(JSON.stringify({
  ask: [0, 1, 2, 3, 9, 30].map((asked) => askDelay(asked)),
  retry: [0, 0.5, 1].map((r) => [1, 2, 3, 7, 40].map((failures) => backOff(failures, 0, r))),
  status: [0, 0.5, 1].map((r) =>
    given.map(([poll_after_seconds, ahead, waiting_num]) =>
      nextPoll({ ahead, status: { poll_after_seconds, waiting_num }, random: r }))),
}));
"""
POLLS = """
const { nextPoll } = await import(process.argv[1]);
let text = "";
for await (const part of process.stdin) text += part;
console.log(JSON.stringify(JSON.parse(text).map((given) => nextPoll(given))));
"""


def a_poll(chance: random.Random) -> dict[str, Any]:
    """A visitor anywhere in a line that moves anyhow."""
    now = 1_800_000_000 + round(chance.random() * 10_000, 2)
    first = None if chance.random() < 0.2 else int(now - 10 ** (4 * chance.random()))
    status = {
        "now": now,
        "waiting_num": chance.randrange(100_000),
        "poll_after_seconds": chance.randrange(2, 31),
        "optimistic_rate_per_minute": chance.choice([0, 7.5, 60, 1_000, 10_000]),
        "first_moved_at": first,
        "moved_at": first and int(first + chance.random() * (now - first)),
        "every": chance.choice([None, 1, 10, 60, 400]),
    }
    if chance.random() < 0.1:
        status = {name: status[name] for name in ("waiting_num", "poll_after_seconds")}
    ahead = int(10 ** (6 * chance.random()))
    return {
        "ahead": ahead, "status": status, "random": chance.random(), "asked": chance.randrange(9),
    }  # fmt: skip


def test_the_page_and_the_model_poll_by_one_policy() -> None:
    chance = random.Random(5)
    given = [a_poll(chance) for _ in range(3_000)]
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-e", POLLS, str(POLICY)], input=json.dumps(given),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    order = ("ahead", "status", "random", "asked")
    expected = [next_poll(*(one[name] for name in order)) for one in given]
    assert json.loads(done.stdout) == pytest.approx(expected)
    assert len({round(pause) for pause in expected}) > 100


def test_a_page_that_knows_only_poll_after_seconds_learns_of_its_turn_as_before() -> None:
    chance = random.Random(2)
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.setup.run()
    number = in_memory_room.position(in_memory_room.visitors(300)[249])
    opened, polls = in_memory_room.clock.now, 0
    due, ahead = opened, number
    while ahead > 0:
        while in_memory_room.clock.now < due:
            in_memory_room.clock.now += 1
            if (in_memory_room.clock.now - opened) % 10 == 0:
                in_memory_room.serve(10)
        told = in_memory_room.room.metrics.status_page(EVENT)
        assert 2 <= told["poll_after_seconds"] <= 30
        polls += 1
        ahead = number - told["serving_counter"]
        wait = status_after(told["poll_after_seconds"], ahead, told["waiting_num"])
        due = in_memory_room.clock.now + spread(wait, chance.random())
    assert (
        in_memory_room.clock.now - opened <= 250 + 3
    )  # the step that brings the turn, and one poll
    assert 30 < polls < 120


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
