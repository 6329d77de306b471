# SPDX-License-Identifier: Apache-2.0
"""``python -m deployment.capacity --visitors 1000000``: print the study, keep it, fill the page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deployment import docs_tables
from deployment.capacity import plots, report
from deployment.capacity.plan import Plan
from deployment.capacity.study import as_json, study
from deployment.visitor_model.arrivals import CURVES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "capacity"
PAGE = ROOT / "docs" / "capacity.md"
IMAGES = ROOT / "docs" / "images"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="capacity", description=__doc__)
    parser.add_argument("--visitors", type=int, default=1_000_000)
    parser.add_argument("--curve", choices=sorted(CURVES), default="flash")
    parser.add_argument("--seconds", type=float, default=600, help="in which they come")
    parser.add_argument("--admission", type=float, default=10_000, help="admitted per minute")
    parser.add_argument(
        "--write-page",
        action="store_true",
        help="fill docs/capacity.md with another event than its",
    )
    return parser.parse_args(given)


def main(given: Sequence[str]) -> None:
    """Study the event that was asked for."""
    asked = arguments(given)
    plan = Plan(asked.visitors, asked.curve, asked.seconds, asked.admission)
    found = study(plan, tell=lambda line: print(f"· {line}", file=sys.stderr))
    text = report.tables(found)
    print(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = f"{plan.curve}-{plan.visitors}"
    (RESULTS / f"{name}.json").write_text(json.dumps(as_json(found), indent=1))
    page = asked.write_page or plan == Plan(1_000_000)
    images = plots.draw(found, IMAGES if page else RESULTS)
    if page:
        docs_tables.replace(PAGE, "capacity", text)
    kept = [RESULTS / f"{name}.json", *images, *([PAGE] if page else [])]
    print("\nkept: " + ", ".join(str(path.relative_to(ROOT)) for path in kept))


if __name__ == "__main__":
    main(sys.argv[1:])
