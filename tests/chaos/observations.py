# SPDX-License-Identifier: Apache-2.0
"""Responses that visitors and operators got, compared with the tables and counters."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from tests.chaos.report import Result
from tests.support.real_stores import RealRoom
from waiting_room.domain.errors import RoomError, Unavailable
from waiting_room.domain.records import Counts, Join, Outcome, Position


class Observations:
    """All responses of a run, and a sentence for each broken rule; thread-safe."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.accepted: dict[str, Join] = {}
        self.positions: dict[str, tuple[int, int]] = {}
        self.tokens: dict[str, str] = {}
        self.serving: dict[int, int] = defaultdict(int)  # generation → highest value in a response
        self.generation = 0  # the highest in a response
        self.moved = 0  # sum of the acknowledged increments of the generation
        self.doubtful = 0  # sum of the increments with an error response
        self.wrong: list[str] = []
        self.unavailable: list[tuple[float, str]] = []  # time and text of each 503
        self.response_times: list[float] = []  # times of successful status responses

    def add_violation(self, sentence: str) -> None:
        """Record a broken rule."""
        with self.lock:
            self.wrong.append(sentence)

    def request(self, what: str, call: Callable[[], Any]) -> Any:
        """Return the response or the RoomError; None for a 503. Other errors break a rule."""
        try:
            response = call()
        except Unavailable as error:
            with self.lock:
                self.unavailable.append((time.monotonic(), f"{what}: {error}"))
            return None
        except RoomError as error:
            response = error
        except Exception as error:
            self.add_violation(f"{what} returned 500: {type(error).__name__}: {error}")
            return None
        if what == "status":
            with self.lock:
                self.response_times.append(time.monotonic())
        return response

    def saw_position(self, row: Position) -> None:
        """Record a position that a visitor read."""
        with self.lock:
            held = self.positions.setdefault(row.request_id, (row.generation, row.position))
        if held != (row.generation, row.position):
            self.add_violation(
                f"a position changed from {held} to {(row.generation, row.position)}"
            )

    def saw_token(self, request_id: str, token: str) -> None:
        """Record a token that a visitor got."""
        with self.lock:
            held = self.tokens.setdefault(request_id, token)
        if held != token:
            self.add_violation("a second token set for one request")

    def saw_counts(self, counts: Counts, generation: int, serving: int) -> None:
        """Record counts; ``generation`` and ``serving`` were the latest before the request."""
        if counts.generation < generation:
            self.add_violation(f"generation {counts.generation} was returned after {generation}")
        if counts.generation == generation and counts.serving < serving:
            self.add_violation(f"the serving counter fell back from {serving} to {counts.serving}")
        if counts.waiting < 0 or counts.active < 0:
            self.add_violation(f"a negative number: {counts}")
        with self.lock:
            self.generation = max(self.generation, counts.generation)
            seen = self.serving[counts.generation]
            self.serving[counts.generation] = max(seen, counts.serving)

    def seen(self) -> tuple[int, int]:
        """Return the latest generation and its highest serving counter in a response."""
        with self.lock:
            return self.generation, self.serving[self.generation]


def check(real: RealRoom, observations: Observations, found: Result) -> None:
    """Compare tables and counters with the observations, after the reconciliation."""
    event = real.event_id
    state = real.log.read(event)
    ids = list(observations.accepted)
    by_request = real.positions.get_many(event, ids)
    found.cases = found.cases or len(ids)
    found.lost += len(ids) - len(by_request)
    rows = [row for row in by_request.values() if row.position]
    held = Counter((row.generation, row.position) for row in rows)
    found.duplicated += sum(times - 1 for times in held.values())
    for request_id, position in observations.positions.items():
        row = by_request.get(request_id)
        if row is None or (row.generation, row.position) != position:
            observations.add_violation(f"{request_id} saw {position}, the table has {row}")
    outcomes = list(real.outcomes.in_range(event, state.generation, 1, state.queue))
    _check_tokens(observations, by_request, outcomes, state.generation)
    _check_counts(real, observations, rows, outcomes)
    found.wrong += observations.wrong


def _check_tokens(
    observations: Observations, rows: dict[str, Position], outcomes: list[Outcome], generation: int
) -> None:
    by_position = {row.position: row for row in outcomes if row.is_token}
    for request_id in observations.tokens:
        row = rows.get(request_id)
        if row is None:
            observations.add_violation("a token of a request without a position")
        elif row.generation == generation:
            outcome = by_position.get(row.position)
            if outcome is None or outcome.request_id != request_id:
                observations.add_violation(
                    f"the token of position {row.position} is not in the table"
                )
    highest = max(observations.serving[generation], observations.moved + observations.doubtful)
    if any(position > highest for position in by_position):
        observations.add_violation("a token above the serving counter")


def _check_counts(
    real: RealRoom, observations: Observations, rows: list[Position], outcomes: list[Outcome]
) -> None:
    state = real.log.read(real.event_id)
    now = int(real.clock())
    counts = real.new_room().metrics.counts(real.event_id)
    mine = [row for row in rows if row.generation == state.generation]
    tokens = [row for row in outcomes if row.is_token]
    expired = sum(row.position <= state.expired_through for row in mine) - sum(
        row.position <= state.expired_through for row in tokens
    )
    expected = {
        "generation": state.generation,
        "serving": state.serving,
        "queue - holes": len(mine),
        "tokens": len(tokens),
        "expired": expired,
        "waiting": len(mine) - len(tokens) - expired,
        "active": sum(row.is_active(now) for row in tokens),
    }
    returned = {
        "generation": counts.generation,
        "serving": counts.serving,
        "queue - holes": counts.queue - counts.holes,
        "tokens": counts.tokens,
        "expired": counts.expired,
        "waiting": counts.waiting,
        "active": counts.active,
    }
    for name, value in expected.items():
        if returned[name] != value:
            observations.add_violation(f"{name} is {returned[name]}, the rows say {value}")
    highest = observations.serving[state.generation]
    if state.serving < highest:
        observations.add_violation(
            f"the serving counter is {state.serving}, visitors saw {highest}"
        )
    if not observations.moved <= state.serving <= observations.moved + observations.doubtful:
        observations.add_violation(
            f"the serving counter is {state.serving} after {observations.moved} "
            "acknowledged increments"
        )
