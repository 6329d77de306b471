# SPDX-License-Identifier: Apache-2.0
"""``make admission-plots``: plots of automatic admission in ``docs/images``, and a table.

The table is written to ``docs/admission.md``. Every run is a simulation of the production rule by
``deployment/admission_simulation/simulation.py``; seeds are fixed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import docs_tables, plot_style
from deployment.admission_simulation.simulation import Run, Scenario, admission, simulate

ROOT = Path(__file__).resolve().parents[2]
PAGE, IMAGES = ROOT / "docs" / "admission.md", ROOT / "docs" / "images"
SETTLED = 600  # seconds after which averages are taken
ACTIVE_COLOR, NEW_COLOR, ADMITTED_COLOR = "#0b6e99", "#c2571a", "#5b7f2b"


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


def peaks(now: float) -> float:
    """Return no visitors, with a peak of 600 visitors in ten seconds every five minutes."""
    return 60.0 if now % 300 < 10 else 0.0


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
            f"both, {share} % no-shows",
            Scenario(overload, admission("both"), no_shows=always(share / 100)),
        )
        for share in (0, 40)
    ),
    Shown(
        "active",
        "active, 60 % no-shows",
        Scenario(overload, admission("active"), no_shows=always(0.6)),
    ),
    Shown(
        "rate",
        "rate of 300, 40 % no-shows",
        Scenario(overload, admission("rate", per_minute=300), no_shows=always(0.4)),
    ),
    Shown(
        "burst",
        "rate of 120 with a burst of 400: peaks",
        Scenario(peaks, admission("rate", per_minute=120, burst=400)),
    ),
    Shown(
        "peak",
        "both: a peak after a quiet period",
        Scenario(burst, admission("both"), length=2400),
    ),
    Shown(
        "slow-both",
        "both: a site that slows down, with an alarm",
        Scenario(overload, admission("both"), length=2700, site=slow_site),
    ),
    Shown(
        "slow-active",
        "active: a site that slows down, with an alarm",
        Scenario(overload, admission("active"), length=2700, site=slow_site),
    ),
)


def main() -> int:
    """Simulate, plot, and write the page; return the exit status."""
    done = {shown.name: simulate(shown.scenario) for shown in RUNS}
    draw(done, IMAGES / "admission-runs.png")
    docs_tables.replace(PAGE, "runs", table(done))
    sys.stdout.write(table(done))
    return 0


def table(done: Mapping[str, Run]) -> str:
    """Return the numbers of all runs as a Markdown table."""
    lines = [
        "| run | maximum active | mean active after 10 min | maximum admitted per minute | "
        "mean admitted per minute after 10 min | maximum tokens requested per minute | "
        "estimated arrival share | mean wait |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for shown in RUNS:
        run = done[shown.name]
        admitted, minute = run.admitted_per_minute(), run.per_minute()
        lines.append(
            f"| {shown.title} | {max(run.active):,} | {_mean(run.active[SETTLED:]):,.0f} | "
            f"{max(admitted):,} | {_mean(admitted[SETTLED:]):,.0f} | {max(minute):,} | "
            f"{run.share[-1]:.0%} | {_mean(run.waits):,.0f} s |"
        )
    return "\n".join(lines) + "\n"


def draw(done: Mapping[str, Run], file: Path) -> None:
    """Plot active visitors, admitted positions and requested tokens of each run."""
    figure, plots = plot_style.subplots(4, 2, (10, 12))
    for plot, shown in zip(plots, RUNS, strict=True):
        _plot(plot, shown, done[shown.name])
    handles, labels = plots[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    plot_style.save(figure, file)


def _plot(plot: Any, shown: Shown, run: Run) -> None:
    minutes = [second / 60 for second in range(len(run.active))]
    rule = shown.scenario.admission
    plot.plot(minutes, run.active, color=ACTIVE_COLOR, label="active visitors")
    plot.plot(minutes, run.admitted_per_minute(), color=ADMITTED_COLOR, linewidth=1,
              label="positions admitted in the last minute")  # fmt: skip
    plot.plot(minutes, run.per_minute(), color=NEW_COLOR,
              label="tokens requested in the last minute")  # fmt: skip
    if rule["strategy"] in ("active", "both"):
        plot.axhline(rule["max_active"], color=ACTIVE_COLOR, linestyle=":", label="max_active")
    if rule["strategy"] in ("rate", "both"):
        plot.axhline(rule["per_minute"], color=ADMITTED_COLOR, linestyle=":", label="per_minute")
    if shown.scenario.site is not None:
        capacity = [shown.scenario.site(second) for second in range(len(run.active))]
        plot.plot(minutes, capacity, color="#777777", linewidth=1)
        plot.annotate("capacity of the site", (0.5, 1210), fontsize=8, color="#555555")
    plot.set_title(shown.title, fontsize=10)
    plot.set_xlabel("minutes", fontsize=8)
    plot.set_ylim(bottom=0)
    plot.tick_params(labelsize=8)


def _mean(values: list[int] | list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make admission-plots", description=__doc__).parse_args()
    sys.exit(main())
