# SPDX-License-Identifier: Apache-2.0
"""What visitors and operators were told, and whether the tables and counters agree with it."""

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


class Ledger:
    """Everything that was answered. Safe for threads; what breaks a rule is kept as a sentence."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.accepted: dict[str, Join] = {}
        self.places: dict[str, tuple[int, int]] = {}
        self.tokens: dict[str, str] = {}
        self.serving: dict[int, int] = defaultdict(int)  # generation → highest that anybody saw
        self.generation = 0  # the highest that anybody saw
        self.moved = 0  # sum of the acknowledged increments of the generation
        self.doubtful = 0  # sum of those that were answered with an error
        self.wrong: list[str] = []
        self.refusals: list[tuple[float, str]] = []  # when a 503 was answered
        self.answers: list[float] = []  # when somebody was told the figures

    def blame(self, sentence: str) -> None:
        """Keep what broke a rule."""
        with self.lock:
            self.wrong.append(sentence)

    def ask(self, what: str, call: Callable[[], Any]) -> Any:
        """The answer, the RoomError that says no, None for a 503; another error breaks a rule."""
        try:
            answer = call()
        except Unavailable as error:
            with self.lock:
                self.refusals.append((time.monotonic(), f"{what}: {error}"))
            return None
        except RoomError as error:
            answer = error
        except Exception as error:
            self.blame(f"{what} answered 500: {type(error).__name__}: {error}")
            return None
        if what == "status":
            with self.lock:
                self.answers.append(time.monotonic())
        return answer

    def saw_place(self, row: Position) -> None:
        """A visitor read a position."""
        with self.lock:
            held = self.places.setdefault(row.request_id, (row.generation, row.position))
        if held != (row.generation, row.position):
            self.blame(f"a position changed from {held} to {(row.generation, row.position)}")

    def saw_token(self, request_id: str, token: str) -> None:
        """A visitor got a token."""
        with self.lock:
            held = self.tokens.setdefault(request_id, token)
        if held != token:
            self.blame("a second token set for one request")

    def saw_counts(self, counts: Counts, generation: int, serving: int) -> None:
        """Somebody read the figures; the others are what was seen before that question."""
        if counts.generation < generation:
            self.blame(f"line {counts.generation} was answered after line {generation}")
        if counts.generation == generation and counts.serving < serving:
            self.blame(f"the serving counter fell back from {serving} to {counts.serving}")
        if counts.waiting < 0 or counts.active < 0:
            self.blame(f"a figure below nothing: {counts}")
        with self.lock:
            self.generation = max(self.generation, counts.generation)
            seen = self.serving[counts.generation]
            self.serving[counts.generation] = max(seen, counts.serving)

    def seen(self) -> tuple[int, int]:
        """The latest line, and the highest serving counter that anybody saw there."""
        with self.lock:
            return self.generation, self.serving[self.generation]


def check(real: RealRoom, ledger: Ledger, found: Result) -> None:
    """Hold the tables and the counters to the ledger, once the holes are known."""
    event = real.event_id
    state = real.log.read(event)
    ids = list(ledger.accepted)
    by_request = real.positions.get_many(event, ids)
    found.cases = found.cases or len(ids)
    found.lost += len(ids) - len(by_request)
    rows = [row for row in by_request.values() if row.position]
    held = Counter((row.generation, row.position) for row in rows)
    found.duplicated += sum(times - 1 for times in held.values())
    for request_id, place in ledger.places.items():
        row = by_request.get(request_id)
        if row is None or (row.generation, row.position) != place:
            ledger.blame(f"{request_id} saw {place}, the table has {row}")
    outcomes = list(real.outcomes.in_range(event, state.generation, 1, state.queue))
    _check_tokens(ledger, by_request, outcomes, state.generation)
    _check_figures(real, ledger, rows, outcomes)
    found.wrong += ledger.wrong


def _check_tokens(
    ledger: Ledger, rows: dict[str, Position], outcomes: list[Outcome], generation: int
) -> None:
    by_place = {row.position: row for row in outcomes if row.is_token}
    for request_id in ledger.tokens:
        row = rows.get(request_id)
        if row is None:
            ledger.blame("a token of a request without a place")
        elif row.generation == generation:
            outcome = by_place.get(row.position)
            if outcome is None or outcome.request_id != request_id:
                ledger.blame(f"the token of place {row.position} is not in the table")
    highest = max(ledger.serving[generation], ledger.moved + ledger.doubtful)
    if any(position > highest for position in by_place):
        ledger.blame("a token above the serving counter")


def _check_figures(
    real: RealRoom, ledger: Ledger, rows: list[Position], outcomes: list[Outcome]
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
    answered = {
        "generation": counts.generation,
        "serving": counts.serving,
        "queue - holes": counts.queue - counts.holes,
        "tokens": counts.tokens,
        "expired": counts.expired,
        "waiting": counts.waiting,
        "active": counts.active,
    }
    for name, value in expected.items():
        if answered[name] != value:
            ledger.blame(f"{name} is answered {answered[name]}, the rows say {value}")
    highest = ledger.serving[state.generation]
    if state.serving < highest:
        ledger.blame(f"the serving counter is {state.serving}, visitors saw {highest}")
    if not ledger.moved <= state.serving <= ledger.moved + ledger.doubtful:
        ledger.blame(
            f"the serving counter is {state.serving} after {ledger.moved} acknowledged increments"
        )
