# SPDX-License-Identifier: Apache-2.0
"""Plots of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deployment import plot_style
from deployment.capacity.cost import total
from deployment.capacity.study import Study

COLOURS = (
    plot_style.RED,
    plot_style.ORANGE,
    "#7a6a00",
    plot_style.BLUE,
    plot_style.GREEN,
)


def draw(found: Study, folder: Path) -> list[Path]:
    """Write the plots and return their files."""
    return [_flow(found, folder / "capacity-flow.png"), _cost(found, folder / "capacity-cost.png")]


def _flow(found: Study, path: Path) -> Path:
    """Plot arrivals and positions over time, time to the position, and requests per second."""
    figure, (visitors, waits, rates) = _figure(3, "Seconds from the first arrival")
    arrived = np.sort(found.demand.arrived)
    share = np.linspace(0, len(arrived) - 1, 400).astype(int)
    visitors.plot(arrived[share], share, "--", color="#555555", label="arrived")
    for colour, (name, outcome) in zip(COLOURS, found.outcomes.items(), strict=False):
        learned = np.sort(outcome.learned)
        visitors.plot(learned[share], share, color=colour, label=name)
        waits.plot(np.sort(outcome.to_position)[share], 100 * share / len(arrived), color=colour)
    visitors.set(title="Visitors with a position", ylabel="Visitors")
    visitors.legend(fontsize=7)
    waits.set(title="Time to the position", xlabel="Seconds", ylabel="% of visitors")
    waits.set_xscale("log")
    last = int(found.plan.seconds * 1.5)
    rates.plot(found.flow.edge[:last], color=COLOURS[3], label="edge")
    rates.plot(found.flow.api[:last], color=COLOURS[0], label="API")
    limit = next(one for one in found.findings if one.quota.startswith("API Gateway")).limit
    rates.axhline(limit, color="#555555", linestyle="--", linewidth=1, label="API quota")
    rates.set(title="Requests per second", yscale="log")
    rates.legend(fontsize=7)
    return plot_style.save(figure, path)


def _cost(found: Study, path: Path) -> Path:
    """Bars: the event, and an idle month, by topology."""
    region = next(iter(found.events))
    figure, axes = _figure(2, "US dollars")
    for axis, bills, title in zip(
        axes,
        (found.events[region], found.idle[region]),
        (f"The event, {region}", f"An idle month, {region}"),
        strict=True,
    ):
        names = list(bills)[::-1]
        left = np.zeros(len(names))
        for service in bills[names[0]]:
            values = np.array([bills[name][service] for name in names])
            if values.max() >= total(bills[names[0]]) / 50:
                axis.barh(names, values, left=left, label=service)
                left += values
        axis.set(title=title)
        axis.legend(fontsize=7)
    return plot_style.save(figure, path)


def _figure(count: int, label: str) -> tuple[Any, list[Any]]:
    figure, axes = plot_style.subplots(1, count, (5 * count, 3.6))
    for axis in axes:
        axis.set_xlabel(label)
    return figure, axes
