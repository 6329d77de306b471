# SPDX-License-Identifier: Apache-2.0
"""``python -m deployment.capacity.check``: comparison of the model with the last load test.

The model gets the limits of this machine: its workers and its response times. Its numbers of
visitors and requests are compared with the measured ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deployment import docs_tables
from deployment.capacity import operations as measured
from deployment.capacity import quotas
from deployment.capacity.__main__ import PAGE, ROOT
from deployment.capacity.plan import Limits, Plan, unlimited
from deployment.capacity.report import table
from deployment.capacity.simulation import Simulation
from deployment.capacity.usage import flow_of
from deployment.load_test.operator import BETWEEN
from deployment.local.config import DEFAULTS

FOUND = ROOT / "build" / "load-test" / "latest.json"
RECEIVED = 10  # messages of one request of a poller


def compare(found: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return name, measured value and model value of each number."""
    asked, requests = found["asked"], found["requests"]
    plan = Plan(
        asked["users"], asked["curve"], asked["seconds"], asked["admission_per_minute"],
        admission_every=BETWEEN,
    )  # fmt: skip
    outcome, latency = _simulated(plan, requests)
    visitors = plan.visitors
    flow = flow_of(outcome, quotas.load()[2])
    to_token = outcome.admitted - outcome.arrived + latency
    to_position = outcome.to_position + latency
    status = found["edge"].get("/status", {})
    return [
        ("requests for the position, per visitor", _each(requests, "queue_num", visitors),
         float(outcome.series["ask"].sum()) / visitors),
        ("polls of the status, per visitor", _each(requests, "status", visitors),
         float(flow.polls.sum()) / visitors),
        ("status calls at the origin, per second", status.get("origin_calls", 0) / found["seconds"],
         float(np.minimum(flow.polls, 1.0).mean())),
        ("tokens, per visitor", _each(requests, "token", visitors), 1.0),
        ("seconds to the position, p50", found["seconds_to"]["position"][0],
         float(np.percentile(to_position, 50))),
        ("seconds to the position, p95", found["seconds_to"]["position"][1],
         float(np.percentile(to_position, 95))),
        ("seconds to the token, p50", found["seconds_to"]["token"][0],
         float(np.percentile(to_token, 50))),
        ("seconds to the token, p95", found["seconds_to"]["token"][1],
         float(np.percentile(to_token, 95))),
    ]  # fmt: skip


def _simulated(plan: Plan, requests: Mapping[str, Any]) -> tuple[Any, float]:
    """Return the run with this machine's limits, and the seconds of a visitor's own requests."""
    _, account, assumed = quotas.load()
    workers = int(DEFAULTS["ASSIGN_WORKERS"])
    join, ask = (requests[name]["ms"][0] for name in ("join", "queue_num"))
    limits = replace(
        unlimited(Limits.of(account), plan, assumed), start_batches=workers, most_batches=workers
    )
    here = replace(
        assumed,
        redis_ms=1.0,
        dynamodb_ms=ask,
        cold_start_ms=0.0,
        messages_per_poller=RECEIVED / (join / 1000),
        edge_origins=1.0,
    )
    return Simulation(plan, limits, measured.load(), here).run(), (join + ask) / 1000


def _each(requests: Mapping[str, Any], name: str, visitors: int) -> float:
    return float(requests[name]["count"] - requests[name]["failed"]) / visitors


def main(given: Sequence[str]) -> int:
    """Print the comparison; with ``--write-page`` into docs/capacity.md too."""
    parser = argparse.ArgumentParser(prog="make capacity-check", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=FOUND, help="a load test's result")
    parser.add_argument("--write-page", action="store_true", help="write docs/capacity.md too")
    chosen = parser.parse_args(given)
    path = chosen.file
    if not path.exists():
        print("No results of a load test: run `make run`, then `make load-test`.")
        return 1
    found = json.loads(path.read_text())
    asked = found["asked"]
    text = "\n\n".join(
        [
            f"`make load-test` on {found['measured_on']}, {found['machine']}: {asked['users']:,} "
            f"visitors in {asked['seconds']:,.0f} s, curve `{asked['curve']}`, "
            f"{asked['admission_per_minute']:,.0f} admitted per minute. The model gets the "
            "measured response time: "
            f"{found['requests']['queue_num']['ms'][0]:,.0f} ms for `queue_num`.",
            table(
                ["value", "measured", "model", "model / measured"],
                [
                    [name, f"{here:,.2f}", f"{model:,.2f}", f"{model / here:.2f}" if here else "-"]
                    for name, here, model in compare(found)
                ],
            ),
        ]
    )
    print(text)
    if chosen.write_page:
        docs_tables.replace(PAGE, "check", text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
