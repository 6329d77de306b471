# SPDX-License-Identifier: Apache-2.0
"""A study of an event: demand, runs, quotas and costs, as data for tables, plots and JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from deployment.capacity import operations as measured
from deployment.capacity import prices, quotas
from deployment.capacity.cost import Bill, event_bill, idle_bill
from deployment.capacity.findings import Finding, find
from deployment.capacity.parts import Times
from deployment.capacity.plan import Limits, Plan, scenarios, unlimited
from deployment.capacity.simulation import Outcome, Simulation
from deployment.capacity.topology import CHEAP, PREDECESSOR, SERVERLESS, STANDARD
from deployment.capacity.usage import (
    Flow,
    Usage,
    flow_of,
    their_usage,
    usage_by_operation,
    usage_of,
)

PERCENTILES = (50, 95, 99, 100)
POINTS = 600  # of a curve in the JSON file


@dataclass(frozen=True)
class Run:
    """The numbers of a simulated run; times in seconds."""

    name: str
    limits: Limits
    to_position: tuple[float, ...]  # at PERCENTILES
    last_position_at: float
    refused_by_api: int
    refused_by_lambda: int
    holes: int
    seconds_to_simulate: float


@dataclass(frozen=True)
class Study:
    """All results for an event. ``events`` and ``idle`` are bills by region and topology."""

    plan: Plan
    runs: list[Run]
    outcomes: dict[str, Outcome]
    demand: Outcome
    flow: Flow
    usage: Usage
    by_operation: dict[str, Usage]
    findings: list[Finding]
    events: dict[str, dict[str, Bill]]
    idle: dict[str, dict[str, Bill]]
    dates: dict[str, str]


def study(plan: Plan, tell: Callable[[str], None] = lambda _: None) -> Study:
    """Simulate an event in each scenario and compute its cost."""
    quotas_on, account, assumed = quotas.load()
    operations = measured.load()
    limits = Limits.of(account)
    demand = Simulation(plan, unlimited(limits, plan, assumed), operations, assumed).run()
    runs, outcomes = [], {}
    for name, held in scenarios(limits, plan, assumed).items():
        tell(f"simulating {plan.visitors:,} visitors: {name}")
        started = time.perf_counter()
        outcomes[name] = Simulation(plan, held, operations, assumed).run()
        runs.append(_run(name, outcomes[name], time.perf_counter() - started))
    by_operation = usage_by_operation(demand, operations, assumed)
    usage = sum(by_operation.values(), Usage())
    theirs = their_usage(demand, operations, assumed)
    in_tables = measured.load(in_tables=True)
    tell(f"simulating {plan.visitors:,} visitors: counters in tables")
    of_tables = Simulation(plan, unlimited(limits, plan, assumed), in_tables, assumed).run()
    serverless = usage_of(of_tables, in_tables, assumed)
    events, idle = {}, {}
    for region in prices.regions():
        listed = prices.load(region)
        events[region] = {
            topology.name: event_bill(used, topology, listed)
            for topology, used in (
                (STANDARD, usage),
                (SERVERLESS, serverless),
                (PREDECESSOR, theirs),
            )
        }
        idle[region] = {
            topology.name: idle_bill(topology, used, listed, account, assumed)
            for topology, used in (
                (STANDARD, operations),
                (CHEAP, operations),
                (SERVERLESS, in_tables),
                (PREDECESSOR, operations),
            )
        }
    return Study(
        plan=plan,
        runs=runs,
        outcomes=outcomes,
        demand=demand,
        flow=flow_of(demand, assumed),
        usage=usage,
        by_operation=by_operation,
        findings=find(demand, limits, account, operations, assumed),
        events=events,
        idle=idle,
        dates={
            "prices": listed.known_on,
            "quotas": quotas_on,
            "operations": f"{operations.measured_on}, {operations.machine}",
        },
    )


def _run(name: str, outcome: Outcome, seconds: float) -> Run:
    return Run(
        name,
        outcome.limits,
        tuple(float(value) for value in np.percentile(outcome.to_position, PERCENTILES)),
        float(outcome.learned.max()),
        int(outcome.series["refused_by_api"].sum()),
        int(outcome.series["refused_by_lambda"].sum()),
        outcome.holes,
        round(seconds, 1),
    )


def as_json(found: Study) -> dict[str, object]:
    """Return the study as JSON data, without single visitors."""
    return {
        "plan": asdict(found.plan),
        "runs": [asdict(run) for run in found.runs],
        "usage": asdict(found.usage),
        "quotas": [{**asdict(one), "hit": one.hit} for one in found.findings],
        "event_cost": found.events,
        "idle_cost_per_month": found.idle,
        "known_on": found.dates,
        "requests_per_second": {
            "edge": _thin(found.flow.edge),
            "api": _thin(found.flow.api),
            "seconds": len(found.flow.edge),
        },
    }


def _thin(values: Times) -> list[float]:
    step = max(1, len(values) // POINTS)
    return [float(values[start : start + step].max()) for start in range(0, len(values), step)]
