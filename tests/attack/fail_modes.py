# SPDX-License-Identifier: Apache-2.0
"""Faults of the room in a random order, with forged requests meanwhile, in both fail modes.

The local edge runs the published function, and the watchdog probes a real server. No request
without a session may pass unless the edge has an opening, and nothing but faults alone for
FAILING_FOR seconds may open the gate.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.apps.gate_room import SALE
from tests.attack.report import Attempt
from tests.local.failing_room import BUSY, FAULTS, FailingRoom
from tests.local.shop_room import HTML
from waiting_room.domain.gate.opening import opened

FAULT = "fail modes"
PERIODS = 25
LONGEST = 240  # s of one period
NEEDED = 70.0  # s of faults; not FAILING_FOR, so that a weaker rule is found
NAME = "__Host-waiting-room-sale"


@dataclass
class Found:
    """What happened in one fail mode."""

    requests: int = 0
    openings: int = 0
    passed: list[str] = field(default_factory=list)
    opened_early: list[str] = field(default_factory=list)


def run(seed: int, periods: int = PERIODS) -> list[Attempt]:
    """Return the attempts in each fail mode."""
    report = []
    for mode in ("closed", "open"):
        with pytest.MonkeyPatch.context() as patch, _quiet():
            found = asyncio.run(_attack(patch, mode, random.Random(f"{seed}-{mode}"), periods))
        first = (found.passed or ["none"])[0]
        report += [
            Attempt(
                FAULT, f"{found.requests} requests without a session, mode {mode}",
                f"{len(found.passed)} got through without an opening, first: {first}",
                bool(found.passed),
            ),
            Attempt(
                FAULT, f"{periods} periods with and without faults, mode {mode}",
                f"{found.openings} openings, {len(found.opened_early)} without a lasting fault",
                bool(found.opened_early) or (mode == "closed" and found.openings > 0),
            ),
        ]  # fmt: skip
    return report


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the log of the watchdog, which has two lines for each probe that fails."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


async def _attack(patch: pytest.MonkeyPatch, mode: str, dice: random.Random, periods: int) -> Found:
    found = Found()
    async with FailingRoom(patch, mode) as room:
        responded_at, known = room.clock.now, 0
        fault = ""

        async def tick() -> None:
            nonlocal responded_at, known
            now = room.clock.now
            if fault not in FAULTS:
                responded_at = now
            until = opened(room.store.items(), now).get(SALE, 0)
            if until > known:
                found.openings += 1
                if now - responded_at < NEEDED:
                    found.opened_early.append(f"{fault} at {now:.0f}")
            known = until
            cookies, method, headers = _forged(dice)
            found.requests += 1
            allowed = SALE in opened(room.store.seen(), int(now))
            if await room.reaches_shop(cookies, method, headers) and not allowed:
                found.passed.append(f"{method} {cookies} {headers}")

        room.tick = tick
        for _ in range(periods):
            fault = dice.choice([*FAULTS, *BUSY, "", ""])
            await room.fail(fault)
            await room.live(dice.randrange(10, LONGEST, 10))
    return found


def _forged(dice: random.Random) -> tuple[str, str, dict[str, str]]:
    """Cookies, method and headers of a request without a valid session."""
    mac = "".join(dice.choices("ABCDEFabcdef0123456789-_", k=43))
    cookies = dice.choice([
        "", f"{NAME}=1:new:sale:1:1:1:zzzzzz:{mac}", f"{NAME}=", f"{NAME}={mac}",
        f"{NAME}=1:new:sale:1:1:1:1:{mac}; __Host-waiting-room_renewing-sale={mac}",
        "w=9999999999", f"__Host-waiting-room_probe-sale=1:new:sale:1:{mac}",
    ])  # fmt: skip
    headers = dice.choice([
        HTML, {"accept": "*/*"}, {**HTML, "x-waiting-room-session": "sale:1:1"},
        {**HTML, "sec-purpose": "prefetch"}, {"accept": "*/*", "x-api-key": "secret"},
    ])  # fmt: skip
    return cookies, dice.choice(["GET", "GET", "HEAD", "POST", "PUT"]), dict(headers)
