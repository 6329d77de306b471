# SPDX-License-Identifier: Apache-2.0
"""No-shows: admitted visitors who request no token within ``no_show_after`` seconds.

Positions that were served together form a group. New tokens are attributed to the groups. The
share of admitted visitors who arrive is estimated from groups that have ended. It starts at 100 %,
so the first error is to admit too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from waiting_room.domain.records import Counts

PRIOR_SIZE = 20.0  # the arrival share starts as if 20 of 20 visitors had arrived
SAMPLE_SIZE = 1_000.0  # visitors that the arrival share is estimated from
MIN_SHARE = 0.1  # at most ten visitors are admitted per free place
ARRIVAL_MEANS = 4.0  # mean arrival times within no_show_after: e⁻⁴ of the visitors arrive later
MAX_GROUPS = 16  # that are younger than no_show_after; limits the size of the stored state


@dataclass(frozen=True, slots=True)
class Group:
    """Positions served together: since when, how many, how many of them arrived (estimated).

    A group from before the first step is no sample for the arrival share.
    """

    at: float
    size: float
    arrived: float = 0.0
    is_sample: bool = True

    @property
    def missing(self) -> float:
        """Visitors of the group without a token."""
        return self.size - self.arrived


@dataclass(frozen=True, slots=True)
class NoShows:
    """Admitted visitors of one generation, and the learned arrival share.

    ``reached`` counts the assigned positions that are served, ``tokens`` the tokens seen.
    """

    reached: int = 0
    tokens: int = 0
    groups: tuple[Group, ...] = ()
    arrived: float = PRIOR_SIZE
    expected: float = PRIOR_SIZE

    @property
    def arrival_share(self) -> float:
        """Estimated share of the admitted visitors who arrive."""
        return min(1.0, max(MIN_SHARE, self.arrived / self.expected))

    @property
    def pending(self) -> float:
        """Admitted visitors without a token who are no no-shows yet."""
        return sum(group.missing for group in self.groups)


def served_positions(counts: Counts, serving: int) -> int:
    """Return how many assigned positions are served with the serving counter at ``serving``."""
    return max(0, min(serving, counts.queue) - counts.holes)


def begin(
    counts: Counts, now: float, no_show_after: float, learned: NoShows | None = None
) -> NoShows:
    """Return the state at the first step of a generation; it keeps the ``learned`` share."""
    reached = served_positions(counts, counts.serving)
    pending = max(0, reached - counts.tokens - counts.expired)
    at = _group_time(now, no_show_after)
    fresh = NoShows(
        reached=reached,
        tokens=counts.tokens,
        groups=(Group(at, pending, is_sample=False),) if pending else (),
    )
    if learned is None:
        return fresh
    return replace(fresh, arrived=learned.arrived, expected=learned.expected)


def observe(state: NoShows, counts: Counts, now: float, no_show_after: float) -> NoShows:
    """Update the groups and the arrival share with the counts at ``now``."""
    state = serve_up_to(state, served_positions(counts, counts.serving), now, no_show_after)
    groups = _attribute_tokens(
        state.groups, max(0, counts.tokens - state.tokens), now, no_show_after
    )
    arrived, expected = state.arrived, state.expected
    for group in groups:
        if group.is_sample and now - group.at >= no_show_after:
            keep = max(0.0, 1 - group.size / SAMPLE_SIZE) if expected > SAMPLE_SIZE else 1.0
            arrived, expected = arrived * keep + group.arrived, expected * keep + group.size
    return replace(
        state,
        tokens=max(counts.tokens, state.tokens),
        groups=tuple(group for group in groups if now - group.at < no_show_after),
        arrived=arrived,
        expected=expected,
    )


def serve_up_to(state: NoShows, reached: int, now: float, no_show_after: float) -> NoShows:
    """Set the served positions to ``reached``; a move back shrinks the latest groups."""
    groups = list(state.groups)
    more = float(reached - state.reached)
    if more > 0:
        at = _group_time(now, no_show_after)
        last = groups[-1] if groups else None
        if last and last.at == at and last.is_sample:
            groups[-1] = replace(last, size=last.size + more)
        else:
            groups.append(Group(at, more))
    for index in range(len(groups) - 1, -1, -1):
        if more >= 0:
            break
        cut = min(-more, groups[index].missing)
        groups[index] = replace(groups[index], size=groups[index].size - cut)
        more += cut
    return replace(state, reached=reached, groups=tuple(one for one in groups if one.size > 0))


def expected_arrivals(state: NoShows, now: float, no_show_after: float) -> float:
    """Return how many admitted visitors without a token will still arrive, by Bayes' rule.

    A missing visitor of a young group is probably late, one of an old group probably a no-show.
    """
    total = 0.0
    for group in state.groups:
        late = state.arrival_share * _late_share(group, now, no_show_after)
        total += group.missing * late / (1 - state.arrival_share + late)
    return total


def _group_time(now: float, no_show_after: float) -> float:
    """Return the time of a group that is served now: positions of one interval are one group.

    Rounded up, so no visitor counts as a no-show early.
    """
    interval = max(1, math.ceil(no_show_after / (MAX_GROUPS - 1)))
    return float(math.ceil(now / interval) * interval)


def _attribute_tokens(
    groups: tuple[Group, ...], tokens: int, now: float, no_show_after: float
) -> tuple[Group, ...]:
    """Attribute new tokens to groups, by the missing visitors and the age of each group."""
    weights = [group.missing * _late_share(group, now, no_show_after) for group in groups]
    total = sum(weights)
    if tokens <= 0 or total <= 0:
        return groups
    part = tokens / total
    return tuple(
        replace(one, arrived=min(one.size, one.arrived + weight * part))
        for one, weight in zip(groups, weights, strict=True)
    )


def _late_share(group: Group, now: float, no_show_after: float) -> float:
    """Return the share of arriving visitors who are still missing at the group's age.

    Exponential: 98 % arrive within ``no_show_after``.
    """
    return math.exp(-ARRIVAL_MEANS * max(0.0, now - group.at) / no_show_after)
