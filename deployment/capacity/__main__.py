# SPDX-License-Identifier: Apache-2.0
"""Capacity study of an event: ``python -m deployment.capacity --visitors 1000000``.

Prints the tables; writes JSON and plots to ``build/capacity``. With ``--write-page`` it changes
docs/capacity.md and its images.
"""

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
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="capacity", description=__doc__)
    parser.add_argument("--visitors", type=int, default=1_000_000)
    parser.add_argument("--curve", choices=sorted(CURVES), default="flash")
    parser.add_argument(
        "--seconds", type=float, default=600, help="seconds in which the visitors arrive"
    )
    parser.add_argument("--admission", type=float, default=10_000, help="admitted per minute")
    parser.add_argument(
        "--write-page",
        action="store_true",
        help="write the tables and plots of docs/capacity.md",
    )
    return parser.parse_args(given)


def main(given: Sequence[str]) -> None:
    """Study the event of the options."""
    options = arguments(given)
    plan = Plan(options.visitors, options.curve, options.seconds, options.admission)
    found = study(plan, tell=lambda line: print(f"· {line}", file=sys.stderr))
    text = report.tables(found)
    print(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = f"{plan.curve}-{plan.visitors}"
    (RESULTS / f"{name}.json").write_text(json.dumps(as_json(found), indent=1))
    images = plots.draw(found, IMAGES if options.write_page else RESULTS)
    if options.write_page:
        docs_tables.replace(PAGE, "capacity", text)
    written = [RESULTS / f"{name}.json", *images, *([PAGE] if options.write_page else [])]
    print("\nwritten: " + ", ".join(str(path.relative_to(ROOT)) for path in written))


if __name__ == "__main__":
    main(sys.argv[1:])
