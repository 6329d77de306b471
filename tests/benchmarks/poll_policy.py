# SPDX-License-Identifier: Apache-2.0
"""Polls of a waiting page and the delay until it shows that the visitor is served, simulated.

The responses of ``/status`` come from the room's own code, second by second; the visitors run the
page's ``policy.js`` and ``estimate.js`` under node. Writes its table and plot into
``docs/pages.md``. Times in seconds. The module has more than 300 lines because it is one simulation
with its table and plot.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from deployment import plot_style
from deployment.visitor_model.arrivals import CURVES, arrival_times
from tests.benchmarks.document import fill
from tests.benchmarks.tables import ROOT, number_setting, percentile, table
from waiting_room.domain import metrics
from waiting_room.domain.limits import LATEST_MOVES, RATE_WINDOW, SHORTEST_RATE
from waiting_room.domain.records import Counts, Segment

SCRIPT = Path(__file__).with_suffix(".mjs")
FOLDER = ROOT / "source" / "sites" / "waiting_room"
NODE = Path(sys.executable).with_name("node")
PAGE = ROOT / "docs" / "pages.md"
START = 1_800_000_000
VISITORS = 1_000_000  # of the event; a sample of them is followed
ARRIVE_WITHIN = 600.0
SIZE_NOISE = 0.2  # a step is up to this much smaller or larger
TIME_NOISE = 0.3  # a step comes up to this much later
EDGE_LIFE = 1.0  # an answer is served again for so long
LATENCY = 0.15  # from the poll to its answer
TOLD_BEFORE = ("serving_counter", "waiting_num", "poll_after_seconds")
TOLD = (
    *TOLD_BEFORE,
    "admission_rate_per_minute",
    "now",
    "optimistic_rate_per_minute",
    "moved_at",
    "first_moved_at",
    "every",
)


@dataclass(frozen=True)
class Scenario:
    """A line that lets in ``per_minute``, a step each ``every`` seconds, and what surprises it.

    ``pause`` is when it stands still, from and to; ``doubled`` from when on it is doubled rate;
    ``jump`` when somebody lets in so many at once. ``old``: a server that tells no more than
    ``poll_after_seconds``. ``visitors`` come within ``within`` seconds.
    """

    name: str
    per_minute: float
    every: float
    pause: tuple[float, float] = (0.0, 0.0)
    doubled: float = float("inf")
    jump: tuple[float, int] = (float("inf"), 0)
    old: bool = False
    visitors: int = VISITORS
    within: float = ARRIVE_WITHIN


SURPRISES: dict[str, Any] = {
    "pause": (1_200.0, 1_500.0), "doubled": 2_400.0, "jump": (3_000.0, 20_000),
}  # fmt: skip
SCENARIOS = (
    Scenario("10,000 per minute, moves every 10 s", 10_000, 10),
    Scenario("10,000 per minute, moves every 60 s", 10_000, 60),
    Scenario("10,000 per minute, 10 s: pause of 5 min", 10_000, 10, pause=SURPRISES["pause"]),
    Scenario("10,000 per minute, 10 s: doubled rate", 10_000, 10, doubled=SURPRISES["doubled"]),
    Scenario("10,000 per minute, 10 s: 20,000 at once", 10_000, 10, jump=SURPRISES["jump"]),
    Scenario("10,000 per minute, 10 s: all three", 10_000, 10, **SURPRISES),
    Scenario("1,000 per minute, moves every 10 s", 1_000, 10),
    Scenario("1,000 per minute, moves every 60 s", 1_000, 60),
    Scenario(
        "300 visitors within 60 s, 200 per minute, moves every 1 s", 200, 1, visitors=300, within=60
    ),
    Scenario("10,000 per minute, 10 s: polls by `poll_after_seconds`", 10_000, 10, old=True),
    Scenario("1,000 per minute, 10 s: polls by `poll_after_seconds`", 1_000, 10, old=True),
)


@dataclass(frozen=True)
class Found:
    """What became of the followed visitors: one value each."""

    scenario: Scenario
    waited: Sequence[float]
    polls: Sequence[int] = field(repr=False)
    late: Sequence[float] = field(repr=False)
    longest_near: Sequence[float] = field(repr=False)

    @property
    def mean_polls(self) -> float:
        """Polls of /status of a visitor, on average."""
        return sum(self.polls) / len(self.polls)

    def lateness(self, share: float) -> float:
        """Seconds from the step that brings the turn to the answer that shows it."""
        return percentile(self.late, share)


def steps_of(scenario: Scenario, chance: random.Random) -> list[tuple[float, int]]:
    """When the counter moves, and where it stands then, until everybody is served."""
    found, stands, tick = [], 0, (chance.random() - 1) * scenario.every
    jumped = False
    while stands < scenario.visitors:
        tick += scenario.every
        if scenario.pause[0] <= tick < scenario.pause[1]:
            continue
        at = tick + TIME_NOISE * chance.random()
        if not jumped and tick > scenario.jump[0]:
            jumped = True
            stands += scenario.jump[1]
            found.append((tick - scenario.every / 2, stands))
        size = scenario.per_minute * scenario.every / 60 * (2 if at > scenario.doubled else 1)
        stands += round(size * (1 + SIZE_NOISE * (2 * chance.random() - 1)))
        found.append((at, stands))
    return found


def answers_of(
    scenario: Scenario, steps: Sequence[tuple[float, int]], began: float
) -> Iterator[dict[str, Any]]:
    """What the room tells at each renewal of the edge's answer, as its own code tells it."""
    ends = [stands for _, stands in steps]
    moves = [
        Segment(before + 1, stands, START + int(at))
        for (at, stands), before in zip(steps, [0, *ends], strict=False)
    ]
    times = [at for at, _ in steps]
    seconds = [part.at for part in moves]
    total = [0, *accumulate(part.last - part.first + 1 for part in moves)]
    for renewal in range(int(times[-1] - began) + 30):
        moment = began + renewal * EDGE_LIFE
        made, now = bisect_right(times, moment), int(START + moment)

        def within(window: int, made: int = made, now: int = now) -> int:
            return total[made] - total[min(made, bisect_right(seconds, now - window))]

        counts = Counts(
            generation=1,
            queue=scenario.visitors,
            serving=ends[made - 1] if made else 0,
            holes=0,
            tokens=min(scenario.visitors, ends[made - 1]) if made else 0,
            expired=0,
            active=0,
            completed=0,
            abandoned=0,
            admitted_recently=within(RATE_WINDOW),
            admitting_since=seconds[0] if made else 0,
            admitted_at=seconds[made - 1] if made else 0,
            admitted_shortly=within(SHORTEST_RATE),
            first_moved_at=seconds[0] if made else 0,
            latest=tuple(moves[max(0, made - LATEST_MOVES) : made]),
        )
        told = metrics.page_status("Sample", counts, None, START + moment)
        yield {name: told[name] for name in (TOLD_BEFORE if scenario.old else TOLD)}


def simulate(scenarios: Sequence[Scenario], followed: int, seed: int) -> list[Found]:
    """Follow so many visitors through each line; the same seed gives the same answer."""
    given = []
    for number, scenario in enumerate(scenarios):
        chance = random.Random(f"{seed} {scenario.name}")
        steps = steps_of(scenario, chance)
        began = -chance.random()
        answers = list(answers_of(scenario, steps, began))
        share = min(followed, scenario.visitors)
        visitors = [
            {
                "number": 1 + int((index + 0.5) / share * scenario.visitors),
                "learned": arrived + 1.2 + chance.random(),
            }
            for index, arrived in enumerate(arrival_times(CURVES["flash"], share, scenario.within))
        ]
        columns = {name: [one[name] for one in answers] for name in answers[0]}
        columns.setdefault("now", [START + began + index for index in range(len(answers))])
        given.append({
            "steps": steps, "answers": columns, "began": began, "life": EDGE_LIFE,
            "latency": LATENCY, "visitors": visitors, "seed": seed + number,
        })  # fmt: skip
    done = subprocess.run(
        [str(NODE), str(SCRIPT), str(FOLDER)], input=json.dumps(given), capture_output=True,
        text=True, timeout=300, check=True,
    )  # fmt: skip
    return [
        _found(scenario, one, visits)
        for scenario, one, visits in zip(scenarios, given, json.loads(done.stdout), strict=True)
    ]


def _found(scenario: Scenario, given: dict[str, Any], visits: Sequence[dict[str, Any]]) -> Found:
    ends = [stands for _, stands in given["steps"]]
    turns = [
        given["steps"][bisect_left(ends, visitor["number"])][0] for visitor in given["visitors"]
    ]
    return Found(
        scenario,
        [
            max(0.0, turn - visitor["learned"])
            for turn, visitor in zip(turns, given["visitors"], strict=True)
        ],
        [visit["polls"] for visit in visits],
        [visit["late"] for visit in visits],
        [visit["longest"] for visit in visits],
    )


def draw(found: Sequence[Found], image: Path) -> None:
    """Polls by the length of the wait; how many visitors noticed their turn within a time."""
    import matplotlib as mpl

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "poll policy", "path.snap": True})
    figure, (polls, late) = plot_style.subplots(1, 2, (9, 3.4))
    colours = {10_000: plot_style.GREEN, 1_000: plot_style.BLUE}
    for one in found:
        what = one.scenario
        if what.every != 10 or what.pause[1] or what.doubled < 1e9 or what.jump[1]:
            continue
        line = _by_wait(one)
        polls.plot(
            *zip(*line, strict=True), "--" if what.old else "-",
            color=colours[int(what.per_minute)], linewidth=1.2,
            label=f"{what.per_minute:,.0f} per minute"
            f"{', by poll_after_seconds' if what.old else ''}",
        )  # fmt: skip
    polls.set(
        title="Polls per visitor", xlabel="wait, minutes", xscale="log", yscale="log",
        ylim=(1, 10_000),
    )  # fmt: skip
    polls.legend(fontsize=7)
    for one in found:
        if not one.scenario.old:
            shares = [index / 100 for index in range(2, 100, 2)]
            late.plot([one.lateness(share) for share in shares], shares, linewidth=1,
                      label=one.scenario.name)  # fmt: skip
    late.set(
        title="Share of visitors who know that they are served",
        xlabel="seconds after being served",
        xlim=(0, 12),
    )
    late.legend(fontsize=5)
    plot_style.save(figure, image)
    exact = image.read_text(encoding="utf-8")
    shorter = re.sub(r"\d+\.\d\d+", lambda found: f"{float(found[0]):.1f}", exact)
    image.write_text(re.sub(r" +\n", "\n", shorter), encoding="utf-8")


def _by_wait(one: Found) -> list[tuple[float, float]]:
    """Mean wait in minutes and mean polls of visitors with similar waits."""
    pairs = sorted(zip(one.waited, one.polls, strict=True))
    size = max(1, len(pairs) // 40)
    groups = [pairs[index : index + size] for index in range(0, len(pairs), size)]
    return [
        (
            max(0.1, sum(waited for waited, _ in group) / len(group) / 60),
            sum(count for _, count in group) / len(group),
        )
        for group in groups
    ]


def main() -> None:
    """Follow FOLLOWED visitors with SEED; print, draw, and fill the page."""
    followed, seed = number_setting("FOLLOWED", 1_500), number_setting("SEED", 1)
    found = simulate(SCENARIOS, followed, seed)
    table(
        f"Polls and delay: {VISITORS:,} visitors within {ARRIVE_WITHIN:.0f} s, simulated;"
        f" {followed:,} of them followed, seed {seed}",
        [
            "queue",
            "mean polls per visitor",
            "maximum polls",
            "delay p50, s",
            "p95, s",
            "p99, s",
            "longest sleep in the last 10 min, p95, s",
        ],
        [
            [
                one.scenario.name,
                round(one.mean_polls, 1),
                max(one.polls),
                *(round(one.lateness(share), 1) for share in (0.5, 0.95, 0.99)),
                round(percentile(one.longest_near, 0.95), 1),
            ]
            for one in found
        ],
        name="poll-policy",
    )
    draw(found, ROOT / "docs" / "images" / "poll-policy.svg")
    fill(PAGE)


if __name__ == "__main__":
    main()
