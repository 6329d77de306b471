# SPDX-License-Identifier: Apache-2.0
"""How the waiting page asks, for the capacity model and the load test. Times in seconds.

The same rules as in ``source/sites/waiting_room/waiting-room.js``; a test holds both together.
"""

from __future__ import annotations

FIRST_ASK = (
    1.2  # after the join: a worker gathers joins for a second, so nobody has a number before
)
ASK_GROWTH, LONGEST_ASK = 1.5, 10.0
LONGEST_RETRY = 60.0
SHORTEST_POLL, LONGEST_POLL = 1.0, 120.0
NEAR = 2.0  # a page near the front asks no more often than that, unless the server says so
SPREAD = 0.2  # each wait is this much shorter or longer
RETRY_SPREAD = 0.25


def ask_after(asked: int) -> float:
    """The wait before asking for one's number, which was asked for ``asked`` times."""
    return FIRST_ASK if asked == 0 else float(min(LONGEST_ASK, ASK_GROWTH**asked))


def retry_after(refused: int) -> float:
    """The wait after a failure (429, 5xx) that followed ``refused`` others."""
    return float(min(LONGEST_RETRY, 2 ** min(refused, 6)))


def status_after(server_says: float, ahead: int, waiting: int) -> float:
    """The wait between two polls of ``/status`` with ``ahead`` of ``waiting`` before oneself."""
    seconds = min(LONGEST_POLL, max(SHORTEST_POLL, server_says))
    share = min(1.0, ahead / max(1, waiting))
    return max(min(NEAR, seconds), seconds * share)


def spread(wait: float, chance: float, by: float = SPREAD) -> float:
    """``wait``, shorter or longer by ``chance``, which is anywhere between 0 and 1."""
    return wait * (1 + by * (2 * chance - 1))
