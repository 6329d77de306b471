# SPDX-License-Identifier: Apache-2.0
"""How fast the waiting page is visible on a slow phone, and how far its parts move.

Chromium loads the built page, compressed, from this machine with 150 ms of latency for each
request, 1.6 Mbit/s and a processor four times slower. It prints the median of five loads: the
largest contentful paint (LCP), and the cumulative layout shift (CLS) until two seconds after it. It
is a report: the machine is not a phone. ``make bench ONLY=page_load``
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import uvicorn
from playwright.sync_api import Browser
from starlette.middleware.gzip import GZipMiddleware

from apps.public_api import app as public_app
from deployment.local.gateway.static_site import Site
from infrastructure.assets import sites
from infrastructure.blueprint.site_config import waiting_room_config
from tests.benchmarks.tables import table
from tests.support.browser import chromium
from tests.support.in_memory_room import EVENT
from tests.support.pages.waiting_page import PAGE, Room, enter, listening, view
from tests.support.servers import ROOT

LOADS = 5
LATENCY = 150  # ms of each request
RATE = 1.6e6 / 8  # bytes/s, in both directions
SLOWER = 4  # times, of the processor
SETTLED = 2.0  # s after which nothing moves any more
OBSERVE = """
window.measured = { lcp: 0, shift: 0 };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.measured.lcp = entry.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) window.measured.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass(frozen=True)
class Case:
    """A visit: how the room is prepared, the view that it ends in, whether the visitor waits."""

    name: str
    prepare: Callable[[Room], None]
    shown: str
    waits: bool = False


def plain(_: Room) -> None:
    """The event of the deployment, as it is."""


def branded(room: Room) -> None:
    """An event with a page of its own."""
    room.change(title="Summer sale", page=PAGE)


def scheduled(room: Room) -> None:
    """An event that opens in two hours."""
    room.change(schedule={"opens_at": int(room.clock()) + 7_200})


CASES = (
    Case("first visit", plain, "outside"),
    Case("first visit, event with a page of its own", branded, "outside"),
    Case("first visit, scheduled event", scheduled, "event"),
    Case("return of a waiting visitor", plain, "waiting", waits=True),
)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An ASGI app on a port of its own."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def opened(folder: Path, case: Case) -> Iterator[str]:
    """The built page in front of a room in memory; its address."""
    room = Room(status={"poll_after_seconds": 30})
    room.in_memory_room.room.workers.setup.run()
    room.fill(90)
    case.prepare(room)
    with ExitStack() as started:
        started.enter_context(
            mock.patch.object(public_app, "room", return_value=room.in_memory_room.room)
        )
        api = started.enter_context(
            listening(lambda one, path, query, _, body: room.answer(one, path, query, body))
        )
        config = waiting_room_config(
            event_id=EVENT, public_api=f"{api}/api", store_api="", brand={"name": "Night of Lights"}
        )
        site = Site(folder, "waiting_room", config, [api])
        yield started.enter_context(serving(GZipMiddleware(site, minimum_size=500)))  # type: ignore[arg-type]


def measure(browser: Browser, address: str, case: Case) -> tuple[float, float]:
    """LCP in ms and CLS of one load without a cache."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    try:
        tab = context.new_page()
        if case.waits:
            tab.goto(address)
            enter(tab)
            tab.close()
            tab = context.new_page()
        session = context.new_cdp_session(tab)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        limits = {"offline": False, "latency": LATENCY}
        both = {"downloadThroughput": RATE, "uploadThroughput": RATE}
        session.send("Network.emulateNetworkConditions", {**limits, **both})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        tab.add_init_script(OBSERVE)
        tab.goto(address)
        view(tab, case.shown)
        tab.wait_for_timeout(SETTLED * 1000)
        found = tab.evaluate("window.measured")
        return float(found["lcp"]), float(found["shift"])
    finally:
        context.close()


def run() -> None:
    """Measure each case and print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as work, chromium() as browser:
        folder = sites.build(ROOT, Path(work))["waiting_room"]
        for case in CASES:
            with opened(folder, case) as address:
                found = [measure(browser, address, case) for _ in range(LOADS)]
            lcp = [one for one, _ in found]
            shift = max(one for _, one in found)
            rows.append([case.name, round(statistics.median(lcp)), round(max(lcp)), f"{shift:.3f}"])
    table(
        f"Load of the page: {LATENCY} ms, 1.6 Mbit/s, processor ÷ {SLOWER}, {LOADS} loads",
        ["visit", "LCP p50, ms", "LCP max, ms", "layout shift, max"],
        rows,
        name="page-load",
    )


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make bench ONLY=page_load", description=__doc__).parse_args()
    run()
    print(json.dumps({"goal_lcp_ms": 1_000, "limit_shift": 0.05}))
