# SPDX-License-Identifier: Apache-2.0
"""Batches of messages for services that limit their number and size."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Part = TypeVar("Part")


def batches(
    parts: Iterable[Part],
    size_of: Callable[[Part], int],
    most_size: int,
    most_parts: int = sys.maxsize,
) -> Iterator[list[Part]]:
    """Return the parts in order, in lists of at most ``most_parts`` parts and ``most_size`` bytes.

    A part is never divided: one that is larger than ``most_size`` is in a list of its own.
    """
    batch: list[Part] = []
    size = 0
    for part in parts:
        more = size_of(part)
        if batch and (len(batch) == most_parts or size + more > most_size):
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += more
    if batch:
        yield batch
