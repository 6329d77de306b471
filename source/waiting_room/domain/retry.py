# SPDX-License-Identifier: Apache-2.0
"""Retries of a write that loses to another writer of the same row (optimistic locking)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from types import TracebackType

from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.domain.ports.clock import Clock

WRITE_TRIES = 12  # one event's state row has few writers: operators, sweep, reconciliation
WRITE_SECONDS = 20.0  # the last try ends within this time; API Gateway's limit is 29 s
FIRST_PAUSE = 0.01  # longest pause after the first conflict (s)
MAX_DOUBLINGS = 6  # of that limit: it grows to 0.64 s


class TooManyConflicts(Unavailable):
    """Every try lost to another writer; the caller may repeat the whole change."""

    def __init__(self) -> None:
        super().__init__("too many concurrent changes; try again", 1)


class Attempt:
    """One try of a write, ``number`` from 0: a context manager that catches Conflict."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.conflict = False
        self.at_once = False  # after a conflict, the next attempt follows without a pause

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.conflict = isinstance(error, Conflict)
        return self.conflict


def retry_on_conflict(
    clock: Clock,
    pause: Callable[[float], None] | None = None,
    *,
    most: int = WRITE_TRIES,
) -> Iterator[Attempt]:
    """Yield attempts until one ends without Conflict::

        for attempt in retry_on_conflict(clock):
            with attempt:
                return write(read())

    Each attempt reads the row and decides again. ``pause``, if given, is called after a conflict
    with a random time (s), longer with each one, so that colliding writers part. Raises
    TooManyConflicts after ``most`` attempts, or when another one could end after WRITE_SECONDS.
    """
    for number in tries(clock, most):
        attempt = Attempt(number)
        yield attempt
        if not attempt.conflict:
            return
        if pause and not attempt.at_once:
            longest = FIRST_PAUSE * 2 ** min(number, MAX_DOUBLINGS)
            pause(secrets.randbelow(1000) / 1000 * longest)
    raise TooManyConflicts


def tries(clock: Clock, most: int = WRITE_TRIES) -> Iterator[int]:
    """Count tries from 0, up to ``most``, while another one can end within WRITE_SECONDS.

    A try is assumed to last as long as the longest one before it.
    """
    began = at = clock()
    longest = 0.0
    for number in range(most):
        yield number
        longest, at = max(longest, clock() - at), clock()
        if at - began + longest > WRITE_SECONDS:
            return
