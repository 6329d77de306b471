# SPDX-License-Identifier: Apache-2.0
"""Simulation of automatic admission in memory: visitors, a room and a site.

It calls the production rule, ``waiting_room.domain.events.admission.step``, as the workers do:
every ten seconds while visitors wait, and at once when a visitor joins an event without a queue.
Tests check the rule with it; ``make admission-plots`` plots its runs. Times are in seconds.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from waiting_room.domain.events.admission import AdmissionState, seconds_until_step, step
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.brake import health_signal
from waiting_room.domain.records import Counts

# the defaults of the document
ADMISSION = {
    "strategy": "manual",
    "per_minute": 600,
    "max_active": 1000,
    "burst": None,
    "min_per_minute": 0,
    "no_show_after": 90,
    "alarm": None,
    "on_insufficient_data": "go",
}


def admission(strategy: str, **members: Any) -> dict[str, Any]:
    """Return the admission of a document; members that are not given have their defaults."""
    return {**ADMISSION, "strategy": strategy, **members}


@dataclass(frozen=True)
class Scenario:
    """The inputs of a run. ``arrivals`` returns visitors per second; ``no_shows`` returns a share.

    ``site`` returns the capacity of the site in active users. If the site is overloaded for
    ``alarm_delay`` s, its alarm is in ALARM. A step reads the tokens and active users of ``lag`` s
    before, as with counters in DynamoDB.
    """

    arrivals: Callable[[float], float]
    admission: Mapping[str, Any]
    length: int = 1800
    no_shows: Callable[[float], float] = lambda _: 0.0
    show_up: float = 10.0
    session: float = 240.0
    site: Callable[[float], float] | None = None
    alarm_delay: float = 60.0
    lag: int = 0
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
    brake: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def per_minute(self) -> list[int]:
        """Return the tokens requested in the minute before each second."""
        return _of_a_minute(self.tokens)

    def admitted_per_minute(self) -> list[int]:
        """Return the positions admitted in the minute before each second."""
        return _of_a_minute(self.serving)


def _of_a_minute(totals: list[int]) -> list[int]:
    return [now - (totals[at - 60] if at >= 60 else 0) for at, now in enumerate(totals)]


def simulate(scenario: Scenario) -> Run:
    """Simulate a scenario in steps of a second."""
    room, run = _SimulatedRoom(scenario), Run(scenario)
    state: AdmissionState | None = None
    overloaded_for = 0.0
    for now in range(scenario.length):
        room.second(float(now), run)
        overloaded = scenario.site is not None and room.active > scenario.site(now)
        overloaded_for = overloaded_for + 1 if overloaded else 0.0
        if room.waiting and not seconds_until_step(state, float(now)):
            alarm = Alarm.NONE
            if scenario.site is not None:
                alarm = Alarm.ALARM if overloaded_for >= scenario.alarm_delay else Alarm.OK
            signal = health_signal(alarm, True, None, 0.0)
            done = step(scenario.admission, state, room.counts(), signal, float(now))
            state = AdmissionState.from_json(done.state.to_json())  # as it is stored
            assert state is not None
            room.admit(done.increment, float(now), run)
        run.active.append(room.active)
        run.waiting.append(len(room.waiting))
        run.serving.append(room.serving)
        run.queue.append(room.queue)
        run.tokens.append(room.tokens)
        run.share.append(state.no_shows.arrival_share if state else 1.0)
        run.brake.append(state.brake if state else 1.0)
    return run


class _SimulatedRoom:
    """Visitors in the queue, between token and site, and on the site."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._chance = random.Random(scenario.seed)  # nosec B311 - a simulation
        self.waiting: deque[float] = deque()  # when each waiting visitor joined
        self.queue = self.serving = self.tokens = self.active = 0
        self._counted: deque[tuple[int, int]] = deque(maxlen=scenario.lag + 1)
        self._due: list[tuple[float, str]] = []

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
        self._counted.append((self.tokens, self.active))
        for _ in range(self._arriving(self._scenario.arrivals(now))):
            self.queue += 1
            self.waiting.append(now)
        self._serve(now, run)

    def _arriving(self, rate: float) -> int:
        """Return a Poisson number, from exponential gaps."""
        count, at = 0, self._chance.expovariate(1) if rate > 0 else 1.0
        while rate > 0 and at < rate:
            count, at = count + 1, at + self._chance.expovariate(1)
        return count

    def admit(self, positions: int, now: float, run: Run) -> None:
        """Raise the serving counter."""
        self.serving += positions
        self._serve(now, run)

    def _serve(self, now: float, run: Run) -> None:
        while self.waiting and self.queue - len(self.waiting) < self.serving:
            run.waits.append(now - self.waiting.popleft())
            if self._chance.random() >= self._scenario.no_shows(now):
                delay = self._chance.expovariate(1 / self._scenario.show_up)
                heappush(self._due, (now + delay, "comes"))

    def counts(self) -> Counts:
        """Return the counts that a step reads."""
        tokens, active = self._counted[0]
        return Counts(
            generation=1,
            queue=self.queue,
            serving=self.serving,
            holes=0,
            tokens=tokens,
            expired=0,
            active=active,
            completed=0,
            abandoned=0,
            admitted_recently=0,
            admitting_since=0,
        )
