# SPDX-License-Identifier: Apache-2.0
"""The automatic inlet: a closed loop that fills the site up to its targets and not above.

It knows four kinds of people by the metrics of the room: the *active* (a token that lives), those
*on their way* (served, no token yet), *open places* (served ahead of the line, so that an arrival
goes straight through), and *no-shows* (served ``no_show_after`` seconds ago and still no token).
What share of the served comes at all is learnt from how groups served together ended, and starts
with everybody, so the loop errs on the side of too few. ``docs/inlets.md`` explains and plots it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from waiting_room.inlet.strategies import (
    NO_DATA,
    Alarm,
    IncrementDecision,
    RoomMetrics,
    alarm_hold_reason,
)

MINUTE = 60.0
OWN_MOVE_SECONDS = 60.0  # s that an own move outweighs metrics which do not show it yet
LAG_HALF_LIFE = 300.0  # s in which a measured lag is believed half as much
AHEAD_TICKS = 2.0  # places open ahead of the line: what the pace lets in during two ticks
LATE_TICKS = 1.5  # a late tick makes up for half a tick at most: missed ticks do not lump
PRIOR_SIZE = 20.0  # the show-up share starts as if 20 of 20 had come
SAMPLE_SIZE = 1_000.0  # and weighs the last 1,000 or so
MIN_SHARE = 0.1  # a place is given on at most ten times
ARRIVAL_MEANS = 4.0  # mean times to come within no_show_after: e⁻⁴ come later
SAFETY_DEVIATIONS = 1.0  # standard deviations of chance kept free below the target
PACE_HALF_LIFE = 30.0  # s in which the pace halves while the site is unwell
RECOVERY_SECONDS = 300.0  # s from the lowest to the highest pace once it is well
REPORT_SECONDS = 120.0  # s that a report of the site holds; then its silence counts as unwell


class Health(StrEnum):
    """What is known about the site."""

    NOT_REPORTED = "absent"  # nobody tells: the highest pace
    HEALTHY = "good"
    UNHEALTHY = "poor"
    UNKNOWN = "unknown"  # keep the pace, neither down nor up


@dataclass(frozen=True, slots=True)
class Signal:
    """The health signal; ``ceiling`` (0 to 1) is the share of the span of paces allowed at all."""

    health: Health = Health.NOT_REPORTED
    ceiling: float = 1.0


@dataclass(frozen=True, slots=True)
class Targets:
    """People active at once, new people per minute, and the pace that even an unwell site gets."""

    active: int
    per_minute: int
    min_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Positions served together: how many, how many of them came (estimated), since when.

    One that stood before the loop started teaches nothing.
    """

    at: float
    size: float
    arrived: float = 0.0
    is_sample: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """An own move of the serving counter: to where, and when."""

    to: int
    at: float


@dataclass(frozen=True, slots=True)
class ControllerState:
    """What the loop remembers between ticks."""

    generation: int
    at: float
    reached: int  # positions that exist and are served
    tokens: int
    pace: float  # people per minute
    credit: float  # places that the pace has earned and nobody got yet
    groups: tuple[Group, ...] = ()
    arrived: float = PRIOR_SIZE
    expected: float = PRIOR_SIZE
    moves: tuple[Move, ...] = ()  # own moves of the last minute
    lag: float = 0.0  # s that the metrics are late, as own moves show

    @property
    def arrival_share(self) -> float:
        """The share of the served that comes."""
        return min(1.0, max(MIN_SHARE, self.arrived / self.expected))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, memory: Mapping[str, Any]) -> ControllerState | None:
        """What ``to_json`` made; None for anything else, so that a bad row starts anew."""
        try:
            groups = tuple(Group(**group) for group in memory["groups"])
            moves = tuple(Move(**move) for move in memory["moves"])
            return cls(**{**memory, "groups": groups, "moves": moves})
        except (KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to open now, and what to remember."""

    increment: IncrementDecision
    state: ControllerState


def health_signal(
    alarm: Alarm, go_on_insufficient_data: bool, reported: float | None, age: float
) -> Signal:
    """One signal from an alarm and from what the site reported ``age`` seconds ago; worst wins."""
    silent = alarm is Alarm.NONE and reported is None
    health, ceiling = Health.NOT_REPORTED if silent else Health.HEALTHY, 1.0
    if alarm in NO_DATA:
        health = Health.HEALTHY if go_on_insufficient_data else Health.UNKNOWN
    elif alarm_hold_reason(alarm, go_on_insufficient_data):
        health = Health.UNHEALTHY
    if reported is not None:
        if age > REPORT_SECONDS:
            health = Health.UNHEALTHY
        else:
            ceiling = min(1.0, max(0.0, reported))
    return Signal(health, ceiling)


def decide(
    state: ControllerState | None,
    metrics: RoomMetrics,
    targets: Targets,
    health: Signal,
    now: float,
    *,
    tick: float,
    no_show_after: float,
) -> Decision:
    """What to open at ``now``, ticking every ``tick`` seconds. ``state`` is None at the start."""
    state = _start_state(state, metrics, targets, health, now, tick)
    elapsed = min(max(0.0, now - state.at), LATE_TICKS * tick)
    state = _measure_lag(state, metrics, now, elapsed)
    serving = max([metrics.serving, *(move.to for move in state.moves)])
    state = _observe(state, metrics, serving, now, no_show_after)
    state = replace(state, pace=_next_pace(state.pace, targets, health, elapsed))
    per_tick = state.pace / state.arrival_share * tick / MINUTE
    head = max(1.0, AHEAD_TICKS * per_tick) if state.pace else 0.0
    credit = min(head, state.credit + per_tick * elapsed / tick)
    opened = max(0, serving - metrics.queue)
    expected_arrivals = _expected_arrivals(state, now - state.lag, no_show_after)
    limits = (
        (
            _free_capacity(state, metrics, targets, opened, expected_arrivals),
            _capacity_reason(state, metrics, targets, opened, expected_arrivals),
        ),
        (metrics.queue + math.ceil(head) - serving, "nobody waits: straight through"),
        (
            math.floor(min(credit, _minute_budget(state, opened, now, tick))),
            f"slowed to {state.pace:.0f}/min: the site is unwell"
            if health.health is Health.UNHEALTHY
            else f"{state.pace:.0f}/min, {state.arrival_share:.0%} of those called arrive",
        ),
    )
    increment, reason = min(limits, key=lambda limit: limit[0])
    increment = max(0, increment)
    return Decision(
        IncrementDecision(increment, reason),
        _next_state(replace(state, credit=credit - increment), metrics, serving, increment, now),
    )


def _start_state(
    state: ControllerState | None,
    metrics: RoomMetrics,
    targets: Targets,
    health: Signal,
    now: float,
    tick: float,
) -> ControllerState:
    if state is not None and state.generation == metrics.generation:
        return state
    reached = _served_positions(metrics, metrics.serving)
    pending = max(0, reached - metrics.tokens - metrics.expired)
    fresh = ControllerState(
        generation=metrics.generation,
        at=now - tick,
        reached=reached,
        tokens=metrics.tokens,
        pace=float(
            targets.min_per_minute if health.health is Health.UNHEALTHY else targets.per_minute
        ),
        credit=0.0,
        groups=(Group(now, pending, is_sample=False),) if pending else (),
    )
    if state is None:
        return fresh
    return replace(fresh, pace=state.pace, arrived=state.arrived, expected=state.expected)


def _measure_lag(
    state: ControllerState, metrics: RoomMetrics, now: float, elapsed: float
) -> ControllerState:
    """An own move that the metrics do not show yet tells how late they are."""
    moves = tuple(move for move in state.moves if now - move.at < OWN_MOVE_SECONDS)
    unseen = (now - move.at for move in moves if move.to > metrics.serving)
    lag = max([*unseen, state.lag * 0.5 ** (elapsed / LAG_HALF_LIFE)])
    return replace(state, moves=moves, lag=lag if lag >= 1 else 0.0)


def _served_positions(metrics: RoomMetrics, serving: int) -> int:
    return max(0, min(serving, metrics.queue) - metrics.holes)


def _observe(
    state: ControllerState, metrics: RoomMetrics, serving: int, now: float, no_show_after: float
) -> ControllerState:
    """Bring groups and the learnt share up to the metrics."""
    state = _serve_up_to(state, _served_positions(metrics, serving), now)
    told = now - state.lag
    groups = _attribute_tokens(
        state.groups, max(0, metrics.tokens - state.tokens), told, no_show_after
    )
    ended = [group for group in groups if told - group.at >= no_show_after]
    arrived, expected = state.arrived, state.expected
    for group in ended:
        if group.is_sample:
            keep = max(0.0, 1 - group.size / SAMPLE_SIZE) if expected > SAMPLE_SIZE else 1.0
            arrived, expected = arrived * keep + group.arrived, expected * keep + group.size
    return replace(
        state,
        tokens=max(metrics.tokens, state.tokens),
        groups=tuple(group for group in groups if told - group.at < no_show_after),
        arrived=arrived,
        expected=expected,
    )


def _serve_up_to(state: ControllerState, reached: int, now: float) -> ControllerState:
    """Note that the served line now ends at ``reached``; moved back, the latest groups shrink."""
    groups = list(state.groups)
    more = float(reached - state.reached)
    if more > 0:
        groups.append(Group(now, more))
    for index in range(len(groups) - 1, -1, -1):
        if more >= 0:
            break
        cut = min(-more, groups[index].size - groups[index].arrived)
        groups[index] = replace(groups[index], size=groups[index].size - cut)
        more += cut
    return replace(state, reached=reached, groups=tuple(one for one in groups if one.size > 0))


def _attribute_tokens(
    groups: tuple[Group, ...], tokens: int, told: float, no_show_after: float
) -> tuple[Group, ...]:
    """Tokens do not tell their group: spread them by how many each misses and how old it is.

    ``told`` is the moment that the metrics tell of; groups after it have no tokens among them.
    """
    weights = [
        (one.size - one.arrived) * _late_share(one, told, no_show_after) if one.at <= told else 0.0
        for one in groups
    ]
    total, left = sum(weights), float(tokens)
    if left <= 0 or total <= 0:
        return groups
    part = left / total
    return tuple(
        replace(one, arrived=min(one.size, one.arrived + weight * part))
        for one, weight in zip(groups, weights, strict=True)
    )


def _late_share(group: Group, told: float, no_show_after: float) -> float:
    """The share of those who come that has not come at this age: exponential, so that 98 % have
    come by ``no_show_after``."""
    return math.exp(-ARRIVAL_MEANS * max(0.0, told - group.at) / no_show_after)


def _next_pace(pace: float, targets: Targets, health: Signal, elapsed: float) -> float:
    low, high = float(targets.min_per_minute), float(targets.per_minute)
    if health.health is Health.UNHEALTHY:
        pace *= 0.5 ** (elapsed / PACE_HALF_LIFE)
        pace = 0.0 if pace < 0.5 else pace
    elif health.health is Health.NOT_REPORTED:
        pace = high
    elif health.health is Health.HEALTHY:
        pace += (high - low) * elapsed / RECOVERY_SECONDS
    return max(low, min(pace, low + (high - low) * health.ceiling))


def _expected_arrivals(state: ControllerState, told: float, no_show_after: float) -> float:
    """How many of those on their way are still to come, by Bayes: missing at its age, a visitor of
    a young group is late, one of an old group is probably a no-show."""
    total = 0.0
    for group in state.groups:
        late = state.arrival_share * _late_share(group, told, no_show_after)
        total += (group.size - group.arrived) * late / (1 - state.arrival_share + late)
    return total


def _free_capacity(
    state: ControllerState,
    metrics: RoomMetrics,
    targets: Targets,
    opened: int,
    expected_arrivals: float,
) -> int:
    """Places to open so that the active stay at the target or below, whatever chance does.

    Of n served about share × n come, give or take ``CAUTION`` standard deviations; that much must
    fit. So it always does when there is room even if everybody comes.
    """
    free = targets.active - metrics.active
    if free <= 0:
        return 0
    pending = sum(group.size - group.arrived for group in state.groups)
    certain = math.floor(free - pending - opened)
    spread = SAFETY_DEVIATIONS * math.sqrt(1 - state.arrival_share)
    most = ((math.sqrt(spread * spread + 4 * free) - spread) / 2) ** 2
    likely = math.floor((most - expected_arrivals) / state.arrival_share - opened)
    return max(certain, likely)


def _minute_budget(state: ControllerState, opened: int, now: float, tick: float) -> float:
    """Places that may still be opened within any minute at this pace."""
    since = now - MINUTE + tick / 2
    return (
        state.pace / state.arrival_share
        - opened
        - sum(g.size for g in state.groups if g.at > since)
    )


def _capacity_reason(
    state: ControllerState,
    metrics: RoomMetrics,
    targets: Targets,
    opened: int,
    expected_arrivals: float,
) -> str:
    way = round(expected_arrivals + state.arrival_share * opened)
    return f"{metrics.active} of {targets.active} active, {way} on their way"


def _next_state(
    state: ControllerState, metrics: RoomMetrics, serving: int, increment: int, now: float
) -> ControllerState:
    """Those let in now are on their way from now; if the move fails, the next metrics tell."""
    state = replace(state, at=now)
    if not increment:
        return state
    state = _serve_up_to(state, _served_positions(metrics, serving + increment), now)
    return replace(state, moves=(*state.moves, Move(serving + increment, now)))
