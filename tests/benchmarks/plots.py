# SPDX-License-Identifier: Apache-2.0
"""Plots of what was measured, small enough for the repository."""

from __future__ import annotations

import json
from typing import Any

from deployment import plot_style
from tests.benchmarks.tables import RESULTS, ROOT

IMAGES = ROOT / "docs" / "images"
OURS, OTHER, LINE = plot_style.GREEN, plot_style.GRAY, plot_style.RED


def draw() -> None:
    """Write each plot that there are results for."""
    for names, plot in (
        (("cold-start",), cold_starts),
        (("positions-by-batch",), batches),
        (("growth-requests", "growth-kilobytes", "growth-time"), growth),
    ):
        if all((RESULTS / f"{name}.json").exists() for name in names):
            plot(*(json.loads((RESULTS / f"{name}.json").read_text()) for name in names))


def cold_starts(kept: dict[str, Any]) -> None:
    """A bar for each function, as a part of the reference."""
    rows = kept["rows"][::-1]
    figure, (axes,) = plot_style.subplots(1, 1, (8, 4.2))
    colours = [OTHER if row is rows[-1] else OURS for row in rows]
    axes.barh([row[0] for row in rows], [row[3] for row in rows], color=colours)
    axes.axvline(0.5, color=LINE, linestyle="--", linewidth=1, label="target of a public function")
    axes.axvline(0.3, color=LINE, linestyle=":", linewidth=1, label="target of the authorizer")
    axes.set(title="Cold start: processor time of import and first answer", xlabel="of reference")
    axes.legend(fontsize=8, loc="lower right")
    plot_style.save(figure, IMAGES / "bench-cold-start.png")


def batches(kept: dict[str, Any]) -> None:
    """Positions per second and the last visitor's wait, by size of the batch."""
    sizes = [row[0] for row in kept["rows"]]
    figure, (rates, waits) = plot_style.subplots(1, 2, (8, 3))
    rates.plot(sizes, [row[2] for row in kept["rows"]], "o-", color=OURS, label="this machine")
    rates.plot(sizes, [row[3] for row in kept["rows"]], "o--", color=OTHER, label="its own work")
    rates.set(title="Positions per second, one worker", xlabel="joins in a batch", xscale="log")
    rates.set_ylim(bottom=0)
    rates.legend(fontsize=8)
    waits.plot(sizes, [row[-1] for row in kept["rows"]], "o-", color=OURS)
    waits.set(title="The last one's wait, seconds", xlabel="joins in a batch", xscale="log")
    waits.set_ylim(bottom=0)
    plot_style.save(figure, IMAGES / "bench-batches.png")


def growth(requests: dict[str, Any], kilobytes: dict[str, Any], times: dict[str, Any]) -> None:
    """A line for each operation, over the visitors that the event has."""
    from matplotlib import pyplot

    sizes = [int(name.replace(",", "")) for name in requests["columns"][1:]]
    figure, all_axes = plot_style.subplots(1, 3, (11, 3.8))
    for axes, kept, title in zip(
        all_axes,
        (requests, kilobytes, times),
        ("Requests", "Kilobytes read", "Processor ms"),
        strict=True,
    ):
        for row, colour in zip(kept["rows"], pyplot.get_cmap("tab20").colors, strict=False):
            axes.plot(sizes, row[1:], "o-", color=colour, markersize=3, linewidth=1, label=row[0])
        axes.set(title=title, xlabel="visitors in the event", xscale="log")
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set_ylim(bottom=0)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7)
    plot_style.save(figure, IMAGES / "bench-growth.png")
