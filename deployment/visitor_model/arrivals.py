# SPDX-License-Identifier: Apache-2.0
"""Curves by which a crowd comes, shared by the capacity model and the load test.

A curve answers, for a share of the time that the crowd takes, the share of it that has come.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

Curve = Callable[[float], float]
FLASH_FALL = 5.0  # a flash crowd thins out by e for each fifth of the time
OPENING = 0.3  # of the time, when an announced sale opens
EARLY, RUSH = 0.2, 0.5  # shares of the crowd: before the opening, in the rush after it
RUSH_FALL = 12.0  # the rush thins out by e for each twelfth of the time


def steady(time: float) -> float:
    """The same number every second."""
    return min(1.0, max(0.0, time))


def flash(time: float) -> float:
    """Most at once, as after a message to everybody; then fewer and fewer."""
    time = min(1.0, max(0.0, time))
    return (1 - math.exp(-FLASH_FALL * time)) / (1 - math.exp(-FLASH_FALL))


def on_sale(time: float) -> float:
    """Early birds in rising numbers, a rush when the sale opens, a steady rest."""
    time = min(1.0, max(0.0, time))
    early = EARLY * min(1.0, time / OPENING) ** 2
    after = max(0.0, (time - OPENING) / (1 - OPENING))
    rush = RUSH * (1 - math.exp(-RUSH_FALL * after)) / (1 - math.exp(-RUSH_FALL))
    return early + rush + (1 - EARLY - RUSH) * after


CURVES: dict[str, Curve] = {"steady": steady, "flash": flash, "on-sale": on_sale}
STEPS = 20_000  # a curve is inverted on this many points


def arrival_times(curve: Curve, visitors: int, seconds: float) -> list[float]:
    """When each visitor comes, in order: seconds from the first."""
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
    """The most that come within any second that the curve is cut into."""
    cuts = max(1, math.ceil(seconds))
    shares = [curve(min(1.0, cut / seconds)) for cut in range(cuts + 1)]
    return visitors * max(b - a for a, b in pairwise(shares))
