# SPDX-License-Identifier: Apache-2.0
"""Simulation of the automatic inlet in memory: visitors, a room, a site, delayed metrics.

It calls the production rule, ``waiting_room.inlet.automatic.decide``. Tests check the control loop
with it; ``make inlet-plots`` plots its runs. Times are in seconds.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from waiting_room.domain.events.alarms import Alarm
from waiting_room.inlet.automatic import ControllerState, Targets, decide, health_signal
from waiting_room.inlet.strategies import RoomMetrics


@dataclass(frozen=True)
class Scenario:
    """The inputs of a run. ``arrivals`` returns visitors per second; ``no_shows`` returns a share.

    ``site`` returns the capacity of the site in active users. If the site is overloaded for
    ``alarm_delay`` s, its alarm holds the inlet.
    """

    arrivals: Callable[[float], float]
    targets: Targets
    length: int = 1800
    no_shows: Callable[[float], float] = lambda _: 0.0
    metrics_delay: float = 0.0
    show_up: float = 10.0
    session: float = 240.0
    tick: float = 10.0
    no_show_after: float = 90.0
    site: Callable[[float], float] | None = None
    alarm_delay: float = 60.0
    seed: int = 1


@dataclass
class Run:
    """The result: one value per second. ``waits`` holds the wait of each served visitor (s)."""

    scenario: Scenario
    active: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    serving: list[int] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    pace: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def per_minute(self) -> list[int]:
        """Return the new users in the minute before each second."""
        return [
            now - (self.tokens[at - 60] if at >= 60 else 0) for at, now in enumerate(self.tokens)
        ]


def simulate(scenario: Scenario) -> Run:
    """Simulate a scenario in steps of a second."""
    room, run = _SimulatedRoom(scenario), Run(scenario)
    flow: ControllerState | None = None
    overloaded_for = 0.0
    for now in range(scenario.length):
        room.second(float(now), run)
        overloaded = scenario.site is not None and room.active > scenario.site(now)
        overloaded_for = overloaded_for + 1 if overloaded else 0.0
        if now % scenario.tick == 0:
            alarm = Alarm.NONE
            if scenario.site is not None:
                alarm = Alarm.ALARM if overloaded_for >= scenario.alarm_delay else Alarm.OK
            decision = decide(
                flow,
                room.delayed_metrics(now),
                scenario.targets,
                health_signal(alarm, True, None, 0.0),
                float(now),
                tick=scenario.tick,
                no_show_after=scenario.no_show_after,
            )
            flow = ControllerState.from_json(decision.state.to_json())  # as stored in its row
            assert flow is not None
            room.open(decision.increment.by, float(now), run)
        run.active.append(room.active)
        run.waiting.append(len(room.waiting))
        run.serving.append(room.serving)
        run.queue.append(room.queue)
        run.tokens.append(room.tokens)
        run.share.append(flow.arrival_share if flow else 1.0)
        run.pace.append(flow.pace if flow else 0.0)
    return run


class _SimulatedRoom:
    """Visitors in the queue, between token and site, and on the site."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._chance = random.Random(scenario.seed)  # nosec B311 - a simulation
        self.waiting: deque[float] = deque()  # when each waiting visitor joined
        self.queue = self.serving = self.tokens = self.active = 0
        self._due: list[tuple[float, str]] = []
        self._history: deque[tuple[float, RoomMetrics]] = deque()
        self._part = 0.0

    def second(self, now: float, run: Run) -> None:
        """Add arrivals and process the events that are due."""
        while self._due and self._due[0][0] <= now:
            at, what = heappop(self._due)
            if what == "comes":
                self.tokens += 1
                self.active += 1
                stay = self._chance.expovariate(1 / self._scenario.session)
                heappush(self._due, (at + stay, "leaves"))
            else:
                self.active -= 1
        for _ in range(self._arriving(self._scenario.arrivals(now))):
            self.queue += 1
            self.waiting.append(now)
        self._serve(now, run)
        self._history.append(
            (now, RoomMetrics(1, self.serving, self.queue, 0, self.tokens, 0, self.active))
        )

    def _arriving(self, rate: float) -> int:
        """Return a Poisson number, from exponential gaps."""
        count, at = 0, self._chance.expovariate(1) if rate > 0 else 1.0
        while rate > 0 and at < rate:
            count, at = count + 1, at + self._chance.expovariate(1)
        return count

    def open(self, positions: int, now: float, run: Run) -> None:
        """Raise the serving counter."""
        self.serving += positions
        self._serve(now, run)

    def _serve(self, now: float, run: Run) -> None:
        while self.waiting and self.queue - len(self.waiting) < self.serving:
            run.waits.append(now - self.waiting.popleft())
            if self._chance.random() >= self._scenario.no_shows(now):
                delay = self._chance.expovariate(1 / self._scenario.show_up)
                heappush(self._due, (now + delay, "comes"))

    def delayed_metrics(self, now: float) -> RoomMetrics:
        """Return the metrics that the inlet reads, delayed by ``metrics_delay``."""
        wanted = now - self._scenario.metrics_delay
        while len(self._history) > 1 and self._history[1][0] <= wanted:
            self._history.popleft()
        return self._history[0][1]
