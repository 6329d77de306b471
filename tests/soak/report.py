# SPDX-License-Identifier: Apache-2.0
"""The report of a soak: text for people, JSON, plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployment import plot_style
from deployment.capacity.report import table
from deployment.load_test.record import percentile
from tests.soak.observations import Check
from tests.soak.samples import Samples

SHARES = (0.5, 0.95, 0.99)


def text(
    about: Mapping[str, Any], samples: Samples, waits: Sequence[tuple[float, float]],
    checks: Sequence[Check],
) -> str:  # fmt: skip
    """The whole report; ``waits`` are (s since the start, s from the join to the position)."""
    minutes = range(samples.minutes)
    parts = [
        "# Soak",
        ", ".join(f"{name} {value}" for name, value in about.items()) + ".",
        "## Disturbances",
        table(
            ["minute", "what", "s"],
            [[f"{a / 60:.1f}", what, f"{b - a:.1f}"] for a, b, what in sorted(samples.windows)],
        ),
        "## Answers: p50 / p95 / p99 in ms, by the minute",
        table(
            ["minute", *samples.routes],
            [[str(n), *(_spread(samples, route, n) for route in samples.routes)] for n in minutes],
        ),
        "## From the join to the position: p50 / p95 / p99 in s",
        table(
            ["minute", "visits", "p50", "p95", "p99"],
            [
                [
                    str(n),
                    str(len(found)),
                    *(f"{percentile(found, share):.1f}" for share in SHARES),
                ]
                for n in minutes
                for found in [[wait for at, wait in waits if n * 60 <= at < n * 60 + 60]]
            ],
        ),
        "## Memory in MB / open files, at the end of the minute",
        _sizes(samples),
        "## Answers of 500 and more, and requests without an answer (0)",
        table(
            ["minute", "statuses"],
            [
                [str(n), ", ".join(f"{status}: {count}" for status, count in sorted(c.items()))]
                for n, c in sorted(samples.failures().items())
            ],
        ),
        "## Verdict",
        table(
            ["holds", "what", "found"],
            [["yes" if one.holds else "NO", one.sentence, one.found] for one in checks],
        ),
        f"**{'All hold' if all(one.holds for one in checks) else 'NOT all hold'}.**",
    ]
    return "\n\n".join(parts) + "\n"


def _spread(samples: Samples, route: str, minute: int) -> str:
    found = samples.times(route, minute * 60, minute * 60 + 60)
    return " / ".join(f"{percentile(found, share):.0f}" for share in SHARES) if found else ""


def _sizes(samples: Samples) -> str:
    last: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for one in samples.sizes:
        last[int(one.at // 60)][one.part] = f"{one.megabytes:.0f} / {one.files}"
    names = sorted({one.part for one in samples.sizes})
    return table(
        ["minute", *names],
        [[str(n), *(found.get(name, "") for name in names)] for n, found in sorted(last.items())],
    )


def plot(samples: Samples, waits: Sequence[tuple[float, float]], path: Path) -> Path:
    """p95 by route, waits for the position, memory; disturbances are shaded."""
    figure, (slow, waited, memory) = plot_style.subplots(3, 1, (11, 10), sharex=True)
    marks = [n + 0.5 for n in range(samples.minutes)]
    for route in samples.routes:
        slow.plot(
            marks,
            [
                percentile(samples.times(route, n * 60, n * 60 + 60), 0.95)
                for n in range(len(marks))
            ],
            label=route,
            linewidth=1,
        )
    slow.set(title="p95 of the answers", ylabel="ms", yscale="symlog")
    slow.legend(fontsize=7, ncols=3)
    waited.plot([at / 60 for at, _ in waits], [wait for _, wait in waits], ".", markersize=2)
    waited.set(title="From the join to the position", ylabel="s", yscale="symlog")
    for part in sorted({one.part for one in samples.sizes}):
        sizes = [one for one in samples.sizes if one.part == part]
        memory.plot([one.at / 60 for one in sizes], [one.megabytes for one in sizes], label=part)
    memory.set(title="Memory (RSS)", ylabel="MB", xlabel="minutes", ylim=(0, None))
    memory.legend(fontsize=7)
    for axis in (slow, waited, memory):
        for first, last, _ in samples.windows:
            axis.axvspan(first / 60, max(last, first + 2) / 60, color="#dddddd", zorder=0)
    return plot_style.save(figure, path)
