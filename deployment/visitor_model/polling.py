# SPDX-License-Identifier: Apache-2.0
"""Poll rules of the waiting page for the capacity model and the load test. Times in seconds.

The rules equal those of ``source/sites/waiting_room/waiting-room.js`` and ``policy.js``; a test
compares them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

FIRST_ASK = 1.2  # after the join; the worker collects joins for a second
ASK_GROWTH, LONGEST_ASK = 1.5, 10.0
LONGEST_RETRY = 60.0
SHORTEST_POLL, LONGEST_POLL = 1.0, 120.0
NEAR = 2.0  # shortest interval near the front, unless the server sets a shorter one
SPREAD = 0.2  # each wait is shorter or longer by up to this share
RETRY_SPREAD = 0.25


def ask_after(asked: int) -> float:
    """Return the wait before the next request of the position, after ``asked`` requests."""
    return FIRST_ASK if asked == 0 else float(min(LONGEST_ASK, ASK_GROWTH**asked))


def retry_after(refused: int) -> float:
    """Return the wait after a failure (429, 5xx) that followed ``refused`` others."""
    return float(min(LONGEST_RETRY, 2 ** min(refused, 6)))


def status_after(server_says: float, ahead: int, waiting: int) -> float:
    """Return the wait between two polls of ``/status`` with ``ahead`` of ``waiting`` in front."""
    seconds = min(LONGEST_POLL, max(SHORTEST_POLL, server_says))
    share = min(1.0, ahead / max(1, waiting))
    return max(min(NEAR, seconds), seconds * share)


# --- the policy of policy.js, for responses of /status with the times of moves

SHARE = 3  # a page sleeps for a third of its wait
OBSERVED = 2  # and at most for half of the time since the first move
SHORTEST = 2.0
NEAR_TURN, NEAR_SLEEP = 600.0, 60.0  # the longest sleep if the wait is at most NEAR_TURN
FAR_SHARE, FAR_LEAST, FAR_MOST = 8, 300.0, 1_200.0
IDLE = 10.0  # nothing has moved yet
AFTER_STEP, STEP_SPREAD, ANSWER_AGE = 1.0, 2.0, 0.5
GROWTH = 1.5


def next_poll(
    ahead: int, status: Mapping[str, Any], chance: float, asked: float = math.inf
) -> float:
    """Return the wait before the next poll of ``/status``, after the response ``status``.

    ``ahead`` counts the positions to be served up to the own one; ``chance`` is between 0 and 1;
    ``asked`` is the number of successive polls without any move.
    """
    if "optimistic_rate_per_minute" not in status:
        wait_by_server = status_after(status["poll_after_seconds"], ahead, status["waiting_num"])
        return spread(wait_by_server, chance)
    rate = float(status["optimistic_rate_per_minute"])
    wait = max(0, ahead) * 60 / rate if rate > 0 else math.inf
    if status["moved_at"] is None:
        pause = min(IDLE, SHORTEST * math.pow(GROWTH, min(asked, 99))) * (0.9 + 0.2 * chance)
        return max(SHORTEST, min(pause, longest_sleep(wait)))
    under_way = min(
        max(0.0, float(status["now"] - status["moved_at"])), float(status["every"] or 0)
    )
    return max(SHORTEST, min(_after_moves(wait, status, chance), longest_sleep(wait - under_way)))


def longest_sleep(wait: float) -> float:
    """Return the longest sleep of a page that waits ``wait`` seconds."""
    if wait <= NEAR_TURN:
        return NEAR_SLEEP
    far = max(FAR_LEAST, min(wait / FAR_SHARE, FAR_MOST))
    return min(far, wait - NEAR_TURN + NEAR_SLEEP)


def _after_moves(wait: float, status: Mapping[str, Any], chance: float) -> float:
    every = float(status["every"] or 0)
    if every and wait / SHARE <= every:
        return _to_next_step(status, chance)
    observed = max(0.0, float(status["now"] - status["first_moved_at"]))
    if wait == math.inf:
        return min(observed / SHARE, NEAR_SLEEP)
    return min(wait / SHARE * (0.9 + 0.2 * chance), observed / OBSERVED)


def _to_next_step(status: Mapping[str, Any], chance: float) -> float:
    passed = max(0.0, float(status["now"] - status["moved_at"])) + ANSWER_AGE
    rest = float(status["every"]) - passed
    if rest > 0:
        return rest + AFTER_STEP + STEP_SPREAD * chance
    late = max(0.0, -rest - AFTER_STEP - STEP_SPREAD)
    return (SHORTEST + late * (GROWTH - 1)) * (0.9 + 0.2 * chance)


def spread(wait: float, chance: float, by: float = SPREAD) -> float:
    """Return ``wait``, shorter or longer by ``chance``, a number between 0 and 1."""
    return wait * (1 + by * (2 * chance - 1))
