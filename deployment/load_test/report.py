# SPDX-License-Identifier: Apache-2.0
"""Reports of a load test: tables, JSON, plots."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployment import plot_style
from deployment.capacity.report import table
from deployment.load_test.checks import Check
from deployment.load_test.record import NAMES, LoadTestOptions, LoadTestResults, Record, percentile

SHARES = (0.5, 0.95, 0.99, 1.0)
HEADS = ("p50", "p95", "p99", "longest")


def summary(
    asked: LoadTestOptions, done: LoadTestResults, checks: Sequence[Check]
) -> dict[str, Any]:
    """Return the numbers of a test, without the single visitors."""
    record = done.record
    return {
        "asked": asdict(asked),
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "seconds": round(done.seconds, 1),
        "in_time": done.in_time,
        "processor_share_of_the_visitors": round(done.processor_share, 2),
        "operator_troubles": done.troubles,
        "visits": {
            "arrived": len(record.visitors),
            "joined": sum(one.joined is not None for one in record.visitors),
            "assigned": sum(one.number is not None for one in record.visitors),
            "admitted": sum(one.admitted is not None for one in record.visitors),
            "paid": sum(one.paid is not None for one in record.visitors),
        },
        "seconds_to": {name: _shares(values) for name, values in waits(record).items()},
        "requests": {name: _requests(record, name, done.seconds) for name in NAMES},
        "edge": done.edge,
        "processor_seconds": done.parts,
        "checks": [asdict(one) for one in checks],
    }


def waits(record: Record) -> dict[str, list[float]]:
    """Return the seconds until the position and until the token, for each visitor that got it."""
    found: dict[str, list[float]] = {"position": [], "token": []}
    for one in record.visitors:
        if one.to_position is not None:
            found["position"].append(one.to_position)
        if one.admitted is not None:
            found["token"].append(one.admitted - one.arrived)
    return found


def _shares(values: Sequence[float]) -> list[float]:
    return [round(percentile(values, share), 3) for share in SHARES]


def _requests(record: Record, name: str, seconds: float) -> dict[str, Any]:
    statuses = record.statuses(name)
    per_second = record.per_second(name)
    return {
        "count": sum(statuses.values()),
        "per_second": round(sum(statuses.values()) / seconds, 1),
        "most_per_second": max(per_second, default=0),
        "ms": [round(value, 1) for value in _shares(record.latencies(name))],
        "failed": sum(one.failed for one in record.requests if one.name == name),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
    }


def tables(found: dict[str, Any]) -> str:
    """The summary as Markdown."""
    asked, visits = found["asked"], found["visits"]
    return "\n\n".join(
        [
            f"{asked['users']:,} visitors in {asked['seconds']:,.0f} s, curve `{asked['curve']}`, "
            f"{asked['admission_per_minute']:,.0f} admitted per minute; {found['seconds']:,.0f} s "
            f"in total, on {found['measured_on']} with {found['machine']}. The simulation of the "
            f"visitors took {found['processor_share_of_the_visitors']:.0%} of a core.",
            table(["visitors", *visits], [["", *(f"{count:,}" for count in visits.values())]]),
            table(
                ["seconds from arrival to", *HEADS],
                [
                    [name, *(f"{value:,.2f}" for value in values)]
                    for name, values in found["seconds_to"].items()
                ],
            ),
            table(
                ["request", "count", "per s", "max per s", *(f"{h} ms" for h in HEADS), "failed"],
                [
                    [
                        name,
                        f"{one['count']:,}",
                        f"{one['per_second']:,.1f}",
                        f"{one['most_per_second']:,}",
                        *(f"{value:,.1f}" for value in one["ms"]),
                        f"{one['failed']:,}",
                    ]
                    for name, one in found["requests"].items()
                ],
            ),
            *_edge(found["edge"]),
            *_parts(found["processor_seconds"], visits["arrived"], found["requests"]),
            table(
                ["check", "passed", "observed"],
                [
                    [one["sentence"], "yes" if one["holds"] else "**no**", one["found"]]
                    for one in found["checks"]
                ],
            ),
        ]
    )


def _edge(counted: dict[str, dict[str, int]]) -> list[str]:
    rows = [
        [path, f"{sum(one.get(n, 0) for n in ('hits', 'misses', 'passed')):,}",
         f"{one.get('hits', 0):,}", f"{one.get('origin_calls', one.get('passed', 0)):,}"]
        for path, one in sorted(counted.items())
        if sum(one.values())
    ]  # fmt: skip
    return (
        [table(["edge cache", "requests", "hits", "requests to the origin"], rows)] if rows else []
    )


def _parts(spent: dict[str, float], visitors: int, requests: dict[str, Any]) -> list[str]:
    if not spent or not visitors:
        return []
    count = sum(one["count"] for one in requests.values())
    rows = [
        [name, f"{s:.1f}", f"{1000 * s / visitors:.1f}", f"{1000 * s / count:.2f}"]
        for name, s in spent.items()
    ]
    return [table(["processor time of", "s", "ms per visitor", "ms per request"], rows)]


def draw(done: LoadTestResults, path: Path) -> Path:
    """Plot requests per second, visitors over time, waits and response times."""
    record = done.record
    figure, (rates, line, waited, slow) = plot_style.subplots(1, 4, (18, 3.4))
    for name, colour in zip(
        NAMES, ("#3b6ea5", "#c77700", "#888888", "#1b7f4b", "#8a4f9e"), strict=True
    ):
        rates.plot(record.per_second(name), label=name, color=colour, linewidth=1)
        values = sorted(record.latencies(name))
        if values:
            slow.plot(values, [100 * i / len(values) for i in range(len(values))], color=colour)
    rates.set(title="Requests per second", xlabel="seconds")
    rates.set_yscale("symlog")
    rates.legend(fontsize=7)
    for label, moments in (
        ("arrived", [one.arrived for one in record.visitors]),
        ("assigned", [one.learned for one in record.visitors if one.learned is not None]),
        ("admitted", [one.admitted for one in record.visitors if one.admitted is not None]),
    ):
        line.plot(sorted(moments), range(len(moments)), label=label)
    line.set(title="Visitors", xlabel="seconds")
    line.legend(fontsize=7)
    values = sorted(waits(record)["position"])
    waited.plot(values, [100 * i / max(1, len(values)) for i in range(len(values))])
    waited.set(title="Time to the position", xlabel="seconds", ylabel="% of visitors")
    slow.set(title="Response times", xlabel="ms", ylabel="% of requests", xscale="log")
    return plot_style.save(figure, path)
