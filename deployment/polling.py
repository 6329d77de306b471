# SPDX-License-Identifier: Apache-2.0
"""How a waiting page polls, shared by the capacity model and the load test. Times in seconds.

The server says when to ask again (``waiting_room.serving.poll_after``); a page near the front asks
sooner, by the same rule for those before it. Each wait is spread, so that pages do not ask in step.
"""

from __future__ import annotations

from waiting_room.serving import poll_after

FIRST_ASK = 1.0  # after the join; then twice as long each time
LONGEST_ASK = 8.0
SPREAD = 0.2  # each wait is this much shorter or longer
RETRY = 2.0  # after a refusal (429, 503), doubling
LONGEST_RETRY = 30.0


def ask_after(asked: int) -> float:
    """The wait before asking for one's number for the ``asked``-th time, from 0."""
    return float(min(LONGEST_ASK, FIRST_ASK * 2**asked))


def retry_after(refused: int) -> float:
    """The wait after the ``refused``-th refusal in a row, from 0."""
    return float(min(LONGEST_RETRY, RETRY * 2**refused))


def status_after(server_says: float, ahead: int, rate_per_minute: float) -> float:
    """The wait between two polls of ``/status`` for a visitor with ``ahead`` before them."""
    return min(float(server_says), float(poll_after(max(0, ahead), rate_per_minute)))


def spread(wait: float, chance: float) -> float:
    """``wait``, shorter or longer by ``chance``, which is anywhere between 0 and 1."""
    return wait * (1 + SPREAD * (2 * chance - 1))
