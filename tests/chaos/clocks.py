# SPDX-License-Identifier: Apache-2.0
"""6. Functions whose clocks differ by five minutes, or step; the schedule's clock is right."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import jwt

from tests.chaos.observations import Ledger, check
from tests.chaos.report import Result
from tests.chaos.servers import MovedClock, room_at, settle
from tests.support.in_memory_room import ISSUER
from tests.support.real_stores import RealRoom
from waiting_room.authorizer.verifier import Accepted, Expected, verify
from waiting_room.domain.errors import RoomError
from waiting_room.use_cases.room import Room

SKEW = 300  # seconds
PERIOD = 900  # of a turn
MINUTES = 40  # of an event


@dataclass
class Function:
    """A function with a clock of its own."""

    room: Room
    clock: MovedClock


def function(real: RealRoom, skew: float) -> Function:
    """Another process, ``skew`` seconds ahead of the true time."""
    true = real.clock
    assert isinstance(true, MovedClock)
    clock = Ahead(true, skew)
    real.clock = clock
    made = Function(real.new_room(), clock)
    real.clock = true
    return made


class Ahead(MovedClock):
    """The true clock and a step of its own."""

    def __init__(self, true: MovedClock, skew: float) -> None:
        super().__init__(skew)
        self._true = true

    def __call__(self) -> float:
        return self._true() + self.step


def run(tables_url: str, valkey: Any, *, seed: int, minutes: int = MINUTES) -> Result:
    """An event of ``minutes`` in which every function has another clock, and clocks step."""
    found = Result("clocks: ± 5 min between functions, steps", 0, "calls", seed=seed)
    dice, ledger = random.Random(seed), Ledger()
    real = room_at(
        tables_url, valkey, QUEUE_POSITION_EXPIRY_PERIOD=PERIOD,
        INCR_SVC_ON_QUEUE_POSITION_EXPIRY=True,
    )  # fmt: skip
    true = real.clock
    assert isinstance(true, MovedClock)
    skews = [-SKEW, 0, SKEW, -SKEW, SKEW]
    functions = [function(real, skew) for skew in skews]
    served: dict[int, float] = {}  # position → the true time at which it was first served
    most = 0
    for minute in range(minutes):
        worker, operator, door, sweeper = (dice.choice(functions) for _ in range(4))
        sweeper.clock.step = dice.choice(skews)  # it steps
        joins = real.joins(5)
        ledger.accepted.update((join.request_id, join) for join in joins)
        worker.room.assignment.assign(real.event_id, joins)
        if minute < minutes // 2:
            before = real.log.read(real.event_id).serving
            after = operator.room.control.increment(real.event_id, 2)
            served.update((place, true()) for place in range(before + 1, after + 1))
        found.cases += 3 + _tokens(real, door, ledger, dice, found)
        sweeper.room.reconciliation.run(real.event_id, true())
        before = real.log.read(real.event_id)
        state = sweeper.room.expiry_sweep.run(real.event_id, true())
        served.update((place, true()) for place in range(before.serving + 1, state.serving + 1))
        most = max(most, state.serving - before.serving)
        _check_sweep(before.expired_through, state.expired_through, served, true(), found)
        true.step += 60
    ledger.doubtful = real.log.read(real.event_id).serving
    found.wrong += _early(served, real)
    settle(real)
    cases = found.cases
    check(real, ledger, found)
    found.cases = cases
    found.notes = f"{minutes} minutes, at most {most} let in by one sweep"
    return found


def _check_sweep(
    first: int, last: int, served: dict[int, float], now: float, found: Result
) -> None:
    """The sweep goes by the earlier clock; the move's own clock may have been behind by SKEW.

    So each turn lasts, those let in by a sweep included: there is no stampede.
    """
    for place in range(first + 1, last + 1):
        if place in served and now - served[place] < PERIOD - SKEW - 1:
            found.wrong.append(f"place {place} expired after {now - served[place]:.0f} s")


def _early(served: dict[int, float], real: RealRoom) -> list[str]:
    """Nobody took a token before their turn."""
    state = real.log.read(real.event_id)
    rows = real.outcomes.in_range(real.event_id, state.generation, 1, state.queue)
    return [
        f"place {row.position} has a token and was never served"
        for row in rows
        if row.is_token and row.position not in served
    ]


def _tokens(
    real: RealRoom, door: Function, ledger: Ledger, dice: random.Random, found: Result
) -> int:
    """Some visitors ask for their token; a door with the true clock judges it."""
    asked = dice.sample(list(ledger.accepted), min(4, len(ledger.accepted)))
    for request_id in asked:
        try:
            answer = door.room.tokens.issue(real.event_id, request_id)
        except RoomError:
            continue
        ledger.saw_token(request_id, answer["access_token"])
        _judge(real, answer, found)
    return len(asked)


def _judge(real: RealRoom, answer: dict[str, Any], found: Result) -> None:
    public = real.keys.load().jwks()["keys"][-1]
    now = real.clock()
    decision = verify(
        answer["access_token"], jwt.PyJWK(public), Expected(real.event_id, ISSUER), now
    )
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    accepted = isinstance(decision, Accepted)
    if accepted and not claims["nbf"] <= now + 2 <= claims["exp"] + 2:
        found.wrong.append("a token opened a door outside its time")
    if not accepted and claims["nbf"] <= now < claims["exp"]:
        found.wrong.append(f"a token in its time was refused: {decision}")
    if not 0 <= answer["expires_in"] <= 3600 + 2 * SKEW:
        found.wrong.append(f"a token expires in {answer['expires_in']} s")
