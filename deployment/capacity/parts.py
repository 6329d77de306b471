# SPDX-License-Identifier: Apache-2.0
"""Parts of the simulation: event heap, token bucket, environments, table writes, queue.

Time advances in ticks of ``TICK`` seconds; events of one tick are simultaneous.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]
TICK = 0.1
NOBODY: Ids = np.empty(0, dtype=np.int64)


class EventHeap:
    """Visitors by the tick of their next action."""

    def __init__(self) -> None:
        self._due: defaultdict[int, list[Ids]] = defaultdict(list)
        self.waiting = 0

    def add(self, ids: Ids, times: Times) -> None:
        """Add visitors with the times of their actions, in seconds."""
        if not len(ids):
            return
        ticks = np.ceil(times / TICK).astype(np.int64)
        order = np.argsort(ticks, kind="stable")
        ids, ticks = ids[order], ticks[order]
        cuts = np.flatnonzero(np.diff(ticks)) + 1
        for part, first in zip(np.split(ids, cuts), (0, *cuts.tolist()), strict=True):
            self._due[int(ticks[first])].append(part)
        self.waiting += len(ids)

    def take(self, tick: int) -> Ids:
        """Remove and return the visitors that are due."""
        parts = self._due.pop(tick, None)
        if parts is None:
            return NOBODY
        ids = np.concatenate(parts)
        self.waiting -= len(ids)
        return ids


class TokenBucket:
    """API Gateway's token bucket of an account."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst, self._tokens = rate, burst, burst

    def take(self, wanted: int) -> int:
        """Return the number of requests of this tick that pass."""
        self._tokens = min(self._burst, self._tokens + self._rate * TICK)
        passed = min(wanted, int(self._tokens))
        self._tokens -= passed
        return passed


class Environments:
    """The environments of one function; ``call`` and ``start`` are seconds."""

    def __init__(self, call: float, start: float, warm: int, ramp: int) -> None:
        self._call, self._start, self._ramp = max(call, 1e-4), start, ramp
        self._warm = warm
        self._starting: deque[tuple[int, int]] = deque()
        self._recent: deque[tuple[int, int]] = deque()
        self._busy = 0

    @property
    def busy(self) -> int:
        """Calls in progress, which the account's concurrency counts, not idle environments."""
        return self._busy + sum(count for _, count in self._starting)

    def serve(self, wanted: int, tick: int, room: int) -> tuple[int, int]:
        """Return the number of accepted calls, and of those that wait for a cold start.

        ``room`` is the account's concurrency without the calls of other functions.
        """
        while self._starting and self._starting[0][0] <= tick:
            self._warm += self._starting.popleft()[1]
        while self._recent and self._recent[0][0] <= tick - round(10 / TICK):
            self._recent.popleft()
        starting = sum(count for _, count in self._starting)
        able = min(self._warm, max(0, room - starting))
        at_once = min(wanted, int(able * TICK / self._call))
        self._busy = math.ceil(at_once * self._call / TICK)
        ramp = self._ramp - sum(count for _, count in self._recent)
        new = max(0, min(wanted - at_once, room - starting - self._busy, ramp))
        if new:
            self._starting.append((tick + round(self._start / TICK), new))
            self._recent.append((tick, new))
        return at_once + new, new


class Writes:
    """The write rate of a table; a batch waits at most ``patience`` seconds."""

    def __init__(self, rate: float, patience: float) -> None:
        self._rate, self._patience, self._free = rate, patience, 0.0

    def grant(self, now: float, rows: int) -> tuple[int, float]:
        """Return the number of rows that are written, and the time of the last."""
        start = max(now, self._free)
        taken = max(0, min(rows, int((now + self._patience - start) * self._rate)))
        self._free = start + taken / self._rate
        return taken, self._free


class Queue:
    """The join queue, oldest message first."""

    def __init__(self) -> None:
        self._parts: deque[Ids] = deque()
        self._hidden: list[tuple[float, int, Ids]] = []
        self._number = 0
        self.length = 0

    def put(self, ids: Ids) -> None:
        """Append messages."""
        if len(ids):
            self._parts.append(ids)
            self.length += len(ids)

    def hide(self, ids: Ids, until: float) -> None:
        """Hide unprocessed messages until their visibility timeout ends."""
        if len(ids):
            self._number += 1
            heapq.heappush(self._hidden, (until, self._number, ids))

    def show(self, now: float) -> None:
        """Append the messages whose visibility timeout has ended."""
        while self._hidden and self._hidden[0][0] <= now:
            self.put(heapq.heappop(self._hidden)[2])

    @property
    def hidden(self) -> int:
        """The number of hidden messages."""
        return sum(len(ids) for _, _, ids in self._hidden)

    def take(self, most: int) -> Ids:
        """Remove and return the oldest messages."""
        taken: list[Ids] = []
        while most and self._parts:
            part = self._parts.popleft()
            if len(part) > most:
                self._parts.appendleft(part[most:])
                part = part[:most]
            taken.append(part)
            most -= len(part)
            self.length -= len(part)
        return np.concatenate(taken) if taken else NOBODY
