# SPDX-License-Identifier: Apache-2.0
"""The report of the checks as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from deployment.doctor.needs import Needs
from deployment.doctor.results import Level, Result

WIDTH = max(len(level) for level in Level)


def as_text(where: str, needs: Needs, results: Sequence[Result], *, brief: bool = False) -> str:
    """Return a line for each result, the most serious first; ``brief`` for those to fix only."""
    order = list(Level)
    shown = [one for one in results if not brief or one.level is Level.MUST_FIX]
    lines = [where, f"{needs.visitors:,} visitors: {_needs(needs)}"]
    for one in sorted(shown, key=lambda one: order.index(one.level)):
        lines.append(f"{one.level:<{WIDTH}}  {one.check}: {one.sentence}")
        if one.action and one.level is not Level.OK:
            lines.append(f"{'':<{WIDTH}}  → {one.action}")
    counts = Counter(one.level for one in results)
    lines.append(", ".join(f"{counts[level]} {level}" for level in order if counts[level]))
    return "\n".join(lines)


def as_json(where: str, needs: Needs, results: Sequence[Result]) -> str:
    """Return account and region, the needs and the results as JSON."""
    return json.dumps(
        {"where": where, "needs": asdict(needs), "results": [asdict(one) for one in results]},
        indent=1,
    )


def _needs(needs: Needs) -> str:
    return (
        f"{needs.api_rate:,} requests/s at the API, {needs.concurrency:,} Lambda calls at the same "
        f"time, {needs.join_workers:,} join workers, {needs.table_writes:,} writes/s"
    )
