# SPDX-License-Identifier: Apache-2.0
"""Simulation of each visitor: join, request of the position, token when the position is served.

Requests that API Gateway or Lambda throttle are repeated like on the waiting page. Polls of
``/status`` load only the edge; ``edge_polls`` computes them afterwards for a sample of visitors.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deployment.capacity.operations import Operations
from deployment.capacity.parts import TICK, Environments, EventHeap, Ids, Queue, Times, TokenBucket
from deployment.capacity.plan import Limits, Plan
from deployment.capacity.quotas import Assumptions
from deployment.capacity.workers import Workers
from deployment.visitor_model.arrivals import CURVES, arrival_times
from deployment.visitor_model.polling import (
    AFTER_STEP,
    RETRY_SPREAD,
    SPREAD,
    STEP_SPREAD,
    ask_after,
    next_poll,
    retry_after,
)
from waiting_room.domain.limits import SHORTEST_RATE

API_MEMORY = 1024  # MB of each function of the public API
EDGE_SECONDS = 1.0  # maximum age of a response of /status
CALLS_PER_CONCURRENCY = 10  # Lambda's requests/s quota of a function, per unit of concurrency
NEVER = np.inf
FOLLOWED = 1_000  # visitors of the sample whose polls are simulated
MOST_TRIES = 40  # number of precomputed waits
GIVE_UP = 24 * 3600.0  # s; the simulation stops then, even if visitors remain
Act = Callable[[Ids, Times], None]
KINDS = ("join", "ask", "token")
SERIES = (*KINDS, "refused_by_api", "refused_by_lambda", "rows", "backlog", "batches", "functions")


@dataclass
class Outcome:
    """The result of a run. Times in seconds from the first arrival, one for each visitor."""

    plan: Plan
    limits: Limits
    arrived: Times
    joined: Times
    placed: Times
    learned: Times
    admitted: Times
    position: Ids
    holes: int
    batches: int
    busy_seconds: float
    # per second; of the last four the maximum
    series: dict[str, Times] = field(default_factory=dict)

    @property
    def to_position(self) -> Times:
        """Seconds from arrival to position of each visitor."""
        return self.learned - self.arrived


class Simulation:
    """One run; deterministic for a seed."""

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        operations: Operations,
        assumed: Assumptions,
        seed: int = 1,
    ) -> None:
        self._plan, self._limits, self._assumed = plan, limits, assumed
        self._random = np.random.default_rng(seed)
        count = plan.visitors
        self.arrived = np.array(arrival_times(CURVES[plan.curve], count, plan.seconds))
        self._joined, self._learned, self._admitted = (np.full(count, NEVER) for _ in range(3))
        self._asked, self._refused = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._queue = Queue()
        self._workers = Workers(limits, operations, assumed, np.full(count, NEVER))
        self._bucket = TokenBucket(limits.api_rate, limits.api_burst)
        start = assumed.cold_start_ms / 1000
        self._functions = {
            kind: Environments(
                operations[name].duration_ms(API_MEMORY, assumed) / 1000,
                start,
                limits.warm,
                limits.lambda_ramp,
            )
            for kind, name in (("ask", "queue_num"), ("token", "token"))
        }
        self._due = {kind: EventHeap() for kind in KINDS}
        self._due["join"].add(np.arange(count), self.arrived)
        self._waits = np.array([ask_after(i) for i in range(MOST_TRIES)])
        self._retries = np.array([retry_after(i) for i in range(MOST_TRIES)])
        self._ticks: list[tuple[int, ...]] = []

    def run(self) -> Outcome:
        """Run until every visitor has a position; then add the other tokens in one step."""
        tick = 0
        while self._busy() and tick * TICK < GIVE_UP:
            self._ticks.append(self._tick(tick))
            tick += 1
        self._rest_of_the_tokens()
        return Outcome(
            self._plan,
            self._limits,
            self.arrived,
            self._joined,
            self._workers.placed,
            self._learned,
            self._admitted,
            self._workers.position,
            self._workers.holes,
            self._workers.batches,
            self._workers.busy_seconds,
            self._per_second(),
        )

    def _busy(self) -> bool:
        queue = self._queue
        return bool(
            self._due["join"].waiting or self._due["ask"].waiting or queue.length or queue.hidden
        )

    def _tick(self, tick: int) -> tuple[int, ...]:
        now = tick * TICK
        due = {kind: self._due[kind].take(tick) for kind in KINDS}
        offered = [len(due[kind]) for kind in KINDS]
        passed, by_api = self._at_the_gate(due, now)
        rows = self._workers.run(self._queue, now)
        self._join(passed["join"], now)
        by_lambda = 0
        for kind, act in (("ask", self._ask), ("token", self._token)):
            by_lambda += self._call(kind, passed[kind], tick, act)
        functions = sum(one.busy for one in self._functions.values())
        return (
            *offered,
            by_api,
            by_lambda,
            rows,
            self._queue.length + self._queue.hidden,
            self._workers.count,
            functions,
        )

    def _at_the_gate(self, due: dict[str, Ids], now: float) -> tuple[dict[str, Ids], int]:
        """Pass the requests that the bucket allows, chosen at random; the others are repeated."""
        wanted = sum(len(ids) for ids in due.values())
        allowed = self._bucket.take(wanted)
        if allowed == wanted:
            return due, 0
        kinds = np.repeat(np.arange(len(KINDS)), [len(due[kind]) for kind in KINDS])
        everybody = np.concatenate([due[kind] for kind in KINDS])
        lucky = np.zeros(wanted, dtype=bool)
        lucky[self._random.permutation(wanted)[:allowed]] = True
        passed = {}
        for index, kind in enumerate(KINDS):
            passed[kind] = everybody[lucky & (kinds == index)]
            self._refuse(kind, everybody[~lucky & (kinds == index)], now)
        return passed, wanted - allowed

    def _refuse(self, kind: str, ids: Ids, now: float) -> None:
        waits = self._retries[np.minimum(self._refused[ids], MOST_TRIES - 1)]
        self._refused[ids] += 1
        self._due[kind].add(ids, now + self._spread(waits, RETRY_SPREAD))

    def _spread(self, waits: Times, by: float = SPREAD) -> Times:
        spread: Times = waits * (1 + by * (2 * self._random.random(len(waits)) - 1))
        return spread

    def _join(self, ids: Ids, now: float) -> None:
        self._joined[ids] = now
        self._refused[ids] = 0
        self._queue.put(ids)
        self._due["ask"].add(ids, now + self._spread(np.full(len(ids), self._waits[0])))

    def _call(self, kind: str, ids: Ids, tick: int, act: Act) -> int:
        """Call a function; return the number of throttled calls."""
        others = sum(one.busy for name, one in self._functions.items() if name != kind)
        room = (
            self._limits.lambda_concurrency - min(self._workers.count, self._queue.length) - others
        )
        wanted = min(len(ids), int(CALLS_PER_CONCURRENCY * self._limits.lambda_concurrency * TICK))
        taken, late = self._functions[kind].serve(wanted, tick, room)
        if taken < len(ids):
            ids = self._random.permutation(ids)
            self._refuse(kind, ids[taken:], tick * TICK)
        answered = np.full(taken, tick * TICK)
        answered[taken - late :] += self._assumed.cold_start_ms / 1000
        self._refused[ids[:taken]] = 0
        act(ids[:taken], answered)
        return len(ids) - taken

    def _ask(self, ids: Ids, at: Times) -> None:
        known = self._workers.placed[ids] <= at
        lucky, others = ids[known], ids[~known]
        self._learned[lucky] = at[known]
        self._due["token"].add(lucky, self._turn(lucky))
        self._asked[others] += 1
        waits = self._waits[np.minimum(self._asked[others], MOST_TRIES - 1)]
        self._due["ask"].add(others, at[~known] + self._spread(waits))

    def _turn(self, ids: Ids) -> Times:
        """Return the times at which pages find their position served, just after a step."""
        plan = self._plan
        size = plan.admission_per_minute * plan.admission_every / 60
        steps = np.ceil(self._workers.position[ids] / size - 1e-9)
        turn = plan.admission_after + steps * plan.admission_every
        delay = AFTER_STEP + self._random.random(len(ids)) * STEP_SPREAD
        noticed: Times = np.maximum(self._learned[ids], turn) + delay
        return noticed

    def _token(self, ids: Ids, at: Times) -> None:
        self._admitted[ids] = at

    def _rest_of_the_tokens(self) -> None:
        """Add the tokens after all positions are known; nothing delays them then."""
        rest = np.flatnonzero(np.isfinite(self._learned) & ~np.isfinite(self._admitted))
        self._admitted[rest] = self._turn(rest)

    def _per_second(self) -> dict[str, Times]:
        ticks = round(1 / TICK)
        rows = np.array(self._ticks, dtype=np.float64).reshape(-1, len(SERIES))
        rows = np.vstack([rows, np.zeros((-len(rows) % ticks, len(SERIES)))])
        seconds = rows.reshape(-1, ticks, len(SERIES))
        summed, most = seconds.sum(axis=1), seconds.max(axis=1)
        counts = SERIES[: SERIES.index("backlog")]
        return {
            name: (summed if name in counts else most)[:, index]
            for index, name in enumerate(SERIES)
        }


def edge_polls(outcome: Outcome) -> Times:
    """Return the polls of ``/status`` per second until the last token, from a sample."""
    plan, there = outcome.plan, np.flatnonzero(np.isfinite(outcome.admitted))
    last = int(np.max(outcome.admitted[there], initial=0)) + 1
    polls = np.zeros(last + 1)
    if not len(there):
        return polls
    chance = random.Random(len(there))  # nosec B311 - a simulated choice
    by_position = there[np.argsort(outcome.position[there])]
    followed = by_position[:: max(1, len(by_position) // FOLLOWED)]
    weight = len(there) / len(followed)
    for visitor in followed.tolist():
        position, at = int(outcome.position[visitor]), float(outcome.learned[visitor])
        idle = 0
        while True:
            polls[min(last, int(at))] += weight
            status = status_of(plan, at - EDGE_SECONDS * chance.random())
            ahead = position - status["serving_counter"]
            if ahead <= 0:
                break
            at += next_poll(ahead, status, chance.random(), idle)
            idle = idle + 1 if status["moved_at"] is None else 0
    return polls


def status_of(plan: Plan, now: float) -> dict[str, Any]:
    """Return the members of ``/status`` that set the polls; all steps have the same size."""
    steps = max(0, math.floor((now - plan.admission_after) / plan.admission_every))
    size = plan.admission_per_minute * plan.admission_every / 60
    moved_at = plan.admission_after + steps * plan.admission_every
    # one move counts over a minute: the time of the next is unknown
    rates = (0.0, size * 60 / SHORTEST_RATE, plan.admission_per_minute)
    return {
        "serving_counter": math.floor(steps * size + 1e-6),
        "now": now,
        "optimistic_rate_per_minute": rates[min(steps, 2)],
        "moved_at": moved_at if steps else None,
        "first_moved_at": plan.admission_after + plan.admission_every if steps else None,
        "every": plan.admission_every if steps > 1 else None,
    }
