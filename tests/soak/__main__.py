# SPDX-License-Identifier: Apache-2.0
"""``make soak``: MINUTES (20), RATE (visits a second, measured), SEED (printed) by environment.

Starts a fresh room with a Valkey of its own, loads and disturbs it, compares, writes ``build/soak``
and ends everything that it started. Exit status: 0 all holds, 1 not, 2 a bad setting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx

from tests.soak import report
from tests.soak.disturbances import Disturber
from tests.soak.observations import Check, compare
from tests.soak.parts import Stored, processes, size
from tests.soak.samples import judge
from tests.soak.visitors import CONNECTIONS, TIMEOUT, Traffic
from tests.support.local_stack import RunningRoom, running_room
from tests.support.servers import ROOT, Valkey

FOLDER = ROOT / "build" / "soak"
EVERY = 240.0  # s between two disturbances
MOST_RATE, SHARE = 15.0, 0.25  # visits a second at most; of the short visits in the warm-up
WARM_UP, TOGETHER = 15.0, 8  # s, short visits at once
SAMPLE_EVERY = 5.0  # s between two looks at the processes
SETTLE = 240.0  # s in which the figures must agree once nobody comes any more
NONSENSE_SHARE = 0.2  # invalid requests for each visit
ROOM = {
    "EVENT_ID": "Sample",
    "QUEUE_POSITION_EXPIRY_PERIOD": "60",  # no-shows expire while the soak runs
    "SCHEDULE_MINUTE_SECONDS": "30",
}


def main() -> int:
    """Run the soak; answers the exit status."""
    try:
        minutes = _positive("MINUTES", 20)
        rate = _positive("RATE", 0)
        seed = _seed()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"· SEED={seed} MINUTES={minutes:g}", flush=True)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when a shell ignores it
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        with ExitStack() as started:
            valkey = Valkey(FOLDER)
            started.callback(valkey.kill)
            url = f"redis://127.0.0.1:{valkey.port}"
            room = started.enter_context(running_room(FOLDER / "room", REDIS_URL=url, **ROOM))
            return asyncio.run(soak(room, valkey, minutes, rate, seed))
    except KeyboardInterrupt:
        print("· ended before its time", file=sys.stderr)
        return 1


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _positive(name: str, default: float) -> float:
    try:
        found = float(os.environ.get(name) or default)
    except ValueError:
        raise ValueError(f"{name} must be a number") from None
    if not 0 <= found <= 1_000:
        raise ValueError(f"{name} must be between 0 and 1000")
    return found


def _seed() -> int:
    text = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**9))
    if not (text.isascii() and text.isdigit()):
        raise ValueError("SEED must be a whole number")
    return int(text)


async def soak(
    room: RunningRoom, valkey: Valkey, minutes: float, rate: float, seed: int
) -> int:  # fmt: skip
    """Load, disturb, compare, report."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(timeout=TIMEOUT, connector=connector) as session:
        earlier = Traffic(room, session, seed, time.monotonic())
        if not rate:
            reached = await earlier.capacity(WARM_UP, TOGETHER)
            rate = round(max(0.5, min(MOST_RATE, SHARE * reached)), 1)
            print(f"· {reached:.1f} short visits a second at most: RATE={rate:g}", flush=True)
        began, began_at = time.monotonic(), time.time()
        traffic = Traffic(room, session, seed, began)
        traffic.observed = earlier.observed
        await _load(traffic, Disturber(valkey, lambda: _parts(room, valkey)), minutes * 60, rate)
        traffic.samples.seconds = minutes * 60
        checks = await _settled(traffic, Stored(room))
    waits = [(at - began_at, wait) for at, wait in traffic.observed.waits if at >= began_at]
    checks += judge(traffic.samples, [wait for _, wait in waits], traffic.come // 2)
    about = {
        "minutes": f"{minutes:g}",
        "visits a second": f"{rate:g}",
        "seed": seed,
        "visits": f"{traffic.come:,}",
        "joins accepted": f"{len(traffic.observed.joins):,}",
        "tokens": f"{len(traffic.observed.tokens):,}",
        "sessions ended": f"{len(traffic.observed.ends):,}",
        "on": f"{datetime.now(UTC).date().isoformat()} with {os.cpu_count()} cores",
    }
    written = report.text(about, traffic.samples, waits, checks)
    (FOLDER / "report.md").write_text(written)
    (FOLDER / "soak.json").write_text(json.dumps(_everything(about, traffic, checks)))
    report.plot(traffic.samples, waits, FOLDER / "soak.png")
    print(written)
    print(f"· written to {FOLDER.relative_to(ROOT)}/report.md, soak.json, soak.png")
    return 0 if all(one.holds for one in checks) else 1


def _everything(about: Mapping[str, Any], traffic: Traffic, checks: list[Check]) -> dict[str, Any]:
    return {
        "about": dict(about),
        "checks": [asdict(one) for one in checks],
        "windows": traffic.samples.windows,
        "waits": traffic.observed.waits,
        "sizes": [asdict(one) for one in traffic.samples.sizes],
    }


async def _load(traffic: Traffic, disturber: Disturber, seconds: float, rate: float) -> None:
    reset_at = 0.45 * seconds
    watching = asyncio.create_task(_watch(traffic, disturber))
    try:
        await asyncio.gather(
            traffic.arrive(rate, seconds),
            traffic.nonsense(NONSENSE_SHARE * rate, seconds),
            traffic.operate(rate, seconds, reset_at),
            _disturb(traffic, disturber, seconds),
        )
    finally:
        watching.cancel()
        for task in list(traffic.busy):
            task.cancel()


async def _disturb(traffic: Traffic, disturber: Disturber, seconds: float) -> None:
    """One disturbance after another, in an order that the seed decides; the last minute is calm."""
    acts = disturber.acts()
    order = list(acts)
    traffic.random.shuffle(order)
    every = min(EVERY, seconds / 3)
    for turn in range(1_000):
        at = every * (turn + 0.7)
        if at > seconds - min(60.0, every / 2):
            return
        await asyncio.sleep(max(0, at - traffic.now))
        name = order[turn % len(order)]
        began = traffic.now
        print(f"· minute {began / 60:.1f}: {name}", flush=True)
        await acts[name]()
        traffic.samples.windows.append((began, traffic.now, name))


async def _watch(traffic: Traffic, disturber: Disturber) -> None:
    """Look at the processes until cancelled."""
    while True:
        for part, pid in disturber.pids().items():
            if found := size(part, pid, traffic.now):
                traffic.samples.sizes.append(found)
        await asyncio.sleep(SAMPLE_EVERY)


def _parts(room: RunningRoom, valkey: Valkey) -> dict[str, int]:
    found = processes(room.process.pid)
    return found | ({"Valkey": valkey.pid} if valkey.running else {})


async def _settled(traffic: Traffic, stored: Stored) -> list[Check]:
    """The comparison once everything agrees, or after ``SETTLE`` seconds as it stands."""
    end = time.monotonic() + SETTLE
    checks: list[Check] = []
    while True:
        try:
            tables, told = await asyncio.to_thread(stored.read)
            checks = compare(traffic.observed, tables, told, time.time())
        except httpx.HTTPError as error:
            checks = [Check("the room answers in the end", False, str(error))]
        if all(one.holds for one in checks) or time.monotonic() > end:
            return checks
        await asyncio.sleep(5)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make soak", description=__doc__).parse_args()
    sys.exit(main())
