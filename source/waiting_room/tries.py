# SPDX-License-Identifier: Apache-2.0
"""How often and how long a write is tried that meets other writers of the same row."""

from __future__ import annotations

from collections.abc import Iterator

from waiting_room.ports import Clock

WRITE_TRIES = 12  # conflicting writers of one event's record are few: operators, sweep, audit
# Seconds after which no further try begins. A try is up to four calls of a table, each 6.5 s at
# most when it is slow, and API Gateway gives up on a call after 29 s.
WRITE_SECONDS = 3.0


def tries(clock: Clock, most: int = WRITE_TRIES) -> Iterator[int]:
    """Count the tries from 0, until there were ``most`` or the time is over."""
    began = clock()
    for number in range(most):
        if number and clock() - began > WRITE_SECONDS:
            return
        yield number
