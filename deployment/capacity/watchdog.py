# SPDX-License-Identifier: Apache-2.0
"""Cost of the watchdog: ``python -m deployment.capacity.watchdog`` writes the table of its page.

The month has one event that may open in each minute, and no fault. Functions, memory and requests
are those of the code, and the work of the two APIs is measured. The duration of a run is an
assumption.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from deployment import docs_tables
from deployment.capacity import operations, quotas
from deployment.capacity.cost import MILLION
from deployment.capacity.prices import Prices, load, regions
from deployment.capacity.simulation import API_MEMORY
from infrastructure.blueprint.resources import WATCH_ROOM
from waiting_room.domain.gate.watchdog import ENTER, STATUS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate-edge.md"
RUN_SECONDS = 0.4  # of a run without a fault; its requests are concurrent
REGISTRY_UNITS = 0.5  # an eventually consistent read of at most 4 kB
ALARMS = 2  # GateOpened, WatchdogErrors
OPENING_CALLS = 4  # of the store: two lists, the version, the update
FAULT_CALLS = 1  # in each further minute of a fault


def watchdog_bill(prices: Prices) -> dict[str, float]:
    """Return the cost of a month in US dollars by part."""
    _, _, assumed = quotas.load()
    known = operations.load()
    minutes = prices.hours_per_month * 60
    requests = minutes * len((STATUS, ENTER))
    asked = [known["status"], known["enter"]]
    seconds = sum(one.duration_ms(API_MEMORY, assumed) for one in asked) / 1000
    calls, gigabytes = prices["lambda_million_requests"] / MILLION, prices["lambda_gb_second"]
    return {
        "runs of `watch_room`, one a minute": minutes
        * (calls + RUN_SECONDS * WATCH_ROOM.memory / 1024 * gigabytes),
        "their reads of the registry": minutes
        * REGISTRY_UNITS
        * prices["dynamodb_million_reads"]
        / MILLION,
        "requests to the two APIs, with AWS WAF": requests
        * (prices["api_million_requests"] + prices["waf_million_requests"])
        / MILLION,
        # X-Ray records the first call of a function in each second
        "their functions, reads and traces": requests * (calls + prices["trace_million"] / MILLION)
        + minutes * seconds * API_MEMORY / 1024 * gigabytes
        + minutes
        * sum(one.read_units for one in asked)
        * prices["dynamodb_million_reads"]
        / MILLION,
        "two alarms": ALARMS * prices["alarm_month"],
        "calls of the store": 0.0,
    }


def table() -> str:
    """Return the table of the page."""
    loaded = [load(region) for region in regions()]
    bills = [watchdog_bill(one) for one in loaded]
    heads = [f"US dollars a month, {one.region}" for one in loaded]
    lines = [f"| part | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for part in bills[0]:
        lines.append(f"| {part} | {' | '.join(f'{bill[part]:.2f}' for bill in bills)} |")
    sums = " | ".join(f"**{sum(bill.values()):.2f}**" for bill in bills)
    call = loaded[0]["edge_store_thousand_calls"] / 1000
    fault = (
        f"Each further event adds its requests, functions and reads. Calls of the store: "
        f"{FAULT_CALLS} (${FAULT_CALLS * call:.3f}) in the first run of a new environment and in "
        f"each minute of a fault, {OPENING_CALLS} (${OPENING_CALLS * call:.3f}) for an opening, a "
        f"renewal or an end."
    )
    return "\n".join([*lines, f"| **total** | {sums} |", "", fill(fault, 100)])


if __name__ == "__main__":
    docs_tables.replace(PAGE, "watchdog", table())
