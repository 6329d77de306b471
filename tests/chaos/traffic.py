# SPDX-License-Identifier: Apache-2.0
"""Traffic of an event: joins, workers, polls, token requests and an operator.

A lease lasts 1 s (60 s in a deployment); messages are delivered again after 2 s (180 s).
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.observations import Observations
from tests.support.real_stores import RealRoom
from waiting_room.adapters.redis import counters
from waiting_room.domain.records import Join, Position

REDELIVERY_DELAY = 2.0  # seconds until an unprocessed message is delivered again
LONGEST = 240.0  # seconds; a longer run counts as hanging


@contextmanager
def short_leases() -> Iterator[None]:
    """Set join leases and rebuild leases to one second."""
    before = counters.JOIN_LEASE_LIFE, counters.REBUILD_LIFE
    counters.JOIN_LEASE_LIFE, counters.REBUILD_LIFE = 1, 1_000
    try:
        yield
    finally:
        counters.JOIN_LEASE_LIFE, counters.REBUILD_LIFE = before


@dataclass
class Deliveries:
    """A queue that delivers at least once, in any order; ``twice`` is the share delivered twice."""

    dice: random.Random
    twice: float = 0.0
    messages: list[tuple[float, Join]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    received: dict[str, int] = field(default_factory=dict)

    def send(self, joins: list[Join]) -> None:
        """Put joins into the queue."""
        with self.lock:
            now = time.monotonic()
            self.messages += [(now, join) for join in joins]
            again = [join for join in joins if self.dice.random() < self.twice]
            self.messages += [(now + self.dice.random(), join) for join in again]
            self.dice.shuffle(self.messages)

    def take(self, most: int) -> list[Join]:
        """A batch of messages that are due."""
        with self.lock:
            now = time.monotonic()
            due = [message for message in self.messages if message[0] <= now][:most]
            taken = {id(message) for message in due}
            self.messages = [message for message in self.messages if id(message) not in taken]
            self.under_way += len(due)
            for _, join in due:
                self.received[join.message_id] = self.received.get(join.message_id, 0) + 1
            return [join for _, join in due]

    def done(self, batch: list[Join], again: list[Join]) -> None:
        """Complete a batch; deliver ``again`` later."""
        with self.lock:
            self.under_way -= len(batch)
            self.messages += [(time.monotonic() + REDELIVERY_DELAY, join) for join in again]

    @property
    def empty(self) -> bool:
        """Return whether every message is processed."""
        with self.lock:
            return not self.messages and not self.under_way


class Visitors:
    """Runs the event; ``actors`` are started beside the usual ones."""

    def __init__(self, real: RealRoom, size: int, seed: int, twice: float = 0.0) -> None:
        self.real, self.size, self.seed = real, size, seed
        self.dice = random.Random(seed)
        self.observations, self.queue = Observations(), Deliveries(random.Random(seed + 1), twice)
        self.over = threading.Event()
        self.rows: dict[str, Position] = {}
        self.batch, self.gap = 100, 0.0  # messages of a batch; seconds between arrivals

    def run(self, *actors: Callable[[], None], workers: int = 3, ends: bool = True) -> None:
        """Run until every join has a position (``ends``), or an actor ends the run."""
        usual = [
            *[self.work] * workers,
            self.poll,
            self.poll,
            self.request_tokens,
            self.request_tokens,
            self.operate,
        ]
        with short_leases():
            threads = [
                threading.Thread(target=self._guarded, args=(actor,), daemon=True)
                for actor in (*usual, self.arrive, *actors)
            ]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + LONGEST
            while ends and not (self.arrived and self.queue.empty and self.actors_are_done):
                if time.monotonic() > deadline:
                    self.observations.add_violation("the queue was never done")
                    break
                time.sleep(0.02)
            self.over.set()
            for thread in threads:
                thread.join(60)
                if thread.is_alive():
                    self.observations.add_violation("a thread hangs")

    arrived = False
    actors_are_done = True

    def _guarded(self, actor: Callable[[], None]) -> None:
        try:
            actor()
        except Exception as error:
            self.observations.add_violation(
                f"{actor.__name__} died: {type(error).__name__}: {error}"
            )
            self.actors_are_done = True

    def room(self) -> Any:
        """A room with its own connections, as a function has."""
        return self.real.new_room()

    def arrive(self) -> None:
        """Visitors join."""
        left = self.size
        while left:
            count = min(left, self.dice.randint(1, 200))
            left -= count
            now = self.real.clock()
            joins = [
                Join(str(uuid.uuid4()), now + index / 1e5, str(uuid.uuid4()))
                for index in range(count)
            ]
            with self.observations.lock:
                self.observations.accepted.update((join.request_id, join) for join in joins)
            self.queue.send(joins)
            time.sleep(self.gap)
            while len(self.queue.messages) > 2_000:
                time.sleep(0.01)
        self.arrived = True

    def work(self) -> None:
        """Assign positions to batches, as Lambda invokes the worker."""
        room = self.room()
        while not self.over.is_set():
            batch = self.queue.take(self.batch)
            if not batch:
                time.sleep(0.02)
                continue
            result = self.observations.request(
                "assign",
                lambda batch=batch: room.workers.assignment.assign(self.real.event_id, batch),
            )
            again = (
                batch
                if result is None or isinstance(result, Exception)
                else [join for join in batch if join.message_id in result.retry]
            )
            self.queue.done(batch, again)

    def poll(self) -> None:
        """Poll the status and positions."""
        room, dice = self.room(), random.Random(self.seed + 2)
        while not self.over.is_set():
            generation, serving = self.observations.seen()
            counts = self.observations.request(
                "status", lambda: room.metrics.counts(self.real.event_id)
            )
            if counts is not None and not isinstance(counts, Exception):
                self.observations.saw_counts(counts, generation, serving)
            for request_id in self.some(dice, 5):
                row = self.observations.request(
                    "queue_num",
                    lambda rid=request_id: room.positions.queue_number(self.real.event_id, rid),
                )
                if isinstance(row, Position):
                    self.observations.saw_position(row)
                    self.rows[request_id] = row
            time.sleep(0.01)

    def request_tokens(self) -> None:
        """Request tokens for known positions, and end some sessions."""
        room, dice = self.room(), random.Random(self.seed + 3)
        while not self.over.is_set():
            known = list(self.rows.values())
            for row in dice.sample(known, min(len(known), 8)):
                generation, _ = self.observations.seen()
                token = self.observations.request(
                    "generate_token",
                    lambda row=row: room.tokens.issue(self.real.event_id, row.request_id),
                )
                if isinstance(token, dict):
                    self.observations.saw_token(row.request_id, token["access_token"])
                    if row.generation < generation:
                        self.observations.add_violation(
                            f"a token of generation {row.generation} after {generation}"
                        )
                    if dice.random() < 0.2:
                        self.observations.request(
                            "update_session",
                            lambda row=row: room.sessions.end(
                                self.real.event_id, row.request_id, dice.choice((1, -1))
                            ),
                        )
                        with self.observations.lock:
                            self.rows.pop(row.request_id, None)
            time.sleep(0.01)

    def operate(self) -> None:
        """An operator raises the counter."""
        room, dice = self.room(), random.Random(self.seed + 4)
        while not self.over.is_set():
            by = dice.randint(1, 40)
            result = self.observations.request(
                "increment",
                lambda by=by: room.control.increment(self.real.event_id, by),
            )
            with self.observations.lock:
                if isinstance(result, int):
                    self.observations.moved += by
                else:
                    self.observations.doubtful += by
            time.sleep(0.05)

    def some(self, dice: random.Random, count: int) -> list[str]:
        """Some of those who joined."""
        with self.observations.lock:
            ids = list(self.observations.accepted)
        return dice.sample(ids, min(count, len(ids)))
