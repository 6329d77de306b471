# SPDX-License-Identifier: Apache-2.0
"""6. Functions whose clocks differ by five minutes, or step; the schedule's clock is right."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import jwt

from tests.chaos.observations import Observations, check
from tests.chaos.report import Result
from tests.chaos.servers import MovedClock, room_at, settle
from tests.support.in_memory_room import ISSUER
from tests.support.real_stores import RealRoom
from waiting_room.authorizer.verifier import Accepted, Expected, verify
from waiting_room.domain.errors import RoomError
from waiting_room.use_cases.room import Room

SKEW = 300  # seconds
PERIOD = 900  # s until a served position expires
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
    dice, observations = random.Random(seed), Observations()
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
        worker, operator, issuer, sweeper = (dice.choice(functions) for _ in range(4))
        sweeper.clock.step = dice.choice(skews)  # it steps
        joins = real.joins(5)
        observations.accepted.update((join.request_id, join) for join in joins)
        worker.room.workers.assignment.assign(real.event_id, joins)
        if minute < minutes // 2:
            before = real.log.read(real.event_id).serving
            after = operator.room.control.increment(real.event_id, 2)
            served.update((position, true()) for position in range(before + 1, after + 1))
        found.cases += 3 + _tokens(real, issuer, observations, dice, found)
        sweeper.room.workers.reconciliation.run(real.event_id, true())
        before = real.log.read(real.event_id)
        state = sweeper.room.workers.expiry_sweep.run(real.event_id, true())
        served.update(
            (position, true()) for position in range(before.serving + 1, state.serving + 1)
        )
        most = max(most, state.serving - before.serving)
        _check_sweep(before.expired_through, state.expired_through, served, true(), found)
        true.step += 60
    observations.doubtful = real.log.read(real.event_id).serving
    found.wrong += _early(served, real)
    settle(real)
    cases = found.cases
    check(real, observations, found)
    found.cases = cases
    found.notes = f"{minutes} minutes, at most {most} admitted by one sweep"
    return found


def _check_sweep(
    first: int, last: int, served: dict[int, float], now: float, found: Result
) -> None:
    """The sweep goes by the earlier clock; the move's own clock may have been behind by SKEW.

    Each position keeps its period, including positions that a sweep admits.
    """
    for position in range(first + 1, last + 1):
        if position in served and now - served[position] < PERIOD - SKEW - 1:
            found.wrong.append(f"position {position} expired after {now - served[position]:.0f} s")


def _early(served: dict[int, float], real: RealRoom) -> list[str]:
    """Return the tokens of positions that were not served."""
    state = real.log.read(real.event_id)
    rows = real.outcomes.in_range(real.event_id, state.generation, 1, state.queue)
    return [
        f"position {row.position} has a token and was never served"
        for row in rows
        if row.is_token and row.position not in served
    ]


def _tokens(
    real: RealRoom, issuer: Function, observations: Observations, dice: random.Random, found: Result
) -> int:
    """Request tokens for some visitors; verify them with the true clock."""
    chosen = dice.sample(list(observations.accepted), min(4, len(observations.accepted)))
    for request_id in chosen:
        try:
            token = issuer.room.tokens.issue(real.event_id, request_id)
        except RoomError:
            continue
        observations.saw_token(request_id, token["access_token"])
        _verify_token(real, token, found)
    return len(chosen)


def _verify_token(real: RealRoom, token: dict[str, Any], found: Result) -> None:
    public = real.keys.load().jwks()["keys"][-1]
    now = real.clock()
    decision = verify(
        token["access_token"], jwt.PyJWK(public), Expected(real.event_id, ISSUER), now
    )
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    accepted = isinstance(decision, Accepted)
    if accepted and not claims["nbf"] <= now + 2 <= claims["exp"] + 2:
        found.wrong.append("a token was accepted outside its validity period")
    if not accepted and claims["nbf"] <= now < claims["exp"]:
        found.wrong.append(f"a valid token was rejected: {decision}")
    if not 0 <= token["expires_in"] <= 3600 + 2 * SKEW:
        found.wrong.append(f"a token expires in {token['expires_in']} s")
