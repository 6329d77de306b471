# SPDX-License-Identifier: Apache-2.0
"""An event with everybody in it: joins, workers, pollers, visitors who take tokens, an operator.

Claims live one second and messages come again after two, as 60 s and 180 s do in a deployment.
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

from tests.chaos.observations import Ledger
from tests.support.real_stores import RealRoom
from waiting_room.adapters.redis import counters
from waiting_room.domain.records import Join, Position

COMES_AGAIN = 2.0  # seconds until a message that was not done is delivered again
LONGEST = 240.0  # seconds; a crowd that takes longer hangs


@contextmanager
def quick_claims() -> Iterator[None]:
    """Claims that are old after a second, and rebuilds that are taken over after one."""
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
        """What the worker said of a batch."""
        with self.lock:
            self.under_way -= len(batch)
            self.messages += [(time.monotonic() + COMES_AGAIN, join) for join in again]

    @property
    def empty(self) -> bool:
        """Whether every message is done."""
        with self.lock:
            return not self.messages and not self.under_way


class Crowd:
    """Runs the event; ``actors`` are started beside the usual ones."""

    def __init__(self, real: RealRoom, size: int, seed: int, twice: float = 0.0) -> None:
        self.real, self.size, self.seed = real, size, seed
        self.dice = random.Random(seed)
        self.ledger, self.queue = Ledger(), Deliveries(random.Random(seed + 1), twice)
        self.over = threading.Event()
        self.rows: dict[str, Position] = {}
        self.batch, self.gap = 100, 0.0  # messages of a batch; seconds between arrivals

    def run(self, *actors: Callable[[], None], workers: int = 3, ends: bool = True) -> None:
        """Until every join has its place (``ends``), or an actor ends it."""
        usual = [*[self.work] * workers, self.poll, self.poll, self.visit, self.visit, self.operate]
        with quick_claims():
            threads = [
                threading.Thread(target=self._guarded, args=(actor,), daemon=True)
                for actor in (*usual, self.arrive, *actors)
            ]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + LONGEST
            while ends and not (self.arrived and self.queue.empty and self.actors_are_done):
                if time.monotonic() > deadline:
                    self.ledger.blame("the queue was never done")
                    break
                time.sleep(0.02)
            self.over.set()
            for thread in threads:
                thread.join(60)
                if thread.is_alive():
                    self.ledger.blame("a thread hangs")

    arrived = False
    actors_are_done = True

    def _guarded(self, actor: Callable[[], None]) -> None:
        try:
            actor()
        except Exception as error:
            self.ledger.blame(f"{actor.__name__} died: {type(error).__name__}: {error}")
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
            with self.ledger.lock:
                self.ledger.accepted.update((join.request_id, join) for join in joins)
            self.queue.send(joins)
            time.sleep(self.gap)
            while len(self.queue.messages) > 2_000:
                time.sleep(0.01)
        self.arrived = True

    def work(self) -> None:
        """A worker takes batches, as Lambda hands them to it."""
        room = self.room()
        while not self.over.is_set():
            batch = self.queue.take(self.batch)
            if not batch:
                time.sleep(0.02)
                continue
            answer = self.ledger.ask(
                "assign", lambda batch=batch: room.assignment.assign(self.real.event_id, batch)
            )
            again = (
                batch
                if answer is None or isinstance(answer, Exception)
                else [join for join in batch if join.message_id in answer.retry]
            )
            self.queue.done(batch, again)

    def poll(self) -> None:
        """Somebody who looks at figures and places."""
        room, dice = self.room(), random.Random(self.seed + 2)
        while not self.over.is_set():
            generation, serving = self.ledger.seen()
            counts = self.ledger.ask("status", lambda: room.metrics.counts(self.real.event_id))
            if counts is not None and not isinstance(counts, Exception):
                self.ledger.saw_counts(counts, generation, serving)
            for request_id in self.some(dice, 5):
                row = self.ledger.ask(
                    "queue_num",
                    lambda rid=request_id: room.positions.queue_number(self.real.event_id, rid),
                )
                if isinstance(row, Position):
                    self.ledger.saw_place(row)
                    self.rows[request_id] = row
            time.sleep(0.01)

    def visit(self) -> None:
        """Visitors who know their place ask for their token."""
        room, dice = self.room(), random.Random(self.seed + 3)
        while not self.over.is_set():
            known = list(self.rows.values())
            for row in dice.sample(known, min(len(known), 8)):
                line, _ = self.ledger.seen()
                token = self.ledger.ask(
                    "generate_token",
                    lambda row=row: room.tokens.issue(self.real.event_id, row.request_id),
                )
                if isinstance(token, dict):
                    self.ledger.saw_token(row.request_id, token["access_token"])
                    if row.generation < line:
                        self.ledger.blame(f"a token of line {row.generation} after line {line}")
                    if dice.random() < 0.2:
                        self.ledger.ask(
                            "update_session",
                            lambda row=row: room.sessions.end(
                                self.real.event_id, row.request_id, dice.choice((1, -1))
                            ),
                        )
                        with self.ledger.lock:
                            self.rows.pop(row.request_id, None)
            time.sleep(0.01)

    def operate(self) -> None:
        """An operator raises the counter."""
        room, dice = self.room(), random.Random(self.seed + 4)
        while not self.over.is_set():
            by = dice.randint(1, 40)
            answer = self.ledger.ask(
                "increment",
                lambda by=by: room.control.increment(self.real.event_id, by),
            )
            with self.ledger.lock:
                if isinstance(answer, int):
                    self.ledger.moved += by
                else:
                    self.ledger.doubtful += by
            time.sleep(0.05)

    def some(self, dice: random.Random, count: int) -> list[str]:
        """Some of those who joined."""
        with self.ledger.lock:
            ids = list(self.ledger.accepted)
        return dice.sample(ids, min(count, len(ids)))
