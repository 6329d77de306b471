# SPDX-License-Identifier: Apache-2.0
"""``make inlet-plots``: plots of the automatic inlet in ``docs/images``, and a table.

The table is written to ``docs/inlets.md``. Every run is a simulation of the production rule by
``deployment/inlet_simulation/simulation.py``; seeds are fixed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import docs_tables, plot_style
from deployment.inlet_simulation.simulation import Run, Scenario, simulate
from waiting_room.inlet.automatic import Targets

ROOT = Path(__file__).resolve().parents[2]
PAGE, IMAGES = ROOT / "docs" / "inlets.md", ROOT / "docs" / "images"
SETTLED = 600  # seconds after which averages are taken
TARGET = Targets(active=1000, per_minute=600)


@dataclass(frozen=True)
class Shown:
    """A scenario with the title of its plot."""

    name: str
    title: str
    scenario: Scenario


def overload(_: float) -> float:
    """Return a constant rate above the capacity of the site."""
    return 20.0


def burst(now: float) -> float:
    """Return a low rate with a peak of two minutes."""
    return 120.0 if 600 <= now < 720 else 2.0


def slow_site(now: float) -> float:
    """Return the capacity of the site in active users, reduced for ten minutes."""
    return 500.0 if 900 <= now < 1500 else 1200.0


def always(value: float) -> Callable[[float], float]:
    """Return a constant function."""
    return lambda _: value


RUNS = (
    *(
        Shown(
            f"no-shows-{share}",
            f"{share} % no-shows",
            Scenario(overload, TARGET, no_shows=always(share / 100)),
        )
        for share in (0, 20, 40, 60)
    ),
    Shown("burst", "a burst after a quiet period", Scenario(burst, TARGET, length=2400)),
    Shown(
        "slow-site",
        "a site that slows down, with an alarm",
        Scenario(overload, TARGET, length=2700, site=slow_site),
    ),
    Shown(
        "late-figures",
        "metrics delayed by 30 s, 40 % no-shows",
        Scenario(overload, TARGET, metrics_delay=30, no_shows=always(0.4)),
    ),
    Shown(
        "rate",
        "300 new users per minute, 40 % no-shows",
        Scenario(overload, Targets(100_000, 300), no_shows=always(0.4)),
    ),
)


def main() -> int:
    """Simulate, plot, and write the page; return the exit status."""
    done = {shown.name: simulate(shown.scenario) for shown in RUNS}
    draw(done, IMAGES / "inlet-runs.png")
    docs_tables.replace(PAGE, "runs", table(done))
    sys.stdout.write(table(done))
    return 0


def table(done: Mapping[str, Run]) -> str:
    """Return the numbers of all runs as a Markdown table."""
    lines = [
        "| run | targets: active, new per minute | maximum active | mean active after 10 min | "
        "maximum new users per minute | mean after 10 min | estimated arrival share |",
        "|---|---|---|---|---|---|---|",
    ]
    for shown in RUNS:
        run = done[shown.name]
        minute, targets = run.per_minute(), shown.scenario.targets
        lines.append(
            f"| {shown.title} | {targets.active:,}, {targets.per_minute:,} | "
            f"{max(run.active):,} | {_mean(run.active[SETTLED:]):,.0f} | "
            f"{max(minute):,} | {_mean(minute[SETTLED:]):,.0f} | {run.share[-1]:.0%} |"
        )
    return "\n".join(lines) + "\n"


def draw(done: Mapping[str, Run], file: Path) -> None:
    """Plot active users and new users per minute of each run, with the targets."""
    figure, plots = plot_style.subplots(4, 2, (10, 12))
    for plot, shown in zip(plots, RUNS, strict=True):
        _plot(plot, shown, done[shown.name])
    handles, labels = plots[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    plot_style.save(figure, file)


def _plot(plot: Any, shown: Shown, run: Run) -> None:
    minutes = [second / 60 for second in range(len(run.active))]
    targets = shown.scenario.targets
    plot.plot(minutes, run.active, color="#0b6e99", label="active users")
    plot.plot(minutes, run.per_minute(), color="#c2571a", label="new users in the last minute")
    if targets.active <= 5000:
        plot.axhline(targets.active, color="#0b6e99", linestyle=":", label="target: active")
    plot.axhline(targets.per_minute, color="#c2571a", linestyle=":", label="target: new per minute")
    if shown.scenario.site is not None:
        capacity = [shown.scenario.site(second) for second in range(len(run.active))]
        plot.plot(minutes, capacity, color="#777777", linewidth=1)
        plot.annotate("capacity of the site", (0.5, 1210), fontsize=8, color="#555555")
    plot.set_title(shown.title, fontsize=10)
    plot.set_xlabel("minutes", fontsize=8)
    plot.set_ylim(bottom=0)
    plot.tick_params(labelsize=8)


def _mean(values: list[int]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make inlet-plots", description=__doc__).parse_args()
    sys.exit(main())
