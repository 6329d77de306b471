# SPDX-License-Identifier: Apache-2.0
"""What is done to the room while it is loaded. Each ends by itself, also when it is cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.servers import Valkey

Name, Act = str, Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Disturber:
    """Knows the store, and the processes of the room by their part."""

    valkey: Valkey
    pids: Callable[[], dict[str, int]]

    def acts(self) -> dict[Name, Act]:
        """Each disturbance by its name."""
        return {
            "Valkey emptied": self.empty,
            "Valkey killed and started again": self.restart,
            "Valkey refuses writes for 15 s": self.refuse,
            "Valkey hangs for 8 s": lambda: self._paused(self.valkey.pid, 8),
            "AWS emulator paused for 4 s": lambda: self._part_paused("AWS emulator", 4),
            "workers stopped for 8 s": lambda: self._part_paused("workers", 8),
            "gateway paused for 3 s": lambda: self._part_paused("gateway and edge", 3),
        }

    async def empty(self) -> None:
        """Lose every key."""
        with self.valkey.client() as client:
            client.flushall()

    async def restart(self) -> None:
        """Kill it; it comes back empty."""
        self.valkey.kill()
        await asyncio.sleep(1)
        self.valkey.start()

    async def refuse(self) -> None:
        """Refuse writes, answer reads, as a primary without its replicas does."""
        with self.valkey.client() as client:
            client.config_set("min-replicas-to-write", 1)
            try:
                await asyncio.sleep(15)
            finally:
                client.config_set("min-replicas-to-write", 0)

    async def _part_paused(self, part: str, seconds: float) -> None:
        await self._paused(self.pids()[part], seconds)

    async def _paused(self, pid: int, seconds: float) -> None:
        with stopped(pid):
            await asyncio.sleep(seconds)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
