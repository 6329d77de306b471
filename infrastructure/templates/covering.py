# SPDX-License-Identifier: Apache-2.0
"""Few combinations of switches that show which switch changes which part of a template.

The rows are a covering array of strength two: each pair of switches has each of its four
combinations in some row. Each switch is on in a set of rows of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, count
from math import comb

Row = tuple[bool, ...]  # one value for each switch


def rows(switches: int) -> list[Row]:
    """Return the combinations for a number of switches; in the first one all are off.

    The sets of rows have the same size, more than half of the rows, so that each two differ both
    ways and intersect.
    """
    for others in count(2):
        size = others // 2 + 1
        if comb(others, size) >= switches:
            break
    columns = list(combinations(range(1, others + 1), size))[:switches]
    return [tuple(row in column for column in columns) for row in range(others + 1)]


def explanations(
    table: Sequence[Row],
    values: Sequence[object],
    likely: Sequence[Sequence[int]] = (),
    most: int = 3,
) -> list[list[int]]:
    """Return the smallest sets of switches that decide the value of each row, all of one size.

    Sets of ``likely`` are tried before all other sets of more than one switch.
    """
    switches = range(len(table[0])) if table else range(0)
    for size in range(most + 1):
        for among in (likely if size > 1 else (), combinations(switches, size)):
            found = [
                list(some) for some in among if len(some) == size and _decide(table, values, some)
            ]
            if found:
                return found
    return []


def _decide(table: Sequence[Row], values: Sequence[object], some: Sequence[int]) -> bool:
    seen: dict[Row, object] = {}
    for row, value in zip(table, values, strict=True):
        key = tuple(row[one] for one in some)
        if seen.setdefault(key, value) != value:
            return False
    return True
