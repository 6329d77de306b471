# SPDX-License-Identifier: Apache-2.0
"""The automatic inlet: a closed loop that fills the site up to its targets.

The room's metrics give four groups of visitors:

- *active*: they have a valid token;
- *expected*: served, no token yet;
- *ahead*: positions served before anyone joined them, so that the next visitors do not wait;
- *no-shows*: served ``no_show_after`` seconds ago, and still no token.

The share of served visitors who arrive is estimated from earlier groups. It starts at 100 %, so at
first the loop admits too few rather than too many. ``docs/inlets.md`` explains and plots the loop.

The module has more than 300 lines because the loop is one algorithm, whose steps share one state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from waiting_room.domain.events.alarms import NO_DATA, Alarm, alarm_hold_reason
from waiting_room.inlet.strategies import IncrementDecision, RoomMetrics

MINUTE = 60.0
OWN_MOVE_SECONDS = 60.0  # for which an own move overrides metrics that do not include it yet
LAG_HALF_LIFE = 300.0  # s in which the weight of a measured lag halves
AHEAD_TICKS = 2.0  # positions served ahead of the queue, as ticks of the current pace
LATE_TICKS = 1.5  # a late tick makes up for half a tick at most, so missed ticks do not add up
PRIOR_SIZE = 20.0  # the arrival share starts as if 20 of 20 visitors had arrived
SAMPLE_SIZE = 1_000.0  # visitors that the arrival share is estimated from
MIN_SHARE = 0.1  # at most ten visitors are admitted per free place
ARRIVAL_MEANS = 4.0  # mean arrival times within no_show_after: e⁻⁴ of the visitors arrive later
SAFETY_DEVIATIONS = 1.0  # standard deviations kept free below the target
PACE_HALF_LIFE = 30.0  # s in which the pace halves while the site is unhealthy
RECOVERY_SECONDS = 300.0  # from the lowest to the highest pace once the site is healthy
REPORT_SECONDS = 120.0  # for which a health report is valid; then no report means unhealthy


class Health(StrEnum):
    """Health of the site."""

    NOT_REPORTED = "absent"  # neither alarm nor report: the highest pace
    HEALTHY = "good"
    UNHEALTHY = "poor"
    UNKNOWN = "unknown"  # keep the pace


@dataclass(frozen=True, slots=True)
class Signal:
    """Health, and the ``ceiling`` of the pace: a share (0 to 1) of the range of paces."""

    health: Health = Health.NOT_REPORTED
    ceiling: float = 1.0


@dataclass(frozen=True, slots=True)
class Targets:
    """Active visitors at once, new visitors per minute, and the pace of an unhealthy site."""

    active: int
    per_minute: int
    min_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Positions served together: since when, how many, how many of them arrived (estimated).

    A group from before the start of the loop is no sample for the arrival share.
    """

    at: float
    size: float
    arrived: float = 0.0
    is_sample: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the serving counter by this inlet: new value and time."""

    to: int
    at: float


@dataclass(frozen=True, slots=True)
class ControllerState:
    """State of the loop between ticks; stored as JSON in the inlet's row."""

    generation: int
    at: float
    reached: int  # assigned positions that are served
    tokens: int
    pace: float  # visitors per minute
    credit: float  # admissions that the pace allows and that were not made yet
    groups: tuple[Group, ...] = ()
    arrived: float = PRIOR_SIZE
    expected: float = PRIOR_SIZE
    moves: tuple[Move, ...] = ()  # of the last minute
    lag: float = 0.0  # s by which the metrics are late, measured by own moves

    @property
    def arrival_share(self) -> float:
        """Estimated share of the served visitors who arrive."""
        return min(1.0, max(MIN_SHARE, self.arrived / self.expected))

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, memory: Mapping[str, Any]) -> ControllerState | None:
        """Read the result of ``to_json``; None for anything else: the loop starts afresh."""
        try:
            groups = tuple(Group(**group) for group in memory["groups"])
            moves = tuple(Move(**move) for move in memory["moves"])
            return cls(**{**memory, "groups": groups, "moves": moves})
        except (KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Decision:
    """The increment of this tick, and the state for the next one."""

    increment: IncrementDecision
    state: ControllerState


def health_signal(
    alarm: Alarm, go_on_insufficient_data: bool, reported: float | None, age: float
) -> Signal:
    """Combine the alarm with the report from ``age`` seconds ago; the worse one decides."""
    no_source = alarm is Alarm.NONE and reported is None
    health, ceiling = Health.NOT_REPORTED if no_source else Health.HEALTHY, 1.0
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
    """Decide at ``now``, with a tick every ``tick`` seconds. ``state`` is None at the start."""
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
        (
            metrics.queue + math.ceil(head) - serving,
            "no visitor waits: admitting ahead of the queue",
        ),
        (
            math.floor(min(credit, _minute_budget(state, opened, now, tick))),
            f"slowed to {state.pace:.0f}/min: the site is unhealthy"
            if health.health is Health.UNHEALTHY
            else f"{state.pace:.0f}/min, {state.arrival_share:.0%} of the admitted visitors arrive",
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
    """Measure how late the metrics are: by own moves that they do not include yet."""
    moves = tuple(move for move in state.moves if now - move.at < OWN_MOVE_SECONDS)
    unseen = (now - move.at for move in moves if move.to > metrics.serving)
    lag = max([*unseen, state.lag * 0.5 ** (elapsed / LAG_HALF_LIFE)])
    return replace(state, moves=moves, lag=lag if lag >= 1 else 0.0)


def _served_positions(metrics: RoomMetrics, serving: int) -> int:
    return max(0, min(serving, metrics.queue) - metrics.holes)


def _observe(
    state: ControllerState, metrics: RoomMetrics, serving: int, now: float, no_show_after: float
) -> ControllerState:
    """Update the groups and the arrival share with the metrics."""
    state = _serve_up_to(state, _served_positions(metrics, serving), now)
    measured_at = now - state.lag
    groups = _attribute_tokens(
        state.groups, max(0, metrics.tokens - state.tokens), measured_at, no_show_after
    )
    ended = [group for group in groups if measured_at - group.at >= no_show_after]
    arrived, expected = state.arrived, state.expected
    for group in ended:
        if group.is_sample:
            keep = max(0.0, 1 - group.size / SAMPLE_SIZE) if expected > SAMPLE_SIZE else 1.0
            arrived, expected = arrived * keep + group.arrived, expected * keep + group.size
    return replace(
        state,
        tokens=max(metrics.tokens, state.tokens),
        groups=tuple(group for group in groups if measured_at - group.at < no_show_after),
        arrived=arrived,
        expected=expected,
    )


def _serve_up_to(state: ControllerState, reached: int, now: float) -> ControllerState:
    """Set the served positions to ``reached``; a move back shrinks the latest groups."""
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
    groups: tuple[Group, ...], tokens: int, measured_at: float, no_show_after: float
) -> tuple[Group, ...]:
    """Attribute new tokens to groups, by the missing visitors and the age of each group.

    ``measured_at`` is the time of the metrics; later groups get no tokens.
    """
    weights = [
        (one.size - one.arrived) * _late_share(one, measured_at, no_show_after)
        if one.at <= measured_at
        else 0.0
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


def _late_share(group: Group, measured_at: float, no_show_after: float) -> float:
    """Return the share of arriving visitors who are still missing at the group's age.

    Exponential: 98 % arrive within ``no_show_after``.
    """
    return math.exp(-ARRIVAL_MEANS * max(0.0, measured_at - group.at) / no_show_after)


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


def _expected_arrivals(state: ControllerState, measured_at: float, no_show_after: float) -> float:
    """Return how many served visitors without a token will still arrive, by Bayes' rule.

    A missing visitor of a young group is probably late, one of an old group probably a no-show.
    """
    total = 0.0
    for group in state.groups:
        late = state.arrival_share * _late_share(group, measured_at, no_show_after)
        total += (group.size - group.arrived) * late / (1 - state.arrival_share + late)
    return total


def _free_capacity(
    state: ControllerState,
    metrics: RoomMetrics,
    targets: Targets,
    opened: int,
    expected_arrivals: float,
) -> int:
    """Return how many positions to admit so that the active visitors stay within the target.

    Of n served visitors about share × n arrive, ± ``SAFETY_DEVIATIONS`` standard deviations; the
    upper limit must fit. Capacity that suffices even if all of them arrive is always used.
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
    """Return how many positions may still be admitted in this minute at the current pace."""
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
    arriving = round(expected_arrivals + state.arrival_share * opened)
    return f"{metrics.active} of {targets.active} active, {arriving} expected to arrive"


def _next_state(
    state: ControllerState, metrics: RoomMetrics, serving: int, increment: int, now: float
) -> ControllerState:
    """Add the admitted visitors as a group; if the move fails, the next metrics correct it."""
    state = replace(state, at=now)
    if not increment:
        return state
    state = _serve_up_to(state, _served_positions(metrics, serving + increment), now)
    return replace(state, moves=(*state.moves, Move(serving + increment, now)))
