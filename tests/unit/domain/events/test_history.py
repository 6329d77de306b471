# SPDX-License-Identifier: Apache-2.0
"""The history: points from the totals of minutes, windows of a request, samples of waits."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.history import (
    MAX_POINTS,
    SAMPLES,
    STEPS,
    MinuteTotals,
    Window,
    check_window,
    percentile,
    points,
    sampled_positions,
    totals_of,
)
from waiting_room.domain.records import Counts, Segment

SUMS = ("joined", "admitted", "arrived", "left", "no_shows")
NOW = 1_800_000_000


def counts(**values: Any) -> Counts:
    numbers = dict.fromkeys(
        ("generation", "queue", "serving", "holes", "tokens", "expired", "active", "completed",
         "abandoned", "admitted_recently", "admitting_since"), 0,
    )  # fmt: skip
    return Counts(**{**numbers, "generation": 1, **values})


@st.composite
def minutes(draw: st.DrawFn) -> list[MinuteTotals]:
    """Minutes with gaps; totals only rise, and a reset starts at 0."""
    found: list[MinuteTotals] = []
    at, state = 0, MinuteTotals(0, 1)
    for _ in range(draw(st.integers(0, 12))):
        at += 60 * draw(st.integers(1, 4))
        if draw(st.integers(0, 6)) == 6:
            state = MinuteTotals(0, state.generation + 1)
        rise = draw(st.tuples(*[st.integers(0, 5)] * 5))
        tokens = state.tokens + rise[2]
        gone = state.tokens - state.active
        wait = draw(st.one_of(st.none(), st.integers(0, 90)))
        state = MinuteTotals(
            at, state.generation, state.queue + rise[0], state.admitted + rise[1], tokens,
            state.expired + rise[3], rise[0], tokens - min(tokens, gone + rise[4]),
            moved_at=at, wait_p50=wait, wait_p95=wait,
        )  # fmt: skip
        found.append(state)
    return found


@given(minutes(), st.sampled_from(STEPS))
def test_points_add_up_to_the_totals_whatever_the_step(
    stored: list[MinuteTotals], step: int
) -> None:
    found = points(stored, Window(0, 4000, step))
    by_generation = {one.generation: one for one in stored}  # the last of each
    ends = {
        "joined": sum(one.queue for one in by_generation.values()),
        "admitted": sum(one.admitted for one in by_generation.values()),
        "arrived": sum(one.tokens for one in by_generation.values()),
        "left": sum(one.tokens - one.active for one in by_generation.values()),
        "no_shows": sum(one.expired for one in by_generation.values()),
    }
    assert {name: sum(point[name] for point in found) for name in SUMS} == ends
    assert [point["at"] for point in found] == sorted({one.at - one.at % step for one in stored})
    for point in found:
        inside = [one for one in stored if point["at"] <= one.at < point["at"] + step]
        assert (point["waiting"], point["active"]) == (inside[-1].waiting, inside[-1].active)
        waits = [one.wait_p95 for one in inside if one.wait_p95 is not None]
        assert point["wait_p95"] == (max(waits) if waits else None)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    stored = [MinuteTotals(at, 1, queue=at // 60) for at in range(0, 7200, 60)]
    found = points(stored, Window(300, 900, 60))
    assert [point["at"] for point in found] == list(range(300, 900, 60))
    assert {point["joined"] for point in found} == {1}
    assert [point["at"] for point in points(stored, Window(301, 900, 300))] == [600]
    hour = points(stored, Window(3600, 3601, 3600))
    assert [(one["at"], one["joined"]) for one in hour] == [(3600, 60)]


def test_a_minute_that_failed_is_a_gap_and_loses_nobody() -> None:
    stored = [MinuteTotals(60, 1, queue=5), MinuteTotals(240, 1, queue=11)]
    found = points(stored, Window(0, 600, 60))
    assert [(one["at"], one["joined"]) for one in found] == [(60, 5), (240, 6)]


def test_a_count_that_falls_is_shown_as_zero() -> None:
    """The serving counter was moved back, or the counters were rebuilt from older tables."""
    stored = [MinuteTotals(60, 1, 9, 9, 9, 9, active=1), MinuteTotals(120, 1, 8, 2, 8, 8, active=3)]
    point = points(stored, Window(120, 180, 60))[0]
    assert {name: point[name] for name in SUMS} == dict.fromkeys(SUMS, 0)


def test_positions_below_the_serving_counter_wait_for_no_time() -> None:
    ahead = MinuteTotals(60, 1, 0, 0, moved_at=50)
    joined = MinuteTotals(120, 1, 4, 4, moved_at=50)
    moved = MinuteTotals(180, 1, 9, 9, moved_at=170)  # the sample of its waits is missing
    found = points([ahead, joined, moved], Window(0, 600, 60))
    assert [one["wait_p50"] for one in found] == [None, 0, None]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None), (NOW + 1 - 86_400, NOW + 1, 60)),
        ((None, NOW, 300), (NOW - 86_400, NOW, 300)),
        ((NOW - 86_401, NOW, None), (NOW - 86_401, NOW, 300)),
        ((NOW - 432_001, NOW, None), (NOW - 432_001, NOW, 3_600)),
        ((NOW - 86_400, NOW, 60), (NOW - 86_400, NOW, 60)),
        ((0, 1, None), (0, 1, 60)),
    ],
)
def test_a_window_has_defaults(
    given: tuple[int | None, int | None, int | None], expected: tuple[int, int, int]
) -> None:
    assert check_window(*given, NOW + 0.9) == Window(*expected)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((None, None, 61), "step must be one of 60, 300, 3600"),
        ((NOW, NOW, None), "from must be before to"),
        ((NOW + 2, None, None), "from must be before to"),
        ((NOW - 86_401, NOW, 60), "step must be at least 300"),
        ((NOW - 432_001, NOW, 300), "step must be at least 3600"),
        ((0, NOW, None), "from must be at most 60 days"),
    ],
)
def test_an_invalid_window_names_the_member(
    given: tuple[int | None, int | None, int | None], named: str
) -> None:
    with pytest.raises(InvalidInput, match=named):
        check_window(*given, NOW)


@given(st.integers(0, 10**7), st.integers(1, 10**7), st.sampled_from([None, *STEPS]))
def test_a_window_never_has_more_points_than_allowed(
    since: int, length: int, step: int | None
) -> None:
    try:
        window = check_window(since, since + length, step, NOW)
    except InvalidInput:
        return
    times = range(window.first, window.until, window.step)
    assert len(times) <= MAX_POINTS
    assert not times or window.first <= times[-1] <= window.last_minute


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(
    values: list[int], share: int
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= share * len(values)
    assert sum(value < found for value in values) * 100 < share * len(values)
    assert percentile([], share) is None


segments = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 120)), min_size=0, max_size=6)


@given(segments, st.integers(0, 2000))
def test_the_sample_spreads_over_the_positions_of_the_last_minute(
    sizes: list[tuple[int, int]], queue: int
) -> None:
    parts, first, expected = [], 1, []
    for size, age in sorted(sizes, key=lambda one: -one[1]):
        parts.append(Segment(first, first + size - 1, NOW - age))
        if age < 60:
            expected += [(number, NOW - age) for number in range(first, first + size)
                         if number <= queue]  # fmt: skip
        first += size
    found = sampled_positions(counts(queue=queue, latest=tuple(parts)), NOW)
    assert len(found) == min(SAMPLES, len(expected))
    assert set(found) <= set(expected)
    if len(expected) <= SAMPLES:
        assert found == expected
    places = [expected.index(one) for one in found]
    gaps = {later - earlier for earlier, later in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_the_totals_of_a_minute() -> None:
    found = totals_of(
        counts(queue=9, serving=12, holes=1, tokens=4, expired=2, active=3, admitted_at=NOW),
        NOW + 45, [5, 1, 9],
    )  # fmt: skip
    assert found == MinuteTotals(NOW, 1, 9, 9, 4, 2, 2, 3, NOW, 5, 9)
