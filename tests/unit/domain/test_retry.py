# SPDX-License-Identifier: Apache-2.0
"""Conflicting writes are repeated a limited number of times, and within a limited time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from waiting_room.domain import retry
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.retry import (
    WRITE_SECONDS,
    WRITE_TRIES,
    TooManyConflicts,
    retry_on_conflict,
    tries,
)


def test_quick_tries_are_limited_in_number() -> None:
    assert list(tries(lambda: 5.0)) == list(range(WRITE_TRIES))
    assert list(tries(lambda: 5.0, 2)) == [0, 1]


@pytest.mark.parametrize(
    ("lasts", "made"),
    [
        ([30.0] * 20, 1),
        ([10.0] * 20, 2),
        ([10.5] * 20, 1),
        ([0.5] * 20, WRITE_TRIES),
        ([6.0] * 20, 3),
        ([1.0, 9.0, 1.0, 1.0, 1.0], 4),
    ],
)
def test_no_try_begins_that_could_end_too_late(lasts: list[float], made: int) -> None:
    now, ended = [0.0], 0
    for number in tries(lambda: now[0]):
        now[0] += lasts[number]
        ended += 1
    assert ended == made
    assert now[0] <= WRITE_SECONDS or made == 1


def conflicting(times: int, calls: list[int]) -> Callable[[], str]:
    """An attempt that raises Conflict ``times`` times, then returns "written"."""

    def attempt() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise Conflict
        return "written"

    return attempt


def run(attempt: Callable[[], Any], clock: Callable[[], float], **options: Any) -> Any:
    """Call ``attempt`` as a caller of ``retry_on_conflict`` does."""
    for one in retry_on_conflict(clock, **options):
        with one:
            return attempt()
    raise AssertionError("the last attempt raises")


@pytest.mark.parametrize("conflicts", [0, 1, WRITE_TRIES - 1])
def test_an_attempt_is_repeated_until_it_succeeds(conflicts: int) -> None:
    calls: list[int] = []
    assert run(conflicting(conflicts, calls), lambda: 5.0) == "written"
    assert len(calls) == conflicts + 1


@pytest.mark.parametrize("most", [1, 3])
def test_the_number_of_attempts_is_the_callers(most: int) -> None:
    calls: list[int] = []
    with pytest.raises(TooManyConflicts, match="too many concurrent changes") as raised:
        run(conflicting(most, calls), lambda: 5.0, most=most)
    assert len(calls) == most
    assert raised.value.retry_after == 1


def test_no_attempt_begins_that_could_end_too_late() -> None:
    now = [0.0]

    def slow() -> None:
        now[0] += 6
        raise Conflict

    with pytest.raises(TooManyConflicts):
        run(slow, lambda: now[0])
    assert now[0] == 18


def test_the_longest_pause_doubles_with_each_conflict_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    longest = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 0.64, 0.64]
    monkeypatch.setattr(retry.secrets, "randbelow", lambda most: most - 1)
    run(conflicting(9, []), lambda: 5.0, pause=pauses.append)
    assert pauses == pytest.approx([0.999 * one for one in longest])


def test_pauses_count_towards_the_time_limit() -> None:
    now, calls = [0.0], list[int]()

    def pause(_: float) -> None:
        now[0] += 6

    with pytest.raises(TooManyConflicts):
        run(conflicting(9, calls), lambda: now[0], pause=pause)
    assert len(calls) == 3


def test_other_errors_are_not_retried() -> None:
    calls: list[int] = []

    def away() -> None:
        calls.append(1)
        raise Unavailable("the table timed out")

    with pytest.raises(Unavailable, match="the table timed out"):
        run(away, lambda: 5.0)
    assert calls == [1]
