# SPDX-License-Identifier: Apache-2.0
"""The style of the plots in docs/images: size, spines, resolution; files equal for equal data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DOTS = 80  # per inch: small enough for the repository
GREEN, RED, BLUE, ORANGE, GRAY = "#1b7f4b", "#b3261e", "#3b6ea5", "#c77700", "#777777"
DATED = {"png": "Software", "svg": "Date"}  # metadata that differs between machines or days


def subplots(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> tuple[Any, list[Any]]:
    """Return a figure of ``size`` inches and its axes, row by row, without a frame at the top."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    made, axes = pyplot.subplots(
        rows, columns, figsize=size, dpi=DOTS, layout="constrained", squeeze=False, **options
    )
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return made, list(axes.flat)


def save(made: Any, path: Path) -> Path:
    """Write a figure to a PNG or SVG file, close it, and return the file."""
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, metadata={DATED[path.suffix.removeprefix(".")]: None})
    pyplot.close(made)
    return path
