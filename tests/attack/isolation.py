# SPDX-License-Identifier: Apache-2.0
"""Findings 7 and 55: one caller's load or failure that reaches everybody."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from tests.attack.report import Attempt
from tests.attack.target import Target

FAULT = "isolation"
ORIGINS = 40
CALLERS = 30  # of /ended_sessions at once
ENDED = 25  # sessions that ended
SAMPLES = 15  # token calls whose time is compared
SLOWER, SLOW = 8.0, 0.5  # times and seconds; less is what two busy cores do to each other
AWAY, WELL_AGAIN = 6, 4  # seconds
PATHS = ("/status", "/serving_num", "/waiting_num")


def run(target: Target) -> list[Attempt]:
    """Cache keys that a caller chooses, one slow route, one failure that is kept."""
    return [*_cache_keys(target), _load(target), _kept_error(target)]


def _origin_calls(target: Target, path: str) -> int:
    base = urlsplit(target.room.endpoints["public_api"])
    stats = httpx.get(f"{base.scheme}://{base.netloc}/__edge/stats").json()
    paths = stats.get("paths", stats)
    counts = paths.get(path, {})
    return int(counts.get("misses", 0)) + int(counts.get("passed", 0))


def _cache_keys(target: Target) -> Iterator[Attempt]:
    ways = {
        "Origin headers": lambda n: ({}, {"Origin": f"https://{n:x}.example"}),
        "other headers": lambda n: (
            {}, {"Accept": f"a/{n}", "Cookie": f"c={n}", "Range": f"bytes={n}-9"}
        ),
        "query parameters": lambda n: ({f"p{n}": str(n)}, {}),
    }  # fmt: skip
    for path in PATHS:
        for what, way in ways.items():
            before, began = _origin_calls(target, path), time.monotonic()
            with httpx.Client() as client:
                for _ in range(ORIGINS):
                    more, headers = way(target.dice.getrandbits(40))
                    client.get(
                        f"{target.room.endpoints['public_api']}{path}",
                        params={"event_id": target.room.event_id, **more},
                        headers=headers,
                    )
            seconds = time.monotonic() - began
            calls = _origin_calls(target, path) - before
            fair = int(seconds) + 3  # an answer is kept for a second
            yield Attempt(
                FAULT, f"{ORIGINS} calls of {path} with {ORIGINS} {what}",
                f"{calls} calls of the origin in {seconds:.1f} s", calls > fair,
            )  # fmt: skip


def _load(target: Target) -> Attempt:
    visitors = [target.join() for _ in range(ENDED + 1)]
    last = max(target.position(one) or 0 for one in visitors)
    serving = int(target.room.ask("/serving_num").json()["serving_counter"])
    target.room.serve(max(1, last - serving))
    for one in visitors[:ENDED]:
        target.room.token(one)
        target.room.private("POST", "/update_session", {"request_id": one, "status": 1})
    alone = _token_seconds(target, visitors[-1])
    stop = threading.Event()

    def call() -> None:
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                client.get(
                    f"{target.room.endpoints['public_api']}/ended_sessions",
                    params={"event_id": target.room.event_id},
                    headers={"Origin": f"https://{time.monotonic_ns()}.example"},
                )

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        beside = _token_seconds(target, visitors[-1])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    slow = beside > alone * SLOWER and beside > SLOW
    return Attempt(
        FAULT, f"{CALLERS} callers of /ended_sessions beside token calls",
        f"median of a token call {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside", slow,
    )  # fmt: skip


def _token_seconds(target: Target, visitor: str) -> float:
    times = []
    for _ in range(SAMPLES):
        began = time.monotonic()
        with suppress(httpx.TimeoutException):  # it counts as long as it was waited for
            target.room.token(visitor)
        times.append(time.monotonic() - began)
    return statistics.median(times)


def _kept_error(target: Target) -> Attempt:
    """The counters say nothing for some seconds: how much longer is everybody told so?"""
    time.sleep(2)  # until no fresh answer is kept
    began = time.monotonic()
    target.valkey().execute_command("CLIENT", "PAUSE", str(AWAY * 1000), "ALL")
    failed = 0
    while time.monotonic() - began < AWAY:
        failed += target.room.ask("/status").status_code >= 500
        time.sleep(0.1)
    target.until(lambda: target.room.ask("/status").status_code == 200, 30)
    seconds = time.monotonic() - began - AWAY
    what = f"{failed} failures" if failed else "an older answer stood in"
    return Attempt(
        FAULT, f"counters that say nothing for {AWAY} s, and what the edge keeps of it",
        f"{what}, well {seconds:.1f} s later", seconds > WELL_AGAIN,
    )  # fmt: skip
