# SPDX-License-Identifier: Apache-2.0
"""Headroom: positions that are served before a visitor has them, while no visitor waits.

The entrance refills the headroom of an event with ``rate`` when it is used up. It has no counters,
so it does not know how many visitors are active. With ``active`` and ``both`` a step of automatic
admission opens the headroom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from waiting_room.domain.events.admission import (
    MINUTE,
    STEP,
    AdmissionState,
    AdmissionStep,
    AdmissionStrategy,
    burst,
    pace_of,
)
from waiting_room.domain.events.brake import NO_SIGNAL, Signal, first_brake, next_brake
from waiting_room.domain.events.no_shows import NoShows


def refill(
    admission: Mapping[str, Any],
    state: AdmissionState | None,
    generation: int,
    ahead: int,
    signal: Signal = NO_SIGNAL,
    now: float = 0.0,
) -> AdmissionStep:
    """Decide a refill at ``now`` (epoch s) with strategy ``rate``; other strategies refill nothing.

    ``ahead`` positions are served that no visitor has. Half of ``burst`` may be ahead, and half of
    it may accumulate meanwhile, so that visitors who arrive at once get at most ``burst``. Steps of
    automatic admission use the same quota. What is known of no-shows stays: a refill serves no
    assigned position.
    """
    strategy = AdmissionStrategy(admission["strategy"])
    elapsed = max(0.0, now - state.at) if state else 0.0
    brake = next_brake(state.brake, signal, elapsed) if state else first_brake(signal)
    pace = pace_of(admission, strategy, brake)
    half = half_burst(admission, pace)
    credit = min(half, state.credit + pace * elapsed / MINUTE) if state else half
    credit = credit if pace else 0.0
    free = max(0, math.floor(half) - ahead)
    increment = min(math.floor(credit), free) if strategy is AdmissionStrategy.RATE else 0
    seen = state.no_shows if state else NoShows()
    if state and state.generation != generation:
        seen = NoShows(arrived=seen.arrived, expected=seen.expected)
    after = AdmissionState(
        generation,
        state.at if state and now < state.at <= now + STEP else now,  # clocks differ
        credit - increment,
        brake,
        waiting=False,
        no_shows=seen,
    )
    return AdmissionStep(after, increment, f"{pace:g} per minute")


def half_burst(admission: Mapping[str, Any], per_minute: float) -> float:
    """Return how many positions may be served ahead; at least one."""
    return max(1.0, burst(admission, per_minute) / 2)


def early_refill(admission: Mapping[str, Any], ahead: int) -> int:
    """Return the smallest refill while ``ahead`` positions are left; 0: enough are left.

    A refill of one position at a time would be a move for each visitor.
    """
    half = half_burst(admission, float(admission["per_minute"]))
    return 0 if ahead > half / 2 else max(1, math.floor(half / 4))
