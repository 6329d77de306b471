# SPDX-License-Identifier: Apache-2.0
"""Arrival curves of the capacity model and the load test.

A curve returns the share of visitors that have arrived after a share of the time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

Curve = Callable[[float], float]
FLASH_FALL = 5.0  # the rate falls by the factor e in each fifth of the time
OPENING = 0.3  # share of the time at which the sale opens
EARLY, RUSH = 0.2, 0.5  # shares of visitors: before the opening, in the rush after it
RUSH_FALL = 12.0  # the rate falls by the factor e in each twelfth of the time


def steady(time: float) -> float:
    """Return a constant rate."""
    return min(1.0, max(0.0, time))


def flash(time: float) -> float:
    """Return a high rate at the start that falls exponentially."""
    time = min(1.0, max(0.0, time))
    return (1 - math.exp(-FLASH_FALL * time)) / (1 - math.exp(-FLASH_FALL))


def on_sale(time: float) -> float:
    """Return a rising rate, a rush when the sale opens, then a constant rate."""
    time = min(1.0, max(0.0, time))
    early = EARLY * min(1.0, time / OPENING) ** 2
    after = max(0.0, (time - OPENING) / (1 - OPENING))
    rush = RUSH * (1 - math.exp(-RUSH_FALL * after)) / (1 - math.exp(-RUSH_FALL))
    return early + rush + (1 - EARLY - RUSH) * after


CURVES: dict[str, Curve] = {"steady": steady, "flash": flash, "on-sale": on_sale}
STEPS = 20_000  # points at which a curve is inverted


def arrival_times(curve: Curve, visitors: int, seconds: float) -> list[float]:
    """Return the arrival time of each visitor in order: seconds from the start."""
    shares = [curve(step / STEPS) for step in range(STEPS + 1)]
    times = []
    for visitor in range(visitors):
        wanted = (visitor + 0.5) / visitors
        after = min(max(bisect_left(shares, wanted), 1), STEPS)
        low, high = shares[after - 1], shares[after]
        part = (wanted - low) / (high - low) if high > low else 0.0
        times.append((after - 1 + part) / STEPS * seconds)
    return times


def peak_per_second(curve: Curve, visitors: int, seconds: float) -> float:
    """Return the maximum of arrivals in one second of the curve."""
    cuts = max(1, math.ceil(seconds))
    shares = [curve(min(1.0, cut / seconds)) for cut in range(cuts + 1)]
    return visitors * max(b - a for a, b in pairwise(shares))
