# SPDX-License-Identifier: Apache-2.0
"""``python -m deployment.load_test --users 2000``: load test of a room.

Without ``--host`` the target is the room that ``make run`` started; its event is reset first. With
``--host`` the target is a deployed room. Test only your own rooms.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from locust import __version__ as locust_version  # first: it patches sockets

from deployment import docs_tables
from deployment.load_test import engine, processes, report
from deployment.load_test.checks import check
from deployment.load_test.operator import Operator
from deployment.load_test.record import LoadTestOptions, LoadTestResults, Share
from deployment.load_test.tables import count_rows
from deployment.load_test.target import RoomUnderTest, TargetError, of_options, of_this_machine
from deployment.visitor_model.arrivals import CURVES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "load-test"
PAGE, IMAGE = ROOT / "docs" / "load-test.md", ROOT / "docs" / "images" / "load-test.png"
MOST_USERS = 20_000  # of one process
MOST_PROCESSES = 64


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="load-test", description=__doc__)
    parser.add_argument(
        "--users", type=int, default=2_000, help=f"at most {MOST_USERS:,} for each process"
    )
    parser.add_argument("--processes", type=int, default=1, help="processes; each uses one core")
    parser.add_argument("--curve", choices=sorted(CURVES), default="flash")
    parser.add_argument(
        "--seconds", type=float, default=60, help="seconds in which the visitors arrive"
    )
    parser.add_argument("--admission", type=float, default=1_200, help="admitted per minute")
    parser.add_argument(
        "--limit",
        type=float,
        default=600,
        help="seconds after which the test ends, finished or not",
    )
    parser.add_argument("--host", help="public API of a deployed room of your own")
    parser.add_argument(
        "--private", help="its private API, for the operator; credentials from AWS_…"
    )
    parser.add_argument("--store", help="its sample store")
    parser.add_argument("--event", help="its event")
    parser.add_argument("--region", help="its region, for signatures")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--write-page", action="store_true", help="fill docs/load-test.md")
    for internal in ("--share", "--began", "--share-results"):
        parser.add_argument(internal, default="", help=argparse.SUPPRESS)
    asked = parser.parse_args(given)
    if not 1 <= asked.processes <= MOST_PROCESSES:
        parser.error(f"--processes must be between 1 and {MOST_PROCESSES}")
    if not asked.processes <= asked.users <= MOST_USERS * asked.processes:
        parser.error(
            f"--users must be between {asked.processes} and {MOST_USERS * asked.processes} with "
            f"--processes {asked.processes}"
        )
    if min(asked.seconds, asked.admission, asked.limit) <= 0:
        parser.error("--seconds, --admission and --limit must be above 0")
    return asked


def main(given: Sequence[str]) -> int:
    """Run a test; return 1 if a check failed, 2 without a target."""
    options = arguments(given)
    try:
        target = _target(options)
    except TargetError as error:
        print(error, file=sys.stderr)
        return 2
    asked = LoadTestOptions(
        options.users, options.curve, options.seconds, options.admission, options.limit
    )
    if options.share:
        return _run_share(options, asked, target)
    if target.local:
        Operator(target).reset()
    try:
        if options.processes > 1:
            start = processes.start_process(given)
            done = processes.run(asked, target, options.processes, start)
        else:
            done = engine.run(asked, target, _tell)
    except processes.ProcessFailed as error:
        print(error, file=sys.stderr)
        return 2
    countable = target.local and done.metrics is not None
    checks = check(
        done.record,
        alone=target.local,
        metrics=done.metrics,
        rows=count_rows(target, done.metrics["generation"]) if countable and done.metrics else None,
        admitted=done.admitted,
    )
    found = report.summary(asked, done, checks) | {"locust": locust_version}
    text = report.tables(found)
    print(text)
    _keep(options.results, found, done)
    if options.write_page:
        report.draw(done, IMAGE)
        docs_tables.replace(PAGE, "load-test", text)
    return 0 if all(one.holds for one in checks) and done.in_time else 1


def _run_share(options: argparse.Namespace, asked: LoadTestOptions, target: RoomUnderTest) -> int:
    """Run the visitors of one of several processes and write its results to a file."""
    index, of = (int(number) for number in options.share.split("/"))
    share = Share(index, of, float(options.began))
    done = engine.run_share(asked, target, lambda line: _tell(f"{index + 1}/{of} {line}"), share)
    Path(options.share_results).write_text(json.dumps(done.as_json()))
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _target(options: argparse.Namespace) -> RoomUnderTest:
    if options.host:
        return of_options(vars(options), os.environ)
    return of_this_machine(Path(os.environ.get("LOCAL_DIR") or ROOT / ".local"))


def _keep(folder: Path, found: dict[str, object], done: LoadTestResults) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("latest", found), ("latest-visits", done.record.as_json())):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
    report.draw(done, folder / "latest.png")
    print(f"\nkept in {folder}: latest.json, latest-visits.json, latest.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
