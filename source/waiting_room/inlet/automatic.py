# SPDX-License-Identifier: Apache-2.0
"""The automatic inlet: a closed loop that fills the site up to its targets and not above.

It knows four kinds of people by the figures of the room: the *active* (a token that lives), those
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

from waiting_room.inlet.strategies import NO_DATA, Alarm, Figures, Opening, braked

MINUTE = 60.0
ANSWER_COUNTS = 60.0  # s that an own move outweighs figures which do not show it yet
LAG_HALVING = 300.0  # s in which a measured lag is believed half as much
HEAD_TICKS = 2.0  # places open ahead of the line: what the pace lets in during two ticks
LATE_TICKS = 1.5  # a late tick makes up for half a tick at most: missed ticks do not lump
LEARN_FROM = 20.0  # the show-up share starts as if 20 of 20 had come
MEMORY = 1_000.0  # and weighs the last 1,000 or so
LEAST_SHARE = 0.1  # a place is given on at most ten times
COME_BY = 4.0  # mean times to come within no_show_after: e⁻⁴ come later
CAUTION = 1.0  # standard deviations of chance kept free below the target
HALVING = 30.0  # s in which the pace halves while the site is unwell
RECOVERY = 300.0  # s from the lowest to the highest pace once it is well
REPORT_LIFE = 120.0  # s that a report of the site holds; then its silence counts as unwell


class Health(StrEnum):
    """What is known about the site."""

    ABSENT = "absent"  # nobody tells: the highest pace
    GOOD = "good"
    POOR = "poor"
    UNKNOWN = "unknown"  # keep the pace, neither down nor up


@dataclass(frozen=True, slots=True)
class Signal:
    """The health signal; ``ceiling`` (0 to 1) is the share of the span of paces allowed at all."""

    health: Health = Health.ABSENT
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
    came: float = 0.0
    teaches: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """An own move of the serving counter: to where, and when."""

    to: int
    at: float


@dataclass(frozen=True, slots=True)
class Flow:
    """What the loop remembers between ticks."""

    generation: int
    at: float
    reached: int  # positions that exist and are served
    tokens: int
    pace: float  # people per minute
    credit: float  # places that the pace has earned and nobody got yet
    groups: tuple[Group, ...] = ()
    came: float = LEARN_FROM
    due: float = LEARN_FROM
    moves: tuple[Move, ...] = ()  # own moves of the last minute
    lag: float = 0.0  # s that the figures are late, as own moves show

    @property
    def share(self) -> float:
        """The share of the served that comes."""
        return min(1.0, max(LEAST_SHARE, self.came / self.due))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, memory: Mapping[str, Any]) -> Flow | None:
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

    opening: Opening
    flow: Flow


def signal(
    alarm: Alarm, go_on_insufficient_data: bool, reported: float | None, age: float
) -> Signal:
    """One signal from an alarm and from what the site reported ``age`` seconds ago; worst wins."""
    silent = alarm is Alarm.NONE and reported is None
    health, ceiling = Health.ABSENT if silent else Health.GOOD, 1.0
    if alarm in NO_DATA:
        health = Health.GOOD if go_on_insufficient_data else Health.UNKNOWN
    elif braked(alarm, go_on_insufficient_data):
        health = Health.POOR
    if reported is not None:
        if age > REPORT_LIFE:
            health = Health.POOR
        else:
            ceiling = min(1.0, max(0.0, reported))
    return Signal(health, ceiling)


def decide(
    flow: Flow | None,
    figures: Figures,
    targets: Targets,
    health: Signal,
    now: float,
    *,
    tick: float,
    no_show_after: float,
) -> Decision:
    """What to open at ``now``, ticking every ``tick`` seconds. ``flow`` is None at the start."""
    flow = _begin(flow, figures, targets, health, now, tick)
    elapsed = min(max(0.0, now - flow.at), LATE_TICKS * tick)
    flow = _measure_lag(flow, figures, now, elapsed)
    serving = max([figures.serving, *(move.to for move in flow.moves)])
    flow = _observe(flow, figures, serving, now, no_show_after)
    flow = replace(flow, pace=_pace(flow.pace, targets, health, elapsed))
    per_tick = flow.pace / flow.share * tick / MINUTE
    head = max(1.0, HEAD_TICKS * per_tick) if flow.pace else 0.0
    credit = min(head, flow.credit + per_tick * elapsed / tick)
    opened = max(0, serving - figures.queue)
    coming = _coming(flow, now - flow.lag, no_show_after)
    limits = (
        (
            _room_for(flow, figures, targets, opened, coming),
            _full(flow, figures, targets, opened, coming),
        ),
        (figures.queue + math.ceil(head) - serving, "nobody waits: straight through"),
        (
            math.floor(min(credit, _left_of_minute(flow, opened, now, tick))),
            f"slowed to {flow.pace:.0f}/min: the site is unwell"
            if health.health is Health.POOR
            else f"{flow.pace:.0f}/min, {flow.share:.0%} of those called arrive",
        ),
    )
    increment, reason = min(limits, key=lambda limit: limit[0])
    increment = max(0, increment)
    return Decision(
        Opening(increment, reason),
        _after(replace(flow, credit=credit - increment), figures, serving, increment, now),
    )


def _begin(
    flow: Flow | None, figures: Figures, targets: Targets, health: Signal, now: float, tick: float
) -> Flow:
    if flow is not None and flow.generation == figures.generation:
        return flow
    reached = _reached(figures, figures.serving)
    pending = max(0, reached - figures.tokens - figures.expired)
    fresh = Flow(
        generation=figures.generation,
        at=now - tick,
        reached=reached,
        tokens=figures.tokens,
        pace=float(targets.min_per_minute if health.health is Health.POOR else targets.per_minute),
        credit=0.0,
        groups=(Group(now, pending, teaches=False),) if pending else (),
    )
    if flow is None:
        return fresh
    return replace(fresh, pace=flow.pace, came=flow.came, due=flow.due)


def _measure_lag(flow: Flow, figures: Figures, now: float, elapsed: float) -> Flow:
    """An own move that the figures do not show yet tells how late they are."""
    moves = tuple(move for move in flow.moves if now - move.at < ANSWER_COUNTS)
    unseen = (now - move.at for move in moves if move.to > figures.serving)
    lag = max([*unseen, flow.lag * 0.5 ** (elapsed / LAG_HALVING)])
    return replace(flow, moves=moves, lag=lag if lag >= 1 else 0.0)


def _reached(figures: Figures, serving: int) -> int:
    return max(0, min(serving, figures.queue) - figures.holes)


def _observe(flow: Flow, figures: Figures, serving: int, now: float, no_show_after: float) -> Flow:
    """Bring groups and the learnt share up to the figures."""
    flow = _reach(flow, _reached(figures, serving), now)
    told = now - flow.lag
    groups = _came(flow.groups, max(0, figures.tokens - flow.tokens), told, no_show_after)
    ended = [group for group in groups if told - group.at >= no_show_after]
    came, due = flow.came, flow.due
    for group in ended:
        if group.teaches:
            keep = max(0.0, 1 - group.size / MEMORY) if due > MEMORY else 1.0
            came, due = came * keep + group.came, due * keep + group.size
    return replace(
        flow,
        tokens=max(figures.tokens, flow.tokens),
        groups=tuple(group for group in groups if told - group.at < no_show_after),
        came=came,
        due=due,
    )


def _reach(flow: Flow, reached: int, now: float) -> Flow:
    """Note that the served line now ends at ``reached``; moved back, the latest groups shrink."""
    groups = list(flow.groups)
    more = float(reached - flow.reached)
    if more > 0:
        groups.append(Group(now, more))
    for index in range(len(groups) - 1, -1, -1):
        if more >= 0:
            break
        cut = min(-more, groups[index].size - groups[index].came)
        groups[index] = replace(groups[index], size=groups[index].size - cut)
        more += cut
    return replace(flow, reached=reached, groups=tuple(one for one in groups if one.size > 0))


def _came(
    groups: tuple[Group, ...], tokens: int, told: float, no_show_after: float
) -> tuple[Group, ...]:
    """Tokens do not tell their group: spread them by how many each misses and how old it is.

    ``told`` is the moment that the figures tell of; groups after it have no tokens among them.
    """
    weights = [
        (one.size - one.came) * _not_yet(one, told, no_show_after) if one.at <= told else 0.0
        for one in groups
    ]
    total, left = sum(weights), float(tokens)
    if left <= 0 or total <= 0:
        return groups
    part = left / total
    return tuple(
        replace(one, came=min(one.size, one.came + weight * part))
        for one, weight in zip(groups, weights, strict=True)
    )


def _not_yet(group: Group, told: float, no_show_after: float) -> float:
    """The share of those who come that has not come at this age: exponential, so that 98 % have
    come by ``no_show_after``."""
    return math.exp(-COME_BY * max(0.0, told - group.at) / no_show_after)


def _pace(pace: float, targets: Targets, health: Signal, elapsed: float) -> float:
    low, high = float(targets.min_per_minute), float(targets.per_minute)
    if health.health is Health.POOR:
        pace *= 0.5 ** (elapsed / HALVING)
        pace = 0.0 if pace < 0.5 else pace
    elif health.health is Health.ABSENT:
        pace = high
    elif health.health is Health.GOOD:
        pace += (high - low) * elapsed / RECOVERY
    return max(low, min(pace, low + (high - low) * health.ceiling))


def _coming(flow: Flow, told: float, no_show_after: float) -> float:
    """How many of those on their way are still to come, by Bayes: missing at its age, a visitor of
    a young group is late, one of an old group is probably a no-show."""
    total = 0.0
    for group in flow.groups:
        late = flow.share * _not_yet(group, told, no_show_after)
        total += (group.size - group.came) * late / (1 - flow.share + late)
    return total


def _room_for(flow: Flow, figures: Figures, targets: Targets, opened: int, coming: float) -> int:
    """Places to open so that the active stay at the target or below, whatever chance does.

    Of n served about share × n come, give or take ``CAUTION`` standard deviations; that much must
    fit. So it always does when there is room even if everybody comes.
    """
    free = targets.active - figures.active
    if free <= 0:
        return 0
    pending = sum(group.size - group.came for group in flow.groups)
    certain = math.floor(free - pending - opened)
    spread = CAUTION * math.sqrt(1 - flow.share)
    most = ((math.sqrt(spread * spread + 4 * free) - spread) / 2) ** 2
    likely = math.floor((most - coming) / flow.share - opened)
    return max(certain, likely)


def _left_of_minute(flow: Flow, opened: int, now: float, tick: float) -> float:
    """Places that may still be opened within any minute at this pace."""
    since = now - MINUTE + tick / 2
    return flow.pace / flow.share - opened - sum(g.size for g in flow.groups if g.at > since)


def _full(flow: Flow, figures: Figures, targets: Targets, opened: int, coming: float) -> str:
    way = round(coming + flow.share * opened)
    return f"{figures.active} of {targets.active} active, {way} on their way"


def _after(flow: Flow, figures: Figures, serving: int, increment: int, now: float) -> Flow:
    """Those let in now are on their way from now; if the move fails, the next figures tell."""
    flow = replace(flow, at=now)
    if not increment:
        return flow
    flow = _reach(flow, _reached(figures, serving + increment), now)
    return replace(flow, moves=(*flow.moves, Move(serving + increment, now)))
