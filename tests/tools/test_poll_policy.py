# SPDX-License-Identifier: Apache-2.0
"""How often a page polls and how late it is, in a simulated crowd that runs the page's policy."""

from __future__ import annotations

from functools import cache

import pytest

from tests.benchmarks.poll_policy import SCENARIOS, Found, simulate
from tests.benchmarks.tables import percentile

FOLLOWED = 300
OLD = next(scenario for scenario in SCENARIOS if scenario.old)
NEW = [scenario.name for scenario in SCENARIOS if not scenario.old]
STEADY = [name for name in NEW if ": " not in name]


@cache
def found() -> dict[str, Found]:
    wanted = [scenario for scenario in SCENARIOS if not scenario.old or scenario is OLD]
    return {one.scenario.name: one for one in simulate(wanted, FOLLOWED, seed=1)}


@pytest.mark.parametrize("name", NEW)
def test_a_visitor_polls_rarely_and_learns_in_time_that_they_are_served(name: str) -> None:
    one = found()[name]
    assert one.mean_polls < (30 if one.scenario.per_minute == 10_000 else 60)
    assert one.lateness(0.95) <= 3.5
    assert one.lateness(0.99) <= 40
    assert min(one.late) >= 0


@pytest.mark.parametrize("name", STEADY)
def test_a_visitor_near_the_serving_counter_sleeps_no_longer_than_a_minute(name: str) -> None:
    """Ten minutes as they turned out; steps that vary make a wait seem longer than it is."""
    assert percentile(found()[name].longest_near, 0.95) <= 60
    assert max(found()[name].longest_near) <= 130


def test_a_server_that_tells_no_more_is_polled_as_before() -> None:
    one = found()[OLD.name]
    assert one.mean_polls > 200
    assert one.lateness(0.99) <= 3.5


def test_the_same_seed_gives_the_same_visitors() -> None:
    one, other = (simulate(SCENARIOS[:1], 20, seed=9)[0] for _ in range(2))
    assert (one.polls, one.late) == (other.polls, other.late)
