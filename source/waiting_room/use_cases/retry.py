# SPDX-License-Identifier: Apache-2.0
"""How often and how long a write is tried that meets other writers of the same row."""

from __future__ import annotations

from collections.abc import Iterator

from waiting_room.domain.ports import Clock

WRITE_TRIES = 12  # conflicting writers of one event's record are few: operators, sweep, audit
WRITE_SECONDS = 20.0  # in which the last try should have ended: API Gateway gives up after 29 s


def tries(clock: Clock, most: int = WRITE_TRIES) -> Iterator[int]:
    """Count the tries from 0, until there were ``most``, or one more could end too late.

    A try is taken to last as long as the longest one before it.
    """
    began = at = clock()
    longest = 0.0
    for number in range(most):
        yield number
        longest, at = max(longest, clock() - at), clock()
        if at - began + longest > WRITE_SECONDS:
            return
