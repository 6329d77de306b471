# SPDX-License-Identifier: Apache-2.0
"""Retries of a write that loses to a concurrent writer of the same row (optimistic locking)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from waiting_room.domain.errors import Conflict, Unavailable

if TYPE_CHECKING:  # the ports need libraries that not every app has
    from waiting_room.domain.ports import Clock

Result = TypeVar("Result")

WRITE_TRIES = 12  # one event's state row has few writers: operators, sweep, reconciliation
WRITE_SECONDS = 20.0  # the last try ends within this time; API Gateway's limit is 29 s
FIRST_PAUSE = 0.01  # upper limit of the pause after the first conflict (seconds)
MAX_DOUBLINGS = 6  # of that limit: it grows to 0.64 s


class TooManyConflicts(Unavailable):
    """Every try lost to a concurrent writer; the caller may repeat the whole change."""

    def __init__(self) -> None:
        super().__init__("too many concurrent changes: try again", 1)


def retry_on_conflict(
    attempt: Callable[[], Result],
    clock: Clock,
    *,
    most: int = WRITE_TRIES,
    pause: Callable[[float], None] | None = None,
) -> Result:
    """Return the result of ``attempt``, called again each time that it raises Conflict.

    ``attempt`` reads the current row and decides anew on each call. ``pause``, if given, is called
    after each conflict with the longest time to wait in seconds; it waits a random part of it.
    Raises TooManyConflicts after ``most`` tries, or when one more try could end after
    WRITE_SECONDS. Other exceptions of ``attempt`` pass through.
    """
    for number in tries(clock, most):
        try:
            return attempt()
        except Conflict:
            if pause:
                pause(FIRST_PAUSE * 2 ** min(number, MAX_DOUBLINGS))
    raise TooManyConflicts


def tries(clock: Clock, most: int = WRITE_TRIES) -> Iterator[int]:
    """Count tries from 0, up to ``most``, while one more can end within WRITE_SECONDS.

    A try is assumed to last as long as the longest one before it.
    """
    start = at = clock()
    longest = 0.0
    for number in range(most):
        yield number
        longest, at = max(longest, clock() - at), clock()
        if at - start + longest > WRITE_SECONDS:
            return
